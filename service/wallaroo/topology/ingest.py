"""Ingests and generators, which write messages from outside Kafka to an ingest topic."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Ingest:
    """A TCP port: the payload of each frame that a sender writes to it is written to `topic`.

    `max_size` is the largest payload in bytes, `connections` the maximum number of senders at a time on one
    worker. If `listens` is False, nobody listens, but the records of the topic are processed.
    """

    name: str
    source: str
    topic: str
    host: str
    port: int
    header_length: int
    payload_length: Callable[[bytes], int]
    max_size: int
    connections: int
    listens: bool


@dataclass(frozen=True, slots=True)
class Generator:
    """A user's object whose values are written to `topic`, in one transaction with its position.

    The member of `group` that owns partition 0 of `positions` runs it. All members have the same
    `transactional_id`, so that a new owner fences the old one.
    """

    name: str
    source: str
    group: str
    topic: str
    positions: str
    transactional_id: str
    instance: Any

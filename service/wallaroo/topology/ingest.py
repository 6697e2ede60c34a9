"""What writes messages from outside of Kafka into an ingest topic, which a sub-topology reads."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Ingest:
    """A TCP port: the payload of each frame that a sender writes to it goes into a topic.

    `max_size` is the largest payload in bytes, `connections` the most senders at a time on one worker.
    Where `listens` is False, nobody listens, but what is in the topic is processed.
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
    """An object of the user's whose values go into a topic, together with its own position.

    The member of `group` that owns partition 0 of `positions` runs it; `transactional_id` is the same for
    all of them, so that a new owner fences the old one.
    """

    name: str
    source: str
    group: str
    topic: str
    positions: str
    transactional_id: str
    instance: Any

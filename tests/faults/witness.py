"""Witness: reads the input as the service does, and says afterwards what Kafka has changed of it.

A single broker that dies may lose or write anew what its readers have had: no service can be right then.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from zlib import crc32

from confluent_kafka import Message

from tests.kafka.tail import Tail

Place = tuple[int, int]


class Witness:
    """What a topic has held, place by place, since `reading` has begun."""

    def __init__(self, servers: str, topic: str) -> None:
        self._servers, self._topic = servers, topic
        self._seen: dict[Place, int] = {}

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Follow the topic while the body runs."""
        done = threading.Event()
        with closing(Tail(self._servers, self._topic)) as tail:
            thread = threading.Thread(target=self._follow, args=(tail, done), daemon=True)
            thread.start()
            try:
                yield
            finally:
                done.set()
                thread.join()

    def changed(self, now: Sequence[Message]) -> list[Place]:
        """The places, partition and offset, at which the topic has held something else than now."""
        held = {(each.partition(), each.offset()): _sum_of(each) for each in now}
        return sorted(place for place, seen in self._seen.items() if held.get(place) != seen)

    def _follow(self, tail: Tail, done: threading.Event) -> None:
        while not done.is_set():
            tail.poll()
            for message in tail.messages:
                self._seen.setdefault((message.partition(), message.offset()), _sum_of(message))
            tail.messages.clear()


def _sum_of(message: Message) -> int:
    return crc32(message.value() or b"", crc32(message.key() or b""))

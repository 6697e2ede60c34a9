"""Where partitions end, and reading them up to there."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from contextlib import closing
from functools import partial
from typing import Any

from confluent_kafka import Consumer, IsolationLevel, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from wallaroo.kafka.errors import Event, classify_event
from wallaroo.kafka.retry import retry

# A topic and the number of a partition.
Place = tuple[str, int]

_REQUEST_SECONDS = 10.0
_POLL_SECONDS = 0.1


def request_end_offsets(
    admin: AdminClient,
    places: Iterable[Place],
    timeout_seconds: float,
    isolation: IsolationLevel = IsolationLevel.READ_UNCOMMITTED,
) -> dict[Place, "Future[Any]"]:
    """Ask where partitions end, without waiting: the result of each future has it as `offset`.

    The end is behind the last record, whether that is committed or not; or, for readers of committed records,
    where the first open transaction begins.
    """
    latest: OffsetSpec = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    futures = admin.list_offsets(
        {TopicPartition(*place): latest for place in places},
        isolation_level=isolation,
        request_timeout=timeout_seconds,
    )
    return {(tp.topic, tp.partition): future for tp, future in futures.items()}


def log_starts(admin: AdminClient, places: Iterable[Place], timeout_seconds: float) -> dict[Place, int]:
    """Where partitions begin: 0 unless records have been deleted.

    Raises KafkaException if the cluster cannot say, even when asked again.
    """
    earliest: OffsetSpec = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
    wanted = {TopicPartition(*place): earliest for place in places}

    def ask() -> dict[Place, int]:
        futures = admin.list_offsets(wanted, request_timeout=timeout_seconds)
        return {(tp.topic, tp.partition): future.result().offset for tp, future in futures.items()}

    return retry(ask) if wanted else {}


def end_offsets(admin: AdminClient, places: Iterable[Place], timeout_seconds: float) -> dict[Place, int]:
    """Where partitions end, whether their last records are committed or not.

    Raises KafkaException if the cluster cannot say, even when asked again.
    """
    return _ends(admin, list(places), timeout_seconds, IsolationLevel.READ_UNCOMMITTED)


def committed_ends(admin: AdminClient, places: Iterable[Place], timeout_seconds: float) -> dict[Place, int]:
    """Where partitions end for readers of committed records: where the first open transaction begins.

    Raises KafkaException if the cluster cannot say, even when asked again.
    """
    return _ends(admin, list(places), timeout_seconds, IsolationLevel.READ_COMMITTED)


def _ends(
    admin: AdminClient, wanted: list[Place], timeout_seconds: float, isolation: IsolationLevel
) -> dict[Place, int]:
    def ask() -> dict[Place, int]:
        for topic in dict.fromkeys(topic for topic, _ in wanted):
            # Without fresh metadata, the client asks in the name of a leader that may have been replaced.
            admin.list_topics(topic, timeout_seconds)
        futures = request_end_offsets(admin, wanted, timeout_seconds, isolation)
        return {place: future.result().offset for place, future in futures.items()}

    return retry(ask) if wanted else {}


def held_records(open_consumer: Callable[[], Consumer], ends: Mapping[Place, int], polls: int) -> bool:
    """Whether partitions hold, or held before they were deleted, committed records in front of these ends.

    What an aborted transaction has left is none. True if so many polls were not enough to find out.
    """
    with closing(open_consumer()) as consumer:
        for place in ends:
            at = TopicPartition(*place)
            low, _ = retry(partial(consumer.get_watermark_offsets, at, timeout=_REQUEST_SECONDS))
            if low:
                return True
        reader = EndReader(consumer, dict.fromkeys(ends, 0), ends, _POLL_SECONDS)
        for _ in range(polls):
            if not reader.unread:
                return False
            for place, messages in reader.poll(1).items():
                if any(message.offset() < ends[place] for message in messages):
                    return True
    return True


class EndReader:
    """Reads partitions up to their ends; `unread` are those that are not read yet, each with its end.

    A partition has been read when its end-of-partition event says so: records cannot be counted, because
    transaction markers, compaction and aborted records leave gaps. To read no more of a partition, take it
    out of `unread`. `stops` says where an open transaction keeps unread partitions from being read on.
    """

    def __init__(
        self, consumer: Consumer, starts: Mapping[Place, int], ends: Mapping[Place, int], poll_seconds: float
    ) -> None:
        self.unread = {place: end for place, end in ends.items() if starts[place] < end}
        self.stops: dict[Place, int] = {}
        self._consumer = consumer
        self._poll_seconds = poll_seconds
        if self.unread:
            consumer.assign([TopicPartition(*place, starts[place]) for place in self.unread])

    def poll(self, most: int) -> dict[Place, list[Any]]:
        """Return records of unread partitions, up to so many and perhaps none, by partition.

        Raises KafkaSetupError if the cluster refuses this client, KafkaException if the client cannot go on.
        """
        records: dict[Place, list[Any]] = {place: [] for place in self.unread}
        wanted = dict(records)
        message: Any
        for message in self._consumer.consume(most, self._poll_seconds):
            place = (message.topic(), message.partition())
            if message.error() is None:
                if place in wanted:
                    wanted[place].append(message)
                    self.stops.pop(place, None)
                continue
            # Events of no topic are about the consumer's group, which it names and never joins.
            if message.topic() and classify_event(message) is Event.END_OF_PARTITION:
                end = self.unread.get(place)
                if end is not None and message.offset() >= end:
                    del self.unread[place], wanted[place]
                    self.stops.pop(place, None)
                elif end is not None:
                    self.stops[place] = message.offset()
        return {place: messages for place, messages in records.items() if messages}

"""Where partitions end, and reading them up to there."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from typing import Any

from confluent_kafka import Consumer, IsolationLevel, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from wallaroo.kafka.errors import Event, classify_event
from wallaroo.kafka.retry import retry
from wallaroo.settings import Settings

# A topic and the number of a partition.
Place = tuple[str, int]


def request_end_offsets(
    admin: AdminClient, places: Iterable[Place], timeout_seconds: float
) -> dict[Place, "Future[Any]"]:
    """Ask where partitions end, without waiting: the result of each future has it as `offset`.

    The end is behind the last record, whether that is committed or not.
    """
    latest: OffsetSpec = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    futures = admin.list_offsets(
        {TopicPartition(*place): latest for place in places},
        isolation_level=IsolationLevel.READ_UNCOMMITTED,
        request_timeout=timeout_seconds,
    )
    return {(tp.topic, tp.partition): future for tp, future in futures.items()}


def end_offsets(admin: AdminClient, places: Iterable[Place], timeout_seconds: float) -> dict[Place, int]:
    """Where partitions end, whether their last records are committed or not.

    Raises KafkaException if the cluster cannot say, even when asked again.
    """
    wanted = list(places)

    def ask() -> dict[Place, int]:
        for topic in dict.fromkeys(topic for topic, _ in wanted):
            # Without fresh metadata, the client asks in the name of a leader that may have been replaced.
            admin.list_topics(topic, timeout_seconds)
        futures = request_end_offsets(admin, wanted, timeout_seconds)
        return {place: future.result().offset for place, future in futures.items()}

    return retry(ask) if wanted else {}


class EndReader:
    """Reads partitions up to their ends; `unread` are those that are not read yet, each with its end.

    A partition has been read when its end-of-partition event says so: records cannot be counted, because
    transaction markers, compaction and aborted records leave gaps. To read no more of a partition, take it
    out of `unread`.
    """

    def __init__(
        self, consumer: Consumer, starts: Mapping[Place, int], ends: Mapping[Place, int], poll_seconds: float
    ) -> None:
        self.unread = {place: end for place, end in ends.items() if starts[place] < end}
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
                continue
            event, end = classify_event(message), self.unread.get(place)
            if event is Event.END_OF_PARTITION and end is not None and message.offset() >= end:
                del self.unread[place], wanted[place]
        return {place: messages for place, messages in records.items() if messages}


_LEAVE_SECONDS = 0.2
_MOST_POLLS = 25
_Rebalanced = Callable[[Consumer, list[TopicPartition]], None]


def assign(consumer: Consumer, starts: list[TopicPartition], settings: Settings) -> None:
    """Answer an assignment of the group; the partitions are paused."""
    if _is_incremental(settings):
        consumer.incremental_assign(starts)
    else:
        consumer.assign(starts)
    if starts:
        consumer.pause(starts)


def resume(consumer: Consumer, positions: list[TopicPartition]) -> None:
    """Go on with paused partitions, each at its offset, at once."""
    consumer.resume(positions)
    for tp in positions:
        # Wakes the client's thread, which by itself looks only once a second.
        consumer.seek(tp)


def unassign(consumer: Consumer, partitions: list[TopicPartition], settings: Settings) -> None:
    """Answer a revocation of the group."""
    if _is_incremental(settings):
        consumer.incremental_unassign(partitions)
    else:
        consumer.unassign()


def join(
    consumer: Consumer, topic: str, on_assign: _Rebalanced, on_revoke: _Rebalanced, on_lost: _Rebalanced
) -> None:
    """Subscribe; what a callback raises comes out of the poll that called it."""
    consumer.subscribe(
        [topic], on_assign=_catchable(on_assign), on_revoke=_catchable(on_revoke), on_lost=_catchable(on_lost)
    )


def leave(consumer: Consumer, holding: Callable[[], bool]) -> None:
    """Leave the group for others to take over at once; `holding` says whether partitions are left to revoke.

    Closing alone would not do: a static member keeps its partitions until its session is over.
    """
    consumer.unsubscribe()
    for _ in range(_MOST_POLLS):
        if not holding():
            break
        consumer.poll(_LEAVE_SECONDS)
    consumer.close()


def _catchable(callback: _Rebalanced) -> _Rebalanced:
    """On Python 3.11 confluent-kafka 2.16 passes an error that one of its own calls has raised in a callback
    on as something that is no exception: no `except` catches it, and its thread ends unheard. Not so with one
    that Python has caught before.
    """

    def call(consumer: Consumer, partitions: list[TopicPartition]) -> None:
        try:
            callback(consumer, partitions)
        except BaseException:  # noqa: TRY203 - not useless, see above
            raise

    return call


def _is_incremental(settings: Settings) -> bool:
    strategy = settings.consumer.get("partition.assignment.strategy", "cooperative-sticky")
    return settings.group_protocol == "consumer" or "cooperative" in strategy

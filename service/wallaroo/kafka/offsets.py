"""Take partitions over at explicit offsets, and give them up.

Rules for whoever edits this file:
1. A topic of our own is read from its beginning where the group has committed nothing: the setting
   auto_offset_reset is about sources. Otherwise results would be skipped that were written before the
   group met for the first time.
2. What may pass (a coordinator that moves, an open transaction on the offsets) is asked again.
3. Who joins a group does so with `join`: what a callback raises could not be caught otherwise.
"""

import logging
from collections.abc import Callable
from typing import Literal

from confluent_kafka import Consumer, KafkaException, TopicPartition

from wallaroo.errors import KafkaSetupError
from wallaroo.kafka.retry import persist
from wallaroo.settings import Settings

_log = logging.getLogger(__name__)

_REQUEST_SECONDS = 10.0
_LEAVE_SECONDS = 0.2
_MOST_POLLS = 25

First = Literal["earliest", "latest"]
Rebalanced = Callable[[Consumer, list[TopicPartition]], None]


def starting_offsets(
    consumer: Consumer, partitions: list[TopicPartition], settings: Settings, first: First
) -> list[TopicPartition]:
    """Where the group goes on in each partition; `first` is for those in which it has committed nothing.

    Raises KafkaSetupError where the topic no longer holds that offset and the settings say to fail.
    """
    if not partitions:
        return []
    found = persist(lambda: _committed(consumer, partitions))
    return [_start(consumer, tp, settings, first) for tp in found]


def out_of_range(at: TopicPartition, low: int, high: int, settings: Settings) -> int:
    """Where to go on when the topic no longer holds the next offset; KafkaSetupError to not go on."""
    text = (
        f"{at.topic}[{at.partition}] holds the offsets {low} to {high}, but this group is at {at.offset}: "
        "records were deleted before they were read, or the topic was made anew"
    )
    if settings.on_offset_out_of_range == "fail":
        raise KafkaSetupError(
            f"{text}; to go on all the same, set on_offset_out_of_range to earliest or latest"
        )
    chosen = low if settings.on_offset_out_of_range == "earliest" else high
    _log.error("offset out of range", extra={"what": text, "chosen": chosen})
    return chosen


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
    consumer: Consumer, topic: str, on_assign: Rebalanced, on_revoke: Rebalanced, on_lost: Rebalanced
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


def _catchable(callback: Rebalanced) -> Rebalanced:
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


def _start(consumer: Consumer, found: TopicPartition, settings: Settings, first: First) -> TopicPartition:
    low, high = persist(lambda: _watermarks(consumer, found))
    if found.offset < 0:
        start = high if first == "latest" else low
    elif low <= found.offset <= high:
        start = found.offset
    else:
        start = out_of_range(found, low, high, settings)
    return TopicPartition(found.topic, found.partition, start)


def _committed(consumer: Consumer, partitions: list[TopicPartition]) -> list[TopicPartition]:
    found = consumer.committed(partitions, timeout=_REQUEST_SECONDS)
    for tp in found:
        if tp.error is not None:
            raise KafkaException(tp.error)
    return found


def _watermarks(consumer: Consumer, at: TopicPartition) -> tuple[int, int]:
    return consumer.get_watermark_offsets(at, timeout=_REQUEST_SECONDS)

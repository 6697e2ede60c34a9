"""GroupMember: one consumer in its group, from the subscription until it leaves.

Rules for whoever edits this file:
1. A partition is assigned paused, at an explicit offset. Its owner resumes it.
2. Everything happens in the thread that polls. The owner, which may also poll `consumer` directly, is called
   inside of those polls and of `leave`.
3. Callbacks go through `_catchable`: what they raise could not be caught otherwise. They never call
   `list_topics` of their own consumer: confluent-kafka 2.16 then ends the process at the next callback of the
   same poll (`CallState_get: Assertion cs != NULL`).
4. Where the group has committed nothing, a topic of our own is read from its beginning: the setting
   auto_offset_reset is about sources, and would skip what was written before the group first met.
5. A request for committed offsets is repeated while errors may pass (a coordinator that moves, say). The
   answer is stable: it comes only when the last owner's transaction has ended. `obstacle` says so.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Literal, Protocol

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from wallaroo.clock import SystemClock
from wallaroo.errors import CommitError, KafkaSetupError, StoredValueError
from wallaroo.kafka.errors import Event, classify_event
from wallaroo.kafka.members import Membership
from wallaroo.kafka.open_transactions import UnstableOffsets
from wallaroo.kafka.retry import retry
from wallaroo.settings import Settings

_log = logging.getLogger(__name__)

_REQUEST_SECONDS = 10.0
_LEAVE_SECONDS = 0.2
# Longer than a group of the new protocol takes to give out partitions; its members report every five seconds.
_SILENT_SECONDS = 15.0
_MOST_POLLS = 25

_NOT_LET_IN = "JoinGroup failed"

Partitions = list[TopicPartition]
OffsetReset = Literal["earliest", "latest"]


@dataclass(frozen=True, slots=True)
class Assigned:
    """A partition that has been assigned, paused at `offset`; `low` and `high` are what its topic holds.

    `committed` is the group's offset, None if it has none, with its `metadata`; `reset` is where a group
    without one begins. `is_first` says that the group has no offset in any partition of the topic.
    """

    topic: str
    partition: int
    offset: int
    committed: int | None = None
    metadata: str | None = None
    low: int = 0
    high: int = 0
    reset: int = 0
    is_first: bool = False


class PartitionOwner(Protocol):
    """What is done with the partitions of a member whenever its group rebalances."""

    def on_assigned(self, starts: Sequence[Assigned]) -> None:
        """The partitions have been assigned, paused; the owner decides where each one starts."""

    def on_revoked(self, partitions: Partitions) -> None:
        """The partitions are about to move: the last moment to commit."""

    def on_lost(self, partitions: Partitions) -> None:
        """The partitions may belong to another member already: nothing can be committed."""

    def on_rebalanced(self) -> None:
        """The client has been told about the assignment, revocation or loss."""


class GroupMember:
    """Subscribes to one topic and answers rebalances; `answered` says whether an assignment is complete.

    `offset_reset` is where a partition begins in which the group has committed nothing. With None nothing is
    to be read, only owned: no offsets are asked for, and the partitions stay paused. `partitions` is how many
    the topic has; 0 if nobody needs to know whether the group has an offset in any.
    """

    consumer: Consumer
    _unstable: UnstableOffsets | None = None

    def __init__(
        self,
        topic: str,
        settings: Settings,
        offset_reset: OffsetReset | None,
        owner: PartitionOwner,
        log_fields: Mapping[str, str],
        partitions: int = 0,
    ) -> None:
        self._answer: bool | None = None
        self._joined = 0.0
        self._clock = SystemClock()
        self._partitions = partitions
        self._membership = Membership(topic, self._clock)
        self._topic = topic
        self._settings = settings
        self._offset_reset = offset_reset
        self._owner = owner
        self._log_fields = {**log_fields, "topic": topic}
        self._owned: set[int] = set()
        self._is_refused = False
        self._is_leaving = self._is_closing = False

    @property
    def answered(self) -> bool:
        """Whether an assignment is complete, even one without partitions.

        A group of the new protocol (KIP-848) has nothing to say to a member that gets none.
        """
        if self._answer is None and self._settings.group_protocol == "consumer":
            return self._clock.monotonic() - self._joined > _SILENT_SECONDS
        return self._answer is True

    @property
    def obstacle(self) -> str:
        """Why the member is not in its group, or what that waits for to start; empty if neither."""
        unstable = "" if self._unstable is None else self._unstable.obstacle
        return unstable or ("" if self.answered else self._membership.obstacle)

    def join(self, consumer: Consumer, group: str | None = None) -> None:
        """Subscribe. What the owner raises comes out of the poll that called it.

        With the name of the group, `obstacle` says if its offsets are waited for.
        """
        self.consumer = consumer
        self._membership.group = group or ""
        self._wait_for_answer()
        self._unstable = UnstableOffsets(group, self._settings, self._clock) if group else None
        consumer.subscribe(
            [self._topic],
            on_assign=_catchable(self._assign),
            on_revoke=_catchable(self._revoke),
            on_lost=_catchable(self._lose),
        )

    def poll(self, most: int, timeout_seconds: float) -> list[Message]:
        """Return the messages that are there; if there are none, wait for the first one."""
        messages = self.consumer.consume(most, 0)
        if messages or not timeout_seconds:
            return messages
        first = self.consumer.poll(timeout_seconds)
        return [] if first is None else [first, *self.consumer.consume(most - 1, 0)]

    def classify(self, message: Message) -> Event:
        """`classify_event`; what concerns the membership is kept for `obstacle`."""
        event = classify_event(message)
        error = message.error()
        if event is not Event.PASSING or error is None or message.topic():
            return event
        self._membership.refused(error)
        # While it holds partitions, it may be let in again without being told anything.
        if error.str().startswith(_NOT_LET_IN) and not self._owned and self._answer:
            self._wait_for_answer()
        return event

    def _wait_for_answer(self) -> None:
        self._answer = None
        self._joined = self._clock.monotonic()
        self._membership.left()

    def seek(self, number: int, offset: int) -> None:
        """Read on at another offset, at once: a seek also wakes the client's thread."""
        self.consumer.seek(TopicPartition(self._topic, number, offset))

    def resume(self, positions: Partitions) -> None:
        """Read on in paused partitions, each at its offset, at once."""
        self.consumer.resume(positions)
        for tp in positions:
            # Wakes the client's thread, which by itself checks them only once a second.
            self.consumer.seek(tp)

    def out_of_range(self, number: int, offset: int) -> int:
        """Where to go on if the topic no longer holds this offset.

        Raises KafkaSetupError if the settings say to fail. A member that does not know yet that others have
        taken over is behind its group, and what that has read may have been deleted: CommitError.
        """
        at = TopicPartition(self._topic, number, offset)
        low, high = self.consumer.get_watermark_offsets(at)
        [group] = retry(partial(_committed, self.consumer, [at]))
        if offset < group.offset and low <= group.offset <= high:
            raise CommitError(
                f"{self._topic}[{number}] at offset {offset}, but the group has committed {group.offset}: "
                "another member has read on"
            )
        return out_of_range(at, low, high, self._settings)

    def leave(self) -> None:
        """Leave the group, so that others can take over at once.

        Closing alone would not do: a static member keeps its partitions until its session is over.
        """
        self._is_leaving = True
        self.consumer.unsubscribe()
        for _ in range(_MOST_POLLS):
            if not self._owned:
                break
            self.consumer.poll(_LEAVE_SECONDS)
        # A client that closes does not know its group any more: nothing can be committed for it.
        self._is_closing = True
        self.consumer.close()

    @contextmanager
    def leaving_if_refused(self) -> Iterator[None]:
        """Leave the group, and commit nothing, at a KafkaSetupError or StoredValueError from inside.

        What the operator has to do now can only be done to a group without members, and a static member that
        just ends would stay until its session is over.
        """
        try:
            yield
        except (KafkaSetupError, StoredValueError):
            self._is_refused = True
            with suppress(KafkaException, RuntimeError):
                self.leave()
            raise

    def _assign(self, consumer: Consumer, partitions: Partitions) -> None:
        if self._is_leaving:
            # They are taken back at once. Asked for their offsets, the group would refuse, again and again.
            return
        self._log("partitions assigned", partitions)
        self._answer = False
        if self._offset_reset is None:
            assigned = [Assigned(tp.topic, tp.partition, 0) for tp in partitions]
        else:
            assigned = starting_offsets(
                consumer, partitions, self._offset_reset, self._unstable, self._partitions
            )
        starts = [TopicPartition(each.topic, each.partition, each.offset) for each in assigned]
        if self._is_incremental:
            consumer.incremental_assign(starts)
        else:
            consumer.assign(starts)
        if starts:
            consumer.pause(starts)
        self._owned |= {tp.partition for tp in starts}
        self._owner.on_assigned(assigned)
        self._answer = True
        self._membership.entered()
        self._owner.on_rebalanced()

    def _revoke(self, consumer: Consumer, partitions: Partitions) -> None:
        self._log("partitions revoked", partitions)
        if self._is_closing:
            self._owner.on_lost(partitions)
        elif not self._is_refused:
            self._owner.on_revoked(partitions)
        self._unassign(consumer, partitions)

    def _lose(self, consumer: Consumer, partitions: Partitions) -> None:
        self._log("partitions lost", partitions)
        self._owner.on_lost(partitions)
        self._unassign(consumer, partitions)
        self._wait_for_answer()

    def _unassign(self, consumer: Consumer, partitions: Partitions) -> None:
        if self._is_incremental:
            consumer.incremental_unassign(partitions)
        else:
            consumer.unassign()
        self._owned -= {tp.partition for tp in partitions}
        self._owner.on_rebalanced()

    @property
    def _is_incremental(self) -> bool:
        strategy = self._settings.consumer.get("partition.assignment.strategy", "cooperative-sticky")
        return self._settings.group_protocol == "consumer" or "cooperative" in strategy

    def _log(self, event: str, partitions: Partitions) -> None:
        numbers = sorted(tp.partition for tp in partitions)
        _log.info(event, extra={**self._log_fields, "partitions": numbers})


def starting_offsets(
    consumer: Consumer,
    partitions: Partitions,
    offset_reset: OffsetReset,
    unstable: UnstableOffsets | None = None,
    count: int = 0,
) -> list[Assigned]:
    """Where the group is in each partition; `offset_reset` is for those without a committed offset.

    `unstable` says what the answer waits for; `count` is how many partitions the topic has.
    """
    if not partitions:
        return []

    if unstable is None:
        committed = retry(partial(_committed, consumer, partitions))
    else:
        failed = partial(unstable.failed, consumer=consumer, partitions=partitions)
        committed = retry(partial(_committed, consumer, partitions), failed)
        unstable.known()
    is_first = all(tp.offset < 0 for tp in committed)
    if is_first and count > len(partitions):
        everywhere = [TopicPartition(partitions[0].topic, number) for number in range(count)]
        is_first = all(tp.offset < 0 for tp in retry(partial(_committed, consumer, everywhere)))
    return [_assigned(consumer, tp, offset_reset, is_first=is_first) for tp in committed]


def _committed(consumer: Consumer, partitions: Partitions) -> Partitions:
    """What the group has committed; KafkaException if it does not say so of every partition."""
    found = consumer.committed(partitions, timeout=_REQUEST_SECONDS)
    for tp in found:
        if tp.error is not None:
            raise KafkaException(tp.error)
    return found


def out_of_range(at: TopicPartition, low: int, high: int, settings: Settings) -> int:
    """Where to go on if the topic no longer holds the next offset; KafkaSetupError if the settings say so."""
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


def _catchable(callback: Callable[[Consumer, Partitions], None]) -> Callable[[Consumer, Partitions], None]:
    """Let the poll that calls a callback raise what the callback raises, so that it can be caught.

    If one of its own calls raises in a callback, confluent-kafka 2.16 on Python 3.11 passes on something that
    is no exception: no `except` catches it, and its thread ends without a word. An error that Python has
    caught once is passed on as it is.
    """

    def call_and_reraise(consumer: Consumer, partitions: Partitions) -> None:
        try:
            callback(consumer, partitions)
        except BaseException:  # noqa: TRY203 - not useless, see above
            raise

    return call_and_reraise


def _assigned(
    consumer: Consumer, tp: TopicPartition, offset_reset: OffsetReset, *, is_first: bool
) -> Assigned:
    low, high = retry(lambda: consumer.get_watermark_offsets(tp, timeout=_REQUEST_SECONDS))
    reset = high if offset_reset == "latest" else low
    committed = None if tp.offset < 0 else tp.offset
    offset = reset if committed is None or not low <= committed <= high else committed
    return Assigned(tp.topic, tp.partition, offset, committed, tp.metadata, low, high, reset, is_first)

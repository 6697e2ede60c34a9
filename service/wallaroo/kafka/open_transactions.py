"""What waits for a transaction that does not end, said so that an operator can end it.

Rules for whoever edits this file:
1. A group whose offsets are part of a transaction waits for its end at once; a reader of committed records
   only stands still. Both are normal for moments, and said only after a while.
2. One line in the log for what waits, at most every half a minute; the same words are on `/readyz`.
3. Nothing is ended here: only whoever knows how the transaction was meant to end may do that.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from wallaroo.clock import Clock, utc
from wallaroo.kafka.clients import admin_client
from wallaroo.kafka.offsets import Place
from wallaroo.settings import Settings

_log = logging.getLogger(__name__)

OFFSETS_TOPIC = "__consumer_offsets"
# Producers whose transactions stay open for longer by intention are rare, and the text says what it may be.
_OPEN_SECONDS = 60.0
_LOG_SECONDS = 30.0
_REQUEST_SECONDS = 5.0
_LOOK_SECONDS = 0.5
_MOST_NAMED = 10
# Nobody commits an offset of it, so its answer never waits.
_NO_PARTITION = 2**31 - 1
_UNSTABLE = (KafkaError._TIMED_OUT, KafkaError.UNSTABLE_OFFSET_COMMIT)  # noqa: SLF001 - the client's public name


@dataclass(frozen=True, slots=True)
class Stall:
    """A partition in which committed records stop at an offset, though more have been written behind it."""

    offset: int
    since: float
    """Monotonic seconds."""
    open: bool = True
    """There are records behind the offset."""


class Reminder:
    """What waits at this moment; it goes to the log at most every half a minute."""

    def __init__(self, clock: Clock) -> None:
        self.text = ""
        self._clock = clock
        self._logged: float | None = None

    def say(self, text: str) -> None:
        """Note what waits; nothing does if the text is empty."""
        if self.text and not text:
            _log.info("waits no more", extra={"for": self.text.partition(";")[0]})
        self.text = text
        now = self._clock.monotonic()
        if text and (self._logged is None or now - self._logged >= _LOG_SECONDS):
            self._logged = now
            _log.warning("waiting for a transaction", extra={"what": text})


class UnstableOffsets:
    """Asks, while a group waits for its committed offsets, which of them are part of a transaction."""

    def __init__(self, group: str, settings: Settings, clock: Clock) -> None:
        self._group = group
        self._settings = settings
        self._clock = clock
        self._since_ms: int | None = None
        self._reminder = Reminder(clock)

    @property
    def obstacle(self) -> str:
        return self._reminder.text

    def known(self) -> None:
        """Note that the group's offsets are known."""
        self._since_ms = None
        self._reminder.say("")

    def failed(self, error: KafkaError, consumer: Consumer, partitions: Iterable[TopicPartition]) -> None:
        """Note that a request for the group's offsets has failed; the client does not say why."""
        self._since_ms = self._since_ms or self._clock.now_ms()
        if error.code() not in _UNSTABLE:
            return
        try:
            unstable = unstable_partitions(consumer, partitions, _LOOK_SECONDS)
            if not unstable:
                return
            admin = admin_client(self._settings, self._group)
            number = group_partition(self._group, partition_count(admin))
        except KafkaException as failure:
            _log.warning("offsets unknown", extra={"group": self._group, "error": failure.args[0].str()})
            return
        servers = self._settings.bootstrap_servers
        self._reminder.say(unstable_text(self._group, unstable, self._since_ms, number, servers))


class OpenTransactions:
    """Watches where the partitions of a reader stop, and names those in which that lasts."""

    def __init__(self, servers: str, clock: Clock) -> None:
        self._servers = servers
        self._clock = clock
        self._stalls: dict[Place, Stall] = {}
        self._reminder = Reminder(clock)

    @property
    def obstacle(self) -> str:
        return self._reminder.text

    def update(self, stops: Iterable[tuple[Place, int, int]]) -> None:
        """Note all partitions: where committed records end, and where all records end."""
        now = self._clock.monotonic()
        self._stalls = {place: watched(self._stalls.get(place), end, high, now) for place, end, high in stops}
        lasting = {
            place: stall
            for place, stall in self._stalls.items()
            if stall.open and now - stall.since >= _OPEN_SECONDS
        }
        now_ms = self._clock.now_ms()
        texts = [
            stalled_text(place, stall.offset, now_ms - round((now - stall.since) * 1000), self._servers)
            for place, stall in sorted(lasting.items())
        ]
        more = f"; and so do {len(texts) - 1} other partitions" if len(texts) > 1 else ""
        self._reminder.say(texts[0] + more if texts else "")


def watched(before: Stall | None, end: int, high: int, now: float) -> Stall:
    """What is known of a partition now whose committed records end at `end`, all of them at `high`."""
    is_open = high > end
    if before is None or before.offset != end or before.open != is_open:
        return Stall(end, now, is_open)
    return replace(before)


def unstable_partitions(
    consumer: Consumer, partitions: Iterable[TopicPartition], timeout_seconds: float
) -> list[Place]:
    """Those partitions whose offset in the group is part of a transaction that has not ended meanwhile.

    The client asks again until the offset is stable, and then says only that time is up. So one partition is
    asked for after the other, if the group's coordinator answers at all. (The request that says which they
    are, list_consumer_group_offsets, makes confluent-kafka 2.16 crash while a coordinator is away.)

    Raises KafkaException if the cluster cannot say.
    """
    asked = [TopicPartition(tp.topic, tp.partition) for tp in partitions]
    if not asked or _are_stable(consumer, asked, timeout_seconds):
        return []
    consumer.committed([TopicPartition(asked[0].topic, _NO_PARTITION)], timeout=_REQUEST_SECONDS)
    found: list[Place] = []
    for tp in asked:
        if len(found) < _MOST_NAMED and not _are_stable(consumer, [tp], _LOOK_SECONDS):
            found.append((tp.topic, tp.partition))
    return found


def _are_stable(consumer: Consumer, partitions: list[TopicPartition], timeout_seconds: float) -> bool:
    try:
        found = consumer.committed(partitions, timeout=timeout_seconds)
    except KafkaException as error:
        if error.args[0].code() not in _UNSTABLE:
            raise
        return False
    return not any(tp.error is not None and tp.error.code() in _UNSTABLE for tp in found)


def group_partition(group: str, count: int) -> int | None:
    """The partition of Kafka's offsets topic that holds a group, by Java's hash; None without a count."""
    return java_hash(group) % count if count else None


def java_hash(text: str) -> int:
    """The absolute value of Java's `String.hashCode`, as brokers take it: 0 for the one that has none."""
    value = 0
    encoded = text.encode("utf-16-be")
    for at in range(0, len(encoded), 2):
        value = (31 * value + int.from_bytes(encoded[at : at + 2])) & 0xFFFFFFFF
    return min(value, 0x1_0000_0000 - value) % 0x8000_0000


def unstable_text(
    group: str, partitions: Iterable[Place], since_ms: int, number: int | None, servers: str
) -> str:
    """What an operator is told of a group that cannot start because its offsets are not settled."""
    places = ", ".join(f"{topic}[{partition}]" for topic, partition in partitions)
    where = f"of {OFFSETS_TOPIC}" if number is None else f"{OFFSETS_TOPIC}[{number}]"
    return (
        f"the group {group} has been waiting since {utc(since_ms)} for its offsets of {places}: they are "
        f"part of a transaction that has not ended; {_advice(servers, OFFSETS_TOPIC, number, where)}"
    )


def stalled_text(place: Place, offset: int, since_ms: int, servers: str) -> str:
    """What an operator is told of a partition that cannot be read on."""
    topic, number = place
    return (
        f"{topic}[{number}] cannot be read beyond offset {offset} since {utc(since_ms)}: a transaction "
        f"that begins there has not ended; {_advice(servers, topic, number, f'{topic}[{number}]', offset)}"
    )


def _advice(servers: str, topic: str, number: int | None, where: str, offset: int | None = None) -> str:
    """The commands, with the names filled in as far as they are known."""
    tool = f"kafka-transactions.sh --bootstrap-server {servers}"
    partition = "PARTITION" if number is None else number
    start = "OFFSET" if offset is None else offset
    return (
        f"find its producer with `{tool} describe-producers --topic {topic} --partition {partition}` (the "
        f"line with a CurrentTransactionStartOffset), and that producer's id and state with `{tool} list`. "
        "Ongoing: it ends with its time-out, when its producer is restarted, or by "
        f"`{tool} forceTerminateTransaction --transactionalId ID`. CompleteCommit: Kafka has lost the end in "
        f"{where}, and the next commit of that producer there writes it. CompleteAbort, or not in the list: "
        f"`{tool} abort --topic {topic} --partition {partition} --start-offset {start}`, which discards its "
        "records"
    )


def partition_count(admin: AdminClient) -> int:
    """How many partitions Kafka's offsets topic has; 0 if this client may not know."""
    found = admin.list_topics(OFFSETS_TOPIC, _REQUEST_SECONDS).topics.get(OFFSETS_TOPIC)
    return len(found.partitions) if found is not None and found.error is None else 0

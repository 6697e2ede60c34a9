"""What to say where a group has committed offsets of a commit that failed: its results are missing.

A commit in memory tells what has been written together with which offset. If the broker says that the
transaction of a commit had been ended already, and the group is at the end of that commit, then something
else has committed the offsets: what should have been written with them is missing, in whole or in part.
"""

import logging
from collections.abc import Callable, Mapping

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from wallaroo.errors import KafkaSetupError
from wallaroo.kafka.retry import retry
from wallaroo.record import Partition
from wallaroo.task.position import encode_hole

_log = logging.getLogger(__name__)
_REQUEST_SECONDS = 10.0

Offsets = Mapping[Partition, int]
AskCommitted = Callable[[list[Partition]], Offsets]


def ended_by_another(error: KafkaError) -> bool:
    """Whether this error of a commit says for certain that its own request did not end the transaction."""
    return error.code() == KafkaError.INVALID_TXN_STATE


def committed_offsets(consumer: Consumer, partitions: list[Partition]) -> Offsets:
    """What a consumer's group has committed of these, once no transaction may change it any more."""
    places = [TopicPartition(at.topic, at.number) for at in partitions]

    def ask() -> Offsets:
        found = consumer.committed(places, timeout=_REQUEST_SECONDS)
        for tp in found:
            if tp.error is not None:
                raise KafkaException(tp.error)
        return {Partition(tp.topic, tp.partition): tp.offset for tp in found}

    return retry(ask)


class MissingResultsError(KafkaSetupError):
    """The group has offsets whose results are missing.

    `marks` are the same offsets with metadata that says so, for the next start to refuse.
    """

    def __init__(self, text: str, marks: list[TopicPartition]) -> None:
        super().__init__(text)
        self.marks = marks


def missing_results(
    group: str, starts: Offsets, ends: Offsets, committed: Offsets
) -> MissingResultsError | None:
    """What is missing, and what leads out; None if nothing is.

    `starts` is where the failed commit began, `ends` where it would have ended.
    """
    holes = {at: end for at, end in ends.items() if starts.get(at, end) < committed.get(at, -1) <= end}
    if not holes:
        return None
    named = ", ".join(f"{at.topic}[{at.number}] {starts[at]} to {committed[at] - 1}" for at in holes)
    back = " ".join(
        f"kafka-consumer-groups.sh --bootstrap-server SERVERS --group {group} --topic {at.topic}:{at.number} "
        f"--reset-offsets --to-offset {starts[at]} --execute;"
        for at in holes
    )
    marks = [TopicPartition(at.topic, at.number, committed[at], encode_hole(starts[at])) for at in holes]
    text = (
        f"results are missing: group {group} has committed the offsets {named}, but the transaction that "
        "should have written their results with them was ended by a request that came late, without some or "
        f"all of these. To process them again (some results may then be there twice): {back} then start. "
        "To go on without them: start once with `--on-position-mismatch group`"
    )
    return MissingResultsError(text, marks)


def mark_hole(consumer: Consumer, marks: list[TopicPartition]) -> None:
    """Note with the group's offsets that results are missing, before the worker ends."""
    try:
        retry(lambda: consumer.commit(offsets=marks, asynchronous=False))
    except KafkaException as error:
        # Another owner has gone on, or Kafka is away: the error that ends the worker says all that is known.
        _log.warning("missing results not marked", extra={"error": error.args[0].str()})

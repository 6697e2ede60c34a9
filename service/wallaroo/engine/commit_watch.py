"""CommitWatch: what keeps commits from succeeding, said with its topics once it has lasted for ten seconds.

Rules for whoever edits this file:
1. It is asked in another thread than the loop's, which may itself be waiting for the commit.
2. Nothing waits here: what topics are like is asked for, and said once the answer is there.
3. Whatever the cause, it is said that nothing is committed, since when, and which topics are written.
"""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from wallaroo.clock import Clock, utc
from wallaroo.engine.transaction import Commit
from wallaroo.kafka.open_transactions import OFFSETS_TOPIC
from wallaroo.kafka.transaction_log import TOPIC as TRANSACTIONS_TOPIC
from wallaroo.observability.health import Uncommitted

_log = logging.getLogger(__name__)

_LATE_SECONDS = 10.0
# Most commits take less, and their topics need not be looked for.
_WHILE_SECONDS = 1.0
# So that the answer is there in time.
_ASK_AFTER_SECONDS = 7.0
_ASK_SECONDS = 5.0
_LOG_SECONDS = 30.0
_REQUEST_SECONDS = 5.0
_MOST_NAMED = 10
# Where Kafka itself keeps offsets and transactions: a commit needs them as well.
_NEEDED_BY_ALL = (OFFSETS_TOPIC, TRANSACTIONS_TOPIC)
# What a client hears of topics that it may not ask about, or whose name it cannot check.
_NOT_TOLD = (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED)

Answers = Mapping[str, "Future[Any]"]
# Requests the descriptions of topics.
Describe = Callable[[Collection[str]], Answers]


def describe_by(admin: AdminClient) -> Describe:
    """Return a function that asks the cluster of this client what topics are like now."""

    def describe(topics: Collection[str]) -> Answers:
        answers: Answers = admin.describe_topics(
            TopicCollection(list(topics)), request_timeout=_REQUEST_SECONDS
        )
        return answers

    return describe


def topics_of(commit: Commit) -> list[str]:
    """Every topic that a commit writes."""
    found = {output[0] for batch in commit.batches for output in batch.outputs}
    found |= {changes.topic for batch in commit.batches for changes in batch.changes}
    return sorted(found)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What has not been committed since `since`, monotonic; `reason` is why the last attempt failed."""

    since: float
    since_ms: int
    topics: Callable[[], Collection[str]]
    reason: str = ""


class CommitWatch:
    """Watches the commits of one loop; `describe`, to be set once there is a client, asks about topics."""

    def __init__(self, name: str, clock: Clock) -> None:
        self.describe: Describe | None = None
        self._name = name
        self._clock = clock
        self.waiting: Waiting | None = None
        self._asked = -_ASK_SECONDS
        self._answers: Answers | None = None
        self._troubles: list[str] = []
        self._logged: float | None = None

    def ask_by(self, admin: AdminClient | None) -> None:
        """From now on, ask the cluster of this client, if there is one, about topics."""
        self.describe = None if admin is None else describe_by(admin)

    def begun(self, topics: Callable[[], Collection[str]]) -> None:
        """A commit begins that writes these topics, which are asked for only if it takes long."""
        now, now_ms = self._clock.monotonic(), self._clock.now_ms()
        self.waiting = replace(self.waiting or Waiting(now, now_ms, topics), topics=topics)

    def aborted(self, reason: str) -> None:
        """The commit has failed; it is tried again."""
        waiting = self.waiting
        if waiting is not None:
            self.waiting = replace(waiting, reason=reason)

    def committed(self) -> None:
        """The commit has succeeded, or there is nothing left to commit here."""
        self.waiting = None

    def resume(self, before: Uncommitted | None) -> None:
        """Go on from what the worker could not commit that was here before this one, and has died."""
        if before is not None:
            since = self._clock.monotonic() - (self._clock.now_ms() - before.since_ms) / 1000
            self.waiting = Waiting(since, before.since_ms, lambda: before.topics, before.reason)

    @property
    def uncommitted(self) -> Uncommitted | None:
        """What has not been committed for a while, for `resume` in the next worker."""
        waiting = self.waiting
        if waiting is None or self._clock.monotonic() - waiting.since < _WHILE_SECONDS:
            return None
        return Uncommitted(waiting.since_ms, tuple(waiting.topics()), waiting.reason)

    def obstacle(self) -> str:
        """What has kept commits from succeeding for ten seconds; empty if nothing. To be called often."""
        waiting, now = self.waiting, self._clock.monotonic()
        if waiting is None or now - waiting.since < _ASK_AFTER_SECONDS:
            self._forget()
            return ""
        self._ask(waiting.topics, now)
        if now - waiting.since < _LATE_SECONDS:
            return ""
        text = not_committed_text(waiting.since_ms, waiting.topics(), self._troubles, waiting.reason)
        if self._logged is None or now - self._logged >= _LOG_SECONDS:
            self._logged = now
            _log.warning("commits do not succeed", extra={"loop": self._name, "what": text})
        return text

    def _forget(self) -> None:
        if self._logged is not None and self.waiting is None:
            _log.info("commits succeed again", extra={"loop": self._name})
            self._logged = None
        self._answers, self._troubles = None, []

    def _ask(self, topics: Callable[[], Collection[str]], now: float) -> None:
        if self._answers is not None and all(answer.done() for answer in self._answers.values()):
            self._troubles = [trouble for each in self._answers.items() for trouble in troubles(*each)]
            self._answers = None
        if self.describe is not None and self._answers is None and now - self._asked >= _ASK_SECONDS:
            self._asked = now
            self._answers = self.describe([*topics(), *_NEEDED_BY_ALL])


def troubles(topic: str, answer: "Future[Any]") -> Iterator[str]:
    """What may keep records from being written to a topic, by a cluster's answer."""
    try:
        partitions = answer.result().partitions
    except KafkaException as error:
        why: KafkaError = error.args[0]
        if why.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            if topic not in _NEEDED_BY_ALL:
                yield f"the topic {topic} is gone: create it again, with as many partitions as it had"
        elif why.code() not in _NOT_TOLD:
            yield f"the cluster says nothing of the topic {topic}: {why.str()}"
        return
    for partition in partitions:
        place, in_sync = f"{topic}[{partition.id}]", len(partition.isr)
        if partition.leader is None or partition.leader.id < 0:
            yield f"{place} has no leader: start the brokers that hold it"
        elif in_sync < len(partition.replicas):
            yield f"{place} has only {in_sync} of {len(partition.replicas)} replicas in sync"


def not_committed_text(since_ms: int, topics: Collection[str], found: Collection[str], reason: str) -> str:
    """What an operator is told when nothing is committed."""
    causes = list(found)[:_MOST_NAMED]
    if len(found) > _MOST_NAMED:
        causes.append(f"and {len(found) - _MOST_NAMED} more")
    if reason:
        causes.append(f"the last commit was aborted: {reason}")
    if not causes:
        causes.append("Kafka does not answer; see the brokers, and the log for what the client says of them")
    written = ", ".join(topics) or "only offsets"
    since = utc(since_ms)
    return f"nothing has been committed since {since}, of what is written to {written}: {'; '.join(causes)}"

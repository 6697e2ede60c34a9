"""Topic ids: whether a topic is still the one that it was, or was deleted and made anew under its name.

librdkafka goes on in the new topic at the offset of the old one, and says nothing.
"""

import logging
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from wallaroo.clock import Clock
from wallaroo.errors import KafkaSetupError
from wallaroo.kafka.retry import may_pass, retry

_log = logging.getLogger(__name__)

_INTERVAL_SECONDS = 2.0
_REQUEST_SECONDS = 10.0
_GONE_SECONDS = 5.0
# What a broker answers that knows no ids.
_NO_ID = "A" * 22

Answers = Mapping[str, "Future[Any]"]


def ask_topic_ids(admin: AdminClient, topics: Iterable[str]) -> dict[str, str]:
    """The ids that topics have now; without those that the cluster does not tell this client.

    Raises KafkaException if the cluster does not answer, even when asked again.
    """

    def ask() -> dict[str, str]:
        ids: dict[str, str] = {}
        for topic, answer in _request(admin, topics).items():
            try:
                topic_id = _id_in(answer)
            except KafkaException as error:
                if may_pass(error.args[0]):
                    raise
                _log.warning("topic id unknown", extra={"topic": topic, "error": error.args[0].str()})
                continue
            if topic_id is not None:
                ids[topic] = topic_id
        return ids

    return retry(ask)


def topic_watch(admin: AdminClient, topics: Iterable[str], clock: Clock) -> "TopicWatch":
    """A watch over topics as they are now; raises as `ask_topic_ids` does."""
    topics = list(topics)
    return TopicWatch(admin, {**dict.fromkeys(topics), **ask_topic_ids(admin, topics)}, clock)


class TopicWatch:
    """Asks now and then whether topics are still those with these ids; never waits for an answer.

    Without an id, a topic may be gone already, as where a worker died of that: then the first id is its own.
    """

    def __init__(self, admin: AdminClient, topic_ids: Mapping[str, str | None], clock: Clock) -> None:
        self._admin = admin
        self._topic_ids = dict(topic_ids)
        self._clock = clock
        self._asked = clock.monotonic()
        self._answers: Answers | None = None
        self._missing_since: dict[str, float] = {}

    def check(self) -> None:
        """To be called often. Raises KafkaSetupError if a topic is another one, or gone for a while."""
        now = self._clock.monotonic()
        if now - self._asked < _INTERVAL_SECONDS or not self._topic_ids:
            return
        if self._answers is not None:
            if not all(answer.done() for answer in self._answers.values()):
                return
            answers, self._answers = self._answers, None
            for topic, answer in answers.items():
                self._compare(topic, answer, now)
        self._asked = now
        self._answers = _request(self._admin, self._topic_ids)

    def _compare(self, topic: str, answer: "Future[Any]", now: float) -> None:
        try:
            found = _id_in(answer)
        except KafkaException as error:
            if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                since = self._missing_since.setdefault(topic, now)
                if now - since >= _GONE_SECONDS:
                    raise KafkaSetupError(
                        f"the topic {topic} is gone: someone has deleted it while the service was running; "
                        "start the service again, which says what is left and what to do"
                    ) from error
            return
        self._missing_since.pop(topic, None)
        if found is None:
            return
        known = self._topic_ids[topic] = self._topic_ids[topic] or found
        if found != known:
            raise KafkaSetupError(
                f"the topic {topic} was deleted and made anew while the service was running: its id was "
                f"{known} and is {found}, and the offsets of this group are not its own; "
                "start the service again, which says what to do"
            )


def _request(admin: AdminClient, topics: Iterable[str]) -> Answers:
    answers: Answers = admin.describe_topics(TopicCollection(list(topics)), request_timeout=_REQUEST_SECONDS)
    return answers


def _id_in(answer: "Future[Any]") -> str | None:
    topic_id = str(answer.result().topic_id)
    return None if topic_id == _NO_ID else topic_id

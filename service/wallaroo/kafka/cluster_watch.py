"""ClusterWatch: since when the cluster has not answered; it asks every second, and never waits."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from wallaroo.clock import Clock
from wallaroo.kafka.retry import may_pass

_INTERVAL_SECONDS = 1.0
_REQUEST_SECONDS = 2.0

Ask = Callable[[], "Future[Any]"]


class ClusterWatch:
    """What comes of one small request after the other; `look` is to be called often."""

    def __init__(self, ask: Ask, clock: Clock) -> None:
        self._ask = ask
        self._clock = clock
        self._asked: float | None = None
        self._answer: Future[Any] | None = None
        self._unanswered_since: float | None = None

    def look(self) -> None:
        """Note an answer that has come, and ask again if it is time."""
        now = self._clock.monotonic()
        if self._answer is not None and self._answer.done():
            self._unanswered_since = None if _is_answered(self._answer) else self._asked_first
            self._answer = None
        if self._answer is None and (self._asked is None or now - self._asked >= _INTERVAL_SECONDS):
            self._asked = now
            self._answer = self._ask()

    @property
    def _asked_first(self) -> float | None:
        return self._asked if self._unanswered_since is None else self._unanswered_since

    @property
    def silent_seconds(self) -> float:
        """How long ago the first request was sent that has not been answered; 0 if none is missing."""
        since = self._asked_first if self._answer is not None else self._unanswered_since
        return 0.0 if since is None else self._clock.monotonic() - since


def cluster_watch(admin: AdminClient, clock: Clock) -> ClusterWatch:
    """A watch that asks through this client."""
    return ClusterWatch(lambda: admin.describe_cluster(request_timeout=_REQUEST_SECONDS), clock)


def _is_answered(answer: "Future[Any]") -> bool:
    try:
        answer.result()
    except KafkaException as error:
        # A refusal is an answer too.
        return not may_pass(error.args[0])
    return True

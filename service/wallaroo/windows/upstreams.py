"""UpstreamClock: the watermark of a task behind a repartition topic, from what its upstream tasks report.

Rules for whoever edits this file:
1. The minimum over all upstreams is safe at any time. To leave idle ones out takes a question: where do
   their inputs end? If one ends behind its idle position, it has a backlog, and its next report is awaited.
2. A question is asked after the reports that it is to confirm were read, and confirms no later ones.
3. If all upstreams are idle, and their inputs end where they say, nothing is left to read here either: what
   they have sent lies before their reports, in the same transactions.

Why that holds over several hops: docs/decisions/0025-ask-before-an-idle-partition-is-left-out.md.
"""

from collections.abc import Iterable, Mapping

from wallaroo.record import Place, Question
from wallaroo.windows.watermark import (
    NEVER,
    NO_WATERMARK,
    RETRY_MS,
    UNKNOWN,
    Pause,
    WatermarkStatus,
)


class UpstreamClock:
    """The lowest watermark of the upstream tasks that are not idle.

    An upstream is called `<sub-topology>/<partition>`; `topics` are the input topics of the sub-topologies.
    `leads_on` says that another repartition topic is told of it, `horizon` how long windows may be open.
    """

    def __init__(
        self, expected: Iterable[str], topics: Mapping[str, str], horizon: int, *, leads_on: bool
    ) -> None:
        self._expected = frozenset(expected)
        self._topics = topics
        self._horizon = horizon
        self._leads_on = leads_on
        self._position = 0
        self._eof: int | None = None
        self.restore(NO_WATERMARK, {}, 0)

    def restore(self, own: WatermarkStatus, upstreams: Mapping[str, WatermarkStatus], position: int) -> None:
        """Reset to the committed statuses: the task's own, and those of its upstreams."""
        self.watermark = own.watermark
        self.idle, self.rests_at = own.idle, own.position
        # A sub-topology that was renamed sends nothing under its old name any more.
        self.upstreams = {name: status for name, status in upstreams.items() if self._knows(name)}
        self._silent = set(self._expected - self.upstreams.keys())
        self.pause = own.pause
        self._resumes = True
        self._checked = False
        self._position = position
        self._question: Question | None = None
        self._retry_ms = 0

    def update(self, upstream: str, status: WatermarkStatus) -> None:
        """Take the report of an upstream; one of a task that is no upstream any more is ignored."""
        if not self._knows(upstream):
            return
        before = self.upstreams.get(upstream, NO_WATERMARK)
        furthest = max(status.watermark, before.watermark)
        self.upstreams[upstream] = WatermarkStatus(furthest, status.idle, status.position)
        self._silent.discard(upstream)
        self._retry_ms = 0
        if status.rests_at != before.rests_at:
            self._question = None
        if not (status.idle and before.idle and furthest == before.watermark):
            self.pause = None
        self.idle = self.idle and status.idle
        if not self._silent:
            lowest = min(status.watermark for status in self.upstreams.values())
            self.watermark = max(self.watermark, lowest)

    def observe(self, now_ms: int, position: int, eof: int | None) -> None:
        """Take the time; `position` is the offset to read next, `eof` where the consumer last met the end."""
        self._position = position
        if eof != self._eof:
            self._eof, self._retry_ms = eof, 0
        if self._resumes and self.pause is not None:
            self.pause = self.pause.resumed(now_ms)
        self._resumes = False

    @property
    def all_idle(self) -> bool:
        return not self._silent and all(status.idle for status in self.upstreams.values())

    def due_ms(self, wanted: int | None) -> int | None:
        """When to ask next, None if time alone changes nothing; `wanted` is the next watermark to matter."""
        idle = [status for status in self.upstreams.values() if status.idle]
        if self._silent or not idle or any(status.position == UNKNOWN for status in idle):
            return None
        if not self.all_idle:
            return self._retry_ms if wanted is not None and self._furthest_now() >= wanted else None
        if self._leads_on and (not self.idle or self._is_stale):
            return self._retry_ms
        if wanted is None:
            return None
        if self.pause is None or not self.idle:
            return self._retry_ms
        return None if self.pause.base == NEVER else max(self._retry_ms, self.pause.reaches(wanted))

    def ask(self, now_ms: int) -> Question:
        places = {self._place(name): s.position for name, s in self.upstreams.items() if s.idle}
        self._question = Question(
            now_ms, self._position, self._furthest_now(), places, of_input=self.all_idle
        )
        return self._question

    def answer(self, question: Question, end: int | None, ends: Mapping[Place, int | None]) -> None:
        """Leave idle upstreams out if their inputs ended where they were read to; None: nobody could say."""
        if question is not self._question:
            return
        self._question = None
        unread = any(ends[place] != position for place, position in question.upstreams.items())
        if unread or (question.of_input and (end is None or question.position != self._position)):
            self._retry_ms = question.asked_ms + RETRY_MS
            return
        self.watermark = max(self.watermark, question.watermark)
        if not question.of_input:
            return
        if self.pause is None:
            self.pause = Pause(self.watermark, question.asked_ms)
        elif self.pause.base != NEVER:
            elapsed = min(self.pause.elapsed(question.asked_ms), self._horizon)
            self.watermark = max(self.watermark, self.pause.base + elapsed)
        self.idle, self._checked = True, True
        self.rests_at = UNKNOWN if end is None else end

    def _furthest_now(self) -> int:
        """How far the watermark gets without those that are idle; if all are, to the furthest of them."""
        active = [status.watermark for status in self.upstreams.values() if not status.idle]
        return min(active) if active else max(status.watermark for status in self.upstreams.values())

    @property
    def _is_stale(self) -> bool:
        """Whether the own input may end elsewhere than an idle status says."""
        return not self._checked or (self._eof is not None and self._eof > self.rests_at)

    def _place(self, upstream: str) -> Place:
        sub_topology, _, number = upstream.rpartition("/")
        return self._topics[sub_topology], int(number)

    def _knows(self, upstream: str) -> bool:
        sub_topology, _, number = upstream.rpartition("/")
        return sub_topology in self._topics and number.isdecimal()

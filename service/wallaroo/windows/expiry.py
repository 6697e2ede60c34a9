"""Expiry: which keys of a stage with a time to live (`ttl`) are to be removed, in event time.

Rules for whoever edits this file:
1. What a record finds does not depend on when a key is removed: the stage asks of a key that is still there
   whether it could be gone.
2. A record costs nothing here, unless its key is new. A key has one entry, which may be out of date: what
   counts is what the store says when its turn comes. If the key has had records since, the entry moves on.
   It stays where user code deletes the state: a key that is deleted and comes again needs no second one.
3. A commit removes a bounded number of keys; the next one goes on.
4. A rollback reads nothing again: it puts back the entries that were taken since the last commit.
"""

from heapq import heappop, heappush

from wallaroo.errors import StoredValueError
from wallaroo.state.aged import NONE_YET, UNKNOWN_AGE, Aged, latest_in
from wallaroo.state.store import KeyedStore
from wallaroo.topology.steps import late_allowance
from wallaroo.windows.watermark import NEVER, OutputWatermark

# The least that one commit may remove.
_KEYS_A_COMMIT = 10_000
# A key is filed under a span of time this much shorter than its ttl: an entry takes 8 bytes instead of 100.
_SPANS_IN_A_TTL = 100
# The span of keys whose age has to be noted first.
_AT_ONCE = NEVER


class Expiry:
    """When the keys of one stage in one task end; `level` has the stage's own watermark.

    `preceding_delay` is what that is behind the task's.
    """

    def __init__(self, store: KeyedStore, ttl: int, level: OutputWatermark, preceding_delay: int) -> None:
        self.ttl = ttl
        # A state is found until the watermark is further than this beyond the latest event time.
        self._allowance = late_allowance(ttl)
        self.kept = ttl + self._allowance
        self.level = level
        self.preceding_delay = preceding_delay
        # What counts as the latest event time of a key whose own is not known.
        self.since: int | None = None
        self._store = store
        self._span = max(1, ttl // _SPANS_IN_A_TTL)
        self._filed: dict[int, list[bytes]] = {}
        self._spans: list[int] = []
        # The keys of spans that have begun, by the time at which they end.
        self._next: list[tuple[int, bytes]] = []
        self._taken: list[tuple[int, bytes]] = []
        # Keys whose states were deleted, and which still have an entry.
        self._deleted: set[bytes] = set()

    def has_missed(self, event_time: int, watermark: int) -> bool:
        """Whether a record is so far behind the watermark that its key may have been removed before it."""
        return event_time + self._allowance < watermark

    def build(self, watermark: int) -> None:
        """File every key that is stored; this is the watermark of the task."""
        if watermark != NEVER:
            self.since = watermark - self.preceding_delay
        for key, data in self._store.items():
            try:
                self._file(key, latest_in(data))
            except StoredValueError:
                # Raises, or puts aside what is stored.
                self._store.touch(key)
                self._store.end(key)

    def roll_back(self) -> None:
        """Go back to the last commit: what has been removed since is there again."""
        for span, key in self._taken:
            self._put(span, key)
        self._taken = []
        # The entry may be that of a record that will fail, and moves no clock: nothing may wait for its time.
        self._deleted.clear()

    def add(self, key: bytes, latest: int) -> None:
        """Note a new key."""
        if key in self._deleted:
            self._deleted.remove(key)
        else:
            self._file(key, latest)

    def keep_entry(self, key: bytes) -> None:
        """Note that the state of a key is deleted by user code."""
        self._deleted.add(key)

    def know_age(self, aged: Aged, event_time: int) -> None:
        """Give a state whose age is not known that of the start; before the first event, that of this one."""
        if aged.latest == UNKNOWN_AGE:
            aged.latest = event_time if self.since is None else self.since

    @property
    def next_due(self) -> int | None:
        """The next watermark of the stage at which there may be something to do."""
        begins = [self._spans[0]] if self._spans else []
        return min([*begins, *(due for due, _ in self._next[:1])], default=None)

    @property
    def is_due(self) -> bool:
        watermark = self.level.watermark
        if watermark == NEVER:
            return False
        return bool(
            (self._spans and self._spans[0] <= watermark) or (self._next and self._next[0][0] <= watermark)
        )

    def remove_due(self, records: int) -> None:
        """Remove keys that have ended, at most as many as there were records, or 10,000."""
        self._taken = []
        if not self.is_due:
            return
        if self.since is None:
            self.since = self.level.watermark
        most = max(records, _KEYS_A_COMMIT)
        for span, key in self._take(most):
            self._taken.append((span, key))
            self._remove_or_move(key)

    def _take(self, most: int) -> list[tuple[int, bytes]]:
        """Keys that may have ended, each once, with the span to put them back to."""
        watermark, taken = self.level.watermark, dict[bytes, int]()
        while self._next and self._next[0][0] <= watermark and len(taken) < most:
            due, key = heappop(self._next)
            taken[key] = due
        while self._spans and self._spans[0] <= watermark and len(taken) < most:
            span = self._spans[0]
            keys = self._filed[span]
            count = min(len(keys), most - len(taken))
            taken.update(dict.fromkeys(keys[-count:], span))
            del keys[-count:]
            if not keys:
                heappop(self._spans)
                del self._filed[span]
        return [(span, key) for key, span in taken.items()]

    def _remove_or_move(self, key: bytes) -> None:
        latest = self._latest(key)
        if latest is None or latest == NONE_YET:
            self._deleted.discard(key)
            return
        if latest == UNKNOWN_AGE:
            aged = self._store.touch(key)
            self.know_age(aged, self.level.watermark)
            latest = aged.latest
        due = latest + self.kept + 1
        if due <= self.level.watermark:
            self._store.end(key)
            self._deleted.discard(key)
        elif self._span_of(due) <= self.level.watermark:
            heappush(self._next, (due, key))
        else:
            self._put(self._span_of(due), key)

    def _latest(self, key: bytes) -> int | None:
        live = self._store.live(key)
        if live is not None:
            latest: int = live.latest
            return latest
        stored = self._store.get(key)
        return None if stored is None else latest_in(stored)

    def _file(self, key: bytes, latest: int) -> None:
        self._put(_AT_ONCE if latest == UNKNOWN_AGE else self._span_of(latest + self.kept + 1), key)

    def _span_of(self, due: int) -> int:
        """The begin of the span of a time, which its keys are filed under."""
        return due - due % self._span

    def _put(self, span: int, key: bytes) -> None:
        keys = self._filed.get(span)
        if keys is None:
            keys = self._filed[span] = []
            heappush(self._spans, span)
        keys.append(key)

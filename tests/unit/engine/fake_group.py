"""A consumer and tasks that are short and honest: for tests of the loop without Kafka."""

from collections import defaultdict
from types import SimpleNamespace

from confluent_kafka import TopicPartition

from wallaroo.engine.restore import Restoration
from wallaroo.engine.transaction import COMMITTED, Commit, CommitResult
from wallaroo.record import Batch, Partition

TOPIC = "in"
# So many polls in vain, and everything has been committed.
_ENOUGH_IDLING = 30
_GIVEN_BACK_AFTER = 3


class Record:
    """A message, as far as the loop looks at it."""

    def __init__(self, partition: int, offset: int) -> None:
        self.partition = lambda: partition
        self.offset = lambda: offset
        self.error = lambda: None


class FakeConsumer:
    """Two partitions; a rebalance strikes whenever a script says so, in the middle of a list too.

    `script` has an entry for every record that could come next: None, or the partition to revoke and to
    give back three entries later. `on_end`, to be set, is called when it is over and nothing is left to read.
    """

    def __init__(self, ends, offsets, script):
        self.ends = ends
        self._offsets = offsets
        self._positions = {}
        self._paused = set()
        self._script = [*script, *[None] * _GIVEN_BACK_AFTER]
        self._owed = []
        self._idle = 0

    def subscribe(self, _topics, on_assign, on_revoke, on_lost):
        self._on_assign, self._on_revoke = on_assign, on_revoke
        on_assign(self, [TopicPartition(TOPIC, number) for number in self.ends])

    def unsubscribe(self):
        self._on_revoke(self, [TopicPartition(TOPIC, number) for number in self._positions])

    def consume(self, most, _timeout):
        records = []
        while len(records) < most and (self._script or not records):
            self._strike()
            record = self._next()
            if record is None:
                self._idle += 1
                if self._idle > _ENOUGH_IDLING and not self._script:
                    self.on_end()
                break
            self._idle = 0
            records.append(record)
        return records

    def poll(self, _timeout):
        return next(iter(self.consume(1, 0)), None)

    def committed(self, partitions, timeout):
        return [
            TopicPartition(tp.topic, tp.partition, self._offsets.get(tp.partition, 0)) for tp in partitions
        ]

    def get_watermark_offsets(self, tp, timeout=0, cached=False):
        return 0, self.ends[tp.partition]

    def incremental_assign(self, starts):
        self._positions.update({tp.partition: tp.offset for tp in starts})

    def incremental_unassign(self, partitions):
        for tp in partitions:
            del self._positions[tp.partition]

    def pause(self, partitions):
        self._paused |= {tp.partition for tp in partitions}

    def resume(self, partitions):
        self._paused -= {tp.partition for tp in partitions}

    def seek(self, tp):
        assert tp.partition in self._positions
        self._positions[tp.partition] = tp.offset

    def consumer_group_metadata(self):
        return None

    def close(self):
        pass

    def _strike(self):
        if not self._script:
            return
        wanted = self._script.pop(0)
        if self._owed:
            due, number = self._owed[0]
            if due >= len(self._script):
                self._owed.pop(0)
                self._on_assign(self, [TopicPartition(TOPIC, number)])
        if wanted in self._positions:
            self._owed.append((len(self._script) - _GIVEN_BACK_AFTER, wanted))
            self._on_revoke(self, [TopicPartition(TOPIC, wanted)])

    def _next(self):
        for number, position in sorted(self._positions.items(), key=lambda at: at[1]):
            if number not in self._paused and position < self.ends[number]:
                self._positions[number] += 1
                return Record(number, position)
        return None


class FakeTask:
    """Notes the offsets it is given; what it has noted since the last commit can be rolled back."""

    def __init__(self, partition, start):
        self.partition, self.next_offset, self.stores = partition, start, {}
        self.timeline = SimpleNamespace(
            due_ms=None, take_control_records=lambda: 0, is_idle=False, watermark=None
        )
        self.committed_offset, self._noted = start, []

    @property
    def pending_records(self):
        return len(self._noted)

    def follow(self, _found, *, commit_start):
        pass

    def settle(self):
        pass

    def observe(self, _now_ms, _eof):
        """Time means nothing to it."""

    def process(self, records):
        fresh = [r.offset() for r in records if r.offset() >= self.next_offset]
        self._noted += [("out", offset) for offset in fresh]
        self.next_offset = max([self.next_offset, *(offset + 1 for offset in fresh)])

    def collect(self):
        noted, self._noted = self._noted, []
        return Batch(self.partition, self.next_offset, len(noted), 0, noted, [], {}, {}) if noted else None

    def committed(self, batch):
        self.committed_offset = batch.next_offset

    def rollback(self):
        self._noted, self.next_offset = [], self.committed_offset
        return self.committed_offset


class FakeRestorer:
    """Has restored everything by the next turn: there are no stores."""

    def __init__(self):
        self.restoring = {}
        self.stops = {}

    def start(self, starts, _admin):
        for tp in starts:
            self.restoring[tp.partition] = Restoration(Partition(tp.topic, tp.partition), tp.offset, {})

    def cancel(self, number):
        self.restoring.pop(number, None)

    def take_restored(self):
        taken = list(self.restoring.values())
        self.restoring.clear()
        return taken


class FakeWriter:
    """Commits, but aborts those whose turn `aborted` names; `results` is what readers see."""

    def __init__(self, aborted):
        self.results = defaultdict(list)
        self.offsets = {}
        self.aborted = set(aborted)
        self._turn = 0

    def __call__(self, commit: Commit) -> CommitResult:
        self._turn += 1
        if self._turn in self.aborted:
            return CommitResult(committed=False, reason="so says the test")
        for batch in commit.batches:
            self.results[batch.partition.number] += [offset for _topic, offset in batch.outputs]
            self.offsets[batch.partition.number] = batch.next_offset
        return COMMITTED

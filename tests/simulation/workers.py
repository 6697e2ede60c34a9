"""A worker of the simulation: the engine's own loops, with clients of the in-memory Kafka.

Nothing runs by itself: `turn` is one turn of a loop, and what a worker does in other threads, a commit and a
restore, goes on when it is told to.
"""

from enum import IntEnum
from functools import partial

from tests.simulation.broker import Member
from tests.simulation.clients import Admin, Consumer, GroupConsumer, Turns
from wallaroo.engine.commit_cycle import Clients
from wallaroo.engine.end_offsets import ask_broker
from wallaroo.engine.loop import Loop
from wallaroo.engine.restore import Restorer
from wallaroo.engine.starting import start_decider, watch_topics
from wallaroo.engine.task_group import TaskFactory
from wallaroo.engine.transaction import exactly_once, no_probe
from wallaroo.settings import Settings
from wallaroo.task.context import application_context
from wallaroo.task.stores import new_stores


class WorkerDiedError(Exception):
    """A worker died in the middle of a call."""


class Stage(IntEnum):
    """How far a commit has come that a loop waits for."""

    SUBMITTED = 0
    WRITTEN = 1
    ACCEPTED = 2
    ANSWERED = 3


class PendingCommit:
    """A commit in its thread, in the form of a future; it goes on stage by stage.

    `how` is asked, when the transaction is written, at which call Kafka refuses it. A loop that cannot wait
    for the result gets it at once, or dies (`dies`).
    """

    def __init__(self, write, commit, running):
        self.stage = Stage.SUBMITTED
        self._write, self._commit, self._running = write, commit, running
        self._result = self._error = None

    def done(self):
        return self.stage is Stage.ANSWERED

    def result(self, _timeout):
        while not self.done():
            if self._running.world.dies_waiting(self._running):
                raise WorkerDiedError
            self.go_on(self._running.world.refused_at())
        if self._error is not None:
            raise self._error
        return self._result

    def go_on(self, refused_at):
        """Go on to the next stage."""
        if self.stage is Stage.SUBMITTED:
            self._running.turns.fails_at = refused_at
            try:
                self._result = self._write(self._commit)
            except Exception as error:
                self._error = error
        elif self.stage is Stage.WRITTEN:
            for transaction in self._running.broker.last_of(self._running.turns.ids):
                if transaction.wanted is not None:
                    self._running.broker.accept(transaction, commit=transaction.wanted)
        self.stage = Stage(self.stage + 1)


class CommitThread:
    """In the place of the executor of a CommitCycle."""

    def __init__(self, running):
        self.pending = None
        self._running = running

    def submit(self, write, commit):
        self.pending = PendingCommit(write, commit, self._running)
        return self.pending

    def shutdown(self, wait):
        """There is no thread."""


class SteppedRestorer(Restorer):
    """A Restorer whose polls come one by one."""

    def __init__(self, *args):
        super().__init__(*args)
        self.running = []

    def _begin(self, restorations, admin):
        self.running.append(self._restore(restorations, admin, 0.0))

    def go_on(self, polls, rotation=0):
        """So many polls of the restore that has begun first."""
        for _ in range(polls):
            if not self.running:
                return
            self._go_on(self.running[rotation % len(self.running)])

    def _go_on(self, restore):
        try:
            next(restore)
        except StopIteration:
            self.running.remove(restore)
        except BaseException as error:  # handed to the loop, as a Restorer's thread does
            self.running.remove(restore)
            self._results.put(error)


class RunningLoop:
    """One loop of a worker, and its clients."""

    def __init__(self, world, sub, worker):
        self.world, self.broker = world, world.broker
        self.name = f"{sub.name}@{worker}"
        self.group = world.broker.groups[sub.group]
        self._sub, self._worker = sub, worker
        self._settings = world.settings
        self._clock = world.clock
        member_id = f"{sub.group}-{worker}"
        self.member = Member(member_id)
        self.turns = Turns(self.broker, (member_id, f"{member_id}-b"))
        self.admin = Admin(self.broker)
        self.consumer = GroupConsumer(self.broker, self.group, self.member)
        self.loop = self._new_loop(world)
        self._request_ends = ask_broker(self.admin)
        self.loop.join(Clients(self.consumer, self.admin, self._writer()))
        self.thread = CommitThread(self)
        self.loop._cycle._thread = self.thread
        self.loop._cycle.wait = lambda _seconds: None
        self._logs = [self.broker.logs[sub.input.topic, n] for n in range(self.group.partitions)]
        # All that a turn could have found when the last one found nothing.
        self._at_rest = None

    def _writer(self):
        return exactly_once(self.turns, no_probe, lambda _batches, _error: None)

    def _new_loop(self, world):
        app, sub = world.app, self._sub
        context = application_context(
            app.codecs.values,
            world.partitions,
            app.topology.dead_letters,
            "dead_letter",
            "fail",
            exactly_once=True,
        )
        watch_topics(sub, context, self._settings, self.admin, self._clock)
        decider = start_decider(sub, app.topology, self._settings, context, self._open_consumer)
        self.restorer = SteppedRestorer(
            {store.name: store.changelog for store in sub.stores},
            partial(new_stores, sub, app.codecs.state),
            self._open_consumer,
            decider.decide_restored,
            no_probe,
            "" if sub.positions is None else sub.positions.changelog,
        )
        return Loop(sub, self._settings, TaskFactory(sub, context), self.restorer, lambda: None, self._clock)

    def _open_consumer(self):
        return Consumer(self.broker)

    @property
    def pending_commit(self):
        """The commit in progress; None if its loop does not wait for one."""
        current = self.loop._cycle._current
        return None if current is None else current[1]

    @property
    def is_at_rest(self):
        """Whether a turn would do nothing: the last one did nothing, and there is nothing new."""
        ends = self.loop._ends
        is_due = ends._request is not None or ends._next_look <= self._clock.monotonic()
        return not is_due and self._at_rest == self._found()

    def _found(self):
        group, pending = self.group, self.pending_commit
        return (
            *[log.stable_end for log in self._logs],
            group.generation,
            sorted(self.member.target),
            sorted(group.owners),
            len(group.unstable),
            self.member.is_expired,
            len(self.restorer.running),
            self.restorer._results.qsize(),
            pending,
            None if pending is None else pending.stage,
            [(task.next_offset, task.timeline.is_idle) for task in self.loop.tasks],
            self.loop.tasks.pending_records,
            dict(self.loop._ends._seen),
        )

    def turn(self, most, rotation, *, dry, fetches_first):
        """One turn of `Loop.run`, in which `most` records are read."""
        loop, consumer = self.loop, self.consumer
        consumer.budget, consumer.rotation, consumer.fetches_first = most, rotation, fetches_first
        before, consumer.returned = self._found(), 0
        loop._start_restored()
        loop._poll_and_process()
        loop._close_windows(self._request_ends)
        loop._cycle.commit_if_due(dry=dry)
        self._at_rest = before if most and dry and not consumer.returned else None


def new_settings(**values):
    """Commits come when the schedule says so."""
    return Settings(commit_linger_ms=0, commit_interval_ms=600_000, embedded_broker=False, **values)

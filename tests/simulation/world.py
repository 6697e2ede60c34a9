"""The world of one schedule: the in-memory Kafka, two workers, and a clock that moves with the steps."""

import logging
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache, partial

from tests.simulation.applications import BEGIN_MS, failed_once
from tests.simulation.broker import Broker
from tests.simulation.schedule import STEP_MS, WORKERS, Step, pause_of
from tests.simulation.workers import RunningLoop, WorkerDiedError, new_settings
from wallaroo.clock import ManualClock
from wallaroo.errors import CommitError
from wallaroo.testing.topology_lookup import partition_counts

# At which call Kafka refuses a transaction: mostly at none.
_REFUSED_AT = ("", "", "", "", "", "offsets", "flush", "commit")
_MOST_ROUNDS = 80
# How often the clock moves on for windows that are open: one behind a hop whose clock was kept needs four.
_CLOSINGS = 8
_settings = lru_cache(maxsize=None)(lambda every: new_settings(commit_every=every))


class NotSettledError(Exception):
    """Records are left that nobody processes, though nothing is wrong any more."""


@contextmanager
def quiet():
    """Aborts and rewinds are daily bread here, and not worth a line."""
    log = logging.getLogger("wallaroo")
    before, log.disabled, level = log.disabled, True, log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        log.disabled = before
        log.setLevel(level)


class World:
    """Runs the steps of one plan; `say` gets a line for each thing that happens."""

    def __init__(self, plan, say=None):
        self.app, self.plan = plan.app, plan
        self.say = say
        self.partitions = partition_counts(self.app.topology, plan.partitions)
        self.broker = Broker(self.partitions, {sub.group: sub.input.topic for sub in self.app.subs})
        self.clock = ManualClock(BEGIN_MS)
        self.settings = _settings(plan.commit_every)
        # What is in the input, by partition, in order, with the time that it got.
        self.input = {number: [] for number in range(self.partitions["in"])}
        self.workers = [None] * WORKERS
        self._step = Step("round", 0, 0, 0)
        self._unsent = list(plan.sent)
        self._settling = False
        self._do = {
            name.removeprefix("_do_"): getattr(self, name) for name in dir(self) if name.startswith("_do_")
        }

    def run(self):
        """Do all steps; then let everything come to rest."""
        failed_once.clear()
        self._feed(self.plan.before)
        for number in range(WORKERS):
            self._start(number)
        for _ in range(self.plan.warm_up):
            self._round()
        for step in self.plan.steps:
            self._step = step
            self.clock.advance(STEP_MS)
            self._do[step.kind](step)
        self._settle()

    def refused_at(self):
        """At which call the transaction is refused that a loop waits for."""
        return "" if self._settling else _REFUSED_AT[self._step.chance % 8]

    def dies_waiting(self, running):
        """Whether the worker dies while its loop waits for a commit."""
        dies = not self._settling and self._step.chance >= 60
        if dies and self.say:
            self.say(f"{running.name} dies waiting for its commit")
        return dies

    @property
    def running(self):
        return [each for worker in self.workers if worker for each in worker]

    def _chosen(self, step, among=None):
        found = self.running if among is None else among
        return found[step.which % len(found)] if found else None

    def _do_turn(self, step):
        running = self._chosen(step)
        if running is not None:
            most, rotation = step.how % 8, step.how // 8
            dry, fetches_first = step.chance % 4 > 0, step.chance // 8 % 4 == 0
            if most:
                self._turn(running, most, rotation, dry=dry, fetches_first=fetches_first)
            else:
                self._turn_in_vain(running)

    def _turn_in_vain(self, running):
        """Turns that read nothing: a broker is out of reach, for a while."""
        for rotation in (0, 1, 0):
            if running in self.running:
                self._turn(running, 0, rotation, dry=False, fetches_first=False)

    def _do_commit(self, step):
        pending = [
            each
            for each in self.running
            if each.pending_commit is not None and not each.pending_commit.done()
        ]
        running = self._chosen(step, pending)
        if running is not None:
            for _ in range(1 + step.how % 3):
                self._go_on(running, _REFUSED_AT[step.chance % 8])

    def _go_on(self, running, refused_at):
        pending = running.pending_commit
        if pending is not None and not pending.done():
            refused = f", refused at {refused_at}" if refused_at and pending.stage == 0 else ""
            pending.go_on(refused_at)
            if self.say:
                self.say(f"the commit of {running.name} is {pending.stage.name.lower()}{refused}")

    def _do_marker(self, step):
        ending = self.broker.ending
        if ending:
            transaction = ending[step.which % len(ending)]
            if self.say:
                self.say(f"a marker of {transaction.owner[0]}'s transaction {transaction.order} is written")
            self.broker.write_marker(transaction, step.how)

    def _do_restore(self, step):
        running = self._chosen(step, [each for each in self.running if each.restorer.running])
        if running is not None:
            polls = 1 + step.how % 3
            if self.say:
                self.say(f"{running.name} restores: {polls} polls")
            running.restorer.go_on(polls, step.chance)

    def _do_feed(self, step):
        self._feed(1 + step.how % 8)

    def _do_clock(self, step):
        pause, outage = pause_of(step), step.chance % 4 == 0
        if self.say:
            self.say(
                f"the clock moves by {pause} ms{', and no record can be read meanwhile' if outage else ''}"
            )
        self.clock.advance(pause)
        for running in self.running if outage else ():
            self._turn_in_vain(running)

    def _do_rebalance(self, step):
        group = self._chosen(step, list(self.broker.groups.values()))
        if self.say:
            self.say(f"{group.name} gives out its partitions anew")
        group.rebalance(step.how)

    def _do_expire(self, step):
        groups = self.broker.groups.values()
        member = self._chosen(step, [(group, each) for group in groups for each in group.members])
        if member is not None:
            group, expired = member
            if self.say:
                self.say(f"the session of {expired.name} is over")
            expired.is_expired = True
            group.remove(expired)

    def _do_crash(self, step):
        number = step.which % WORKERS
        if self.workers[number]:
            self._crash(number, "crashes")

    def _do_stop(self, step):
        number = step.which % WORKERS
        worker = self.workers[number]
        if worker:
            if self.say:
                self.say(f"worker {number} stops")
            for running in worker:
                if not self._call(running, running.loop.leave):
                    return
            self.workers[number] = None

    def _do_start(self, step):
        number = step.which % WORKERS
        if not self.workers[number]:
            self._start(number)

    def _do_compact(self, step):
        changelogs = [store.changelog for sub in self.app.subs for store in sub.stores]
        # Kafka keeps a tombstone for a day, so that who has read the value before it sees it go.
        is_restoring = any(running.restorer.running for running in self.running)
        for topic in changelogs:
            for number in range(self.partitions[topic]):
                self.broker.logs[topic, number].compact(tombstones=step.how % 2 == 0 and not is_restoring)
        if self.say:
            self.say("changelogs are compacted")

    def _do_timeout(self, step):
        self._time_out(late=step.how % 2 == 0)

    def _time_out(self, *, late):
        """Kafka ends what the producers of dead workers have left open."""
        living = {each for running in self.running for each in running.turns.ids}
        if self.broker.time_out(living, late=late) and self.say:
            self.say(
                f"transactions of dead workers end{', by late requests if there are any' if late else ''}"
            )

    def _do_round(self, _step):
        self._round()

    def _feed(self, most):
        """Write so many records of the input that are left."""
        fed, self._unsent = self._unsent[:most], self._unsent[most:]
        is_live = self.app.is_live or not self.app.is_timed
        for each in fed:
            sent = replace(each, time=self.clock.now_ms() + each.time) if is_live else each
            log = self.broker.logs["in", sent.partition]
            self.input[sent.partition].append((log.end, sent))
            if self.say:
                self.say(f"in[{sent.partition}]@{log.end}: {sent.value!r}")
            log.append(sent.key.encode(), sent.value, sent.time)

    def _start(self, number):
        if self.say:
            self.say(f"worker {number} starts")
        names = {f"{sub.group}-{number}" for sub in self.app.subs}
        for group in self.broker.groups.values():
            for member in [each for each in group.members if each.name in names]:
                # A static member that comes back.
                group.remove(member)
        self.workers[number] = [RunningLoop(self, sub, number) for sub in self.app.subs]

    def _crash(self, number, how):
        if self.say:
            self.say(f"worker {number} {how}")
        self.workers[number] = None

    def _turn(self, running, most, rotation, *, dry, fetches_first):
        if self.say:
            offsets = [(task.partition.number, task.next_offset) for task in running.loop.tasks]
            self.say(
                f"{running.name} takes a turn, {most} records, tasks at {offsets}{', dry' if dry else ''}"
            )
        running.admin.looks = rotation % 3
        self._call(running, partial(running.turn, most, rotation, dry=dry, fetches_first=fetches_first))

    def _call(self, running, function):
        """Call into a loop; an error that ends a worker ends it. Returns whether it still lives."""
        try:
            function()
        except (WorkerDiedError, CommitError) as error:
            number = next(n for n, worker in enumerate(self.workers) if worker and running in worker)
            self._crash(number, f"ends: {error!r}")
            return False
        return True

    def _round(self):
        """Everything goes on by itself, once: turns, commits, markers and restores."""
        for running in self.running:
            if not running.is_at_rest and running in self.running:
                self._turn(running, 50, 0, dry=True, fetches_first=False)
        for running in self.running:
            while running.pending_commit is not None and not running.pending_commit.done():
                self._go_on(running, "")
        while self.broker.ending:
            self.broker.complete(self.broker.ending[0], None)
        for running in self.running:
            running.restorer.go_on(8)

    def _settle(self):
        """Nothing happens any more; whatever has been begun is ended, and all records are processed."""
        self._settling = True
        if self.say:
            self.say("-- nothing happens any more")
        self._feed(len(self._unsent))
        if not any(self.workers):
            self._start(0)
        self._time_out(late=False)
        for group in self.broker.groups.values():
            for member in list(group.members):
                if not any(running.member is member for running in self.running):
                    group.remove(member)
        self._run_dry()
        if self.app.is_timed:
            for _ in range(_CLOSINGS):
                if not self._has_open_windows():
                    break
                self.clock.advance(2 * self.app.windows_for_ms)
                self._run_dry()

    def _has_open_windows(self):
        timelines = [task.timeline for running in self.running for task in running.loop.tasks]
        return any(timers.heap for timeline in timelines for timers in timeline.timers.values())

    def _run_dry(self):
        """Rounds until nothing is left to do."""
        # A question of a clock is answered a round later.
        still, enough = 0, 1 + self.app.is_timed
        for _ in range(_MOST_ROUNDS):
            before = self._progress()
            # A partition without input reports its clock until its windows are over; that is no rest.
            self.clock.advance(max(3 * STEP_MS, self.app.windows_for_ms // 20))
            self._round()
            still = still + 1 if self._progress() == before else 0
            if still >= enough and not self._is_busy():
                break
        else:
            raise NotSettledError(f"no rest after {_MOST_ROUNDS} rounds: {self._described()}")

    def _progress(self):
        logs = sum(log.end for log in self.broker.logs.values())
        return logs, [len(running.loop.tasks) for running in self.running]

    def _is_busy(self):
        return any(
            running.pending_commit is not None
            or running.restorer.running
            or running.loop.tasks.pending_records
            for running in self.running
        ) or any(
            sum(len(running.loop.tasks) for running in self.running if running.group is group)
            != group.partitions
            or any(self._lags(group, number) for number in range(group.partitions))
            for group in self.broker.groups.values()
        )

    def _lags(self, group, number):
        offset, _ = group.committed.get(number, (0, None))
        return self.broker.logs[group.topic, number].has_from(offset)

    def _described(self):
        return "; ".join(
            f"{group.topic}[{number}] at {group.committed.get(number, ('no offset',))[0]} "
            f"of {self.broker.logs[group.topic, number].end}"
            for group in self.broker.groups.values()
            for number in range(group.partitions)
        )

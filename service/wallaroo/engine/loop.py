"""The loop of one sub-topology in one worker: poll, process, commit.

One thread runs all of it, the group's callbacks included. Only a commit and a restore wait elsewhere. A
partition stays paused until its task exists. Messages of a partition without a task are dropped: they were
fetched for an assignment that is over, and will be fetched again.
"""

import math
import threading
from collections.abc import Callable, Mapping, Sequence

from confluent_kafka import Message, TopicPartition

from wallaroo.clock import Clock
from wallaroo.engine.commit_cycle import Clients, CommitCycle, new_watch
from wallaroo.engine.end_offsets import EndOffsets, RequestEnds, ask_broker
from wallaroo.engine.metrics import LoopMetrics
from wallaroo.engine.pacing import CommitPacing, PollSize
from wallaroo.engine.restore import Restorer, naming_offsets
from wallaroo.engine.task_group import TaskFactory, TaskGroup
from wallaroo.kafka.errors import Event
from wallaroo.kafka.group_member import Assigned, GroupMember, OffsetReset
from wallaroo.observability.health import LoopStatus, Uncommitted
from wallaroo.settings import Settings
from wallaroo.topology.model import SubTopology

_IDLE_SECONDS = 0.1
# How long to wait for a commit in progress before the input is polled again.
_COMMIT_POLL_SECONDS = 0.005
_METRICS_SECONDS = 1.0
_STUCK_SECONDS = 240
# A message of a repartition topic may hold a hundred records.
_FIRST_BATCHES = 10


class Loop:
    """Runs the tasks of one sub-topology until told to stop; `open_clients` is called in its own thread."""

    def __init__(
        self,
        sub: SubTopology,
        settings: Settings,
        new_task: TaskFactory,
        restorer: Restorer,
        open_clients: Callable[[], Clients],
        clock: Clock,
    ) -> None:
        self.name = sub.name
        self.metrics = LoopMetrics(sub.name)
        self.restorer = restorer
        self.tasks = TaskGroup(new_task, self._seek, self._await_commit, has_batches=not sub.input.is_source)
        self._future = new_task.future
        self._is_timed = sub.timing is not None
        self._topic = sub.input.topic
        self._group = sub.group
        self._settings = settings
        self._clock = clock
        self._open_clients = open_clients
        self._stopping = threading.Event()
        self._poll_size = PollSize(settings.consume_batch, 0 if sub.input.is_source else _FIRST_BATCHES)
        self._processing_since: float | None = None
        self.has_batches = not sub.input.is_source
        windows = f"windows of {sub.input.topic} that the clock closes"
        self._slow = self.metrics.watch_user_code(
            sub.input.topic, new_task.stages, clock, self.tasks.in_progress, windows
        )
        self._metrics_updated = clock.monotonic()
        self._ends = EndOffsets(self._topic, clock, settings.bootstrap_servers)
        self._commits = new_watch(sub.name, clock)
        reset: OffsetReset = "earliest" if sub.input.is_internal else settings.auto_offset_reset
        self._member = GroupMember(
            self._topic, settings, reset, self, {"sub_topology": sub.name}, new_task.partitions
        )

    def resume(self, before: Uncommitted | None) -> None:
        self._commits.resume(before)

    def stop(self) -> None:
        self._stopping.set()

    def status(self) -> LoopStatus:
        restoring = len(self.restorer.restoring)
        partitions = len(self.tasks) + restoring
        since, problem, slow = self._processing_since, None, self.metrics.look_for_slow()
        if since is not None and self._clock.monotonic() - since >= _STUCK_SECONDS:
            problem = f"user code has been running on one list of records for over {_STUCK_SECONDS} s"
        obstacle = slow or self._member.obstacle or self._commits.obstacle() or self._ends.obstacle
        uncommitted = self._commits.uncommitted
        return LoopStatus(
            self.name, self._member.answered, partitions, restoring, True, problem, obstacle, uncommitted
        )

    def done(self) -> Mapping[tuple[str, int], int]:
        """Up to where each partition is done; for the thread that measures lags.

        What has been processed and is not committed is still to be done; behind the last record, there are
        only markers up to the end that was seen.
        """
        found = {}
        for task in self.tasks:
            number, committed, next_offset = task.partition.number, task.committed_offset, task.next_offset
            done = committed if committed < next_offset else max(next_offset, self._ends.last(number))
            found[self._topic, number] = done
        return found

    def records_in(self, message: Message) -> int:
        return self.tasks.records_in(message)

    def run(self) -> None:
        """Run until stopped; then commit what has been processed, and leave."""
        self._slow.thread = threading.get_ident()
        clients = self._open_clients()
        self.join(clients)
        request_ends = ask_broker(clients.admin)
        with self._member.leaving_if_refused(), naming_offsets(self.restorer, self._admin):
            while not self._stopping.is_set():
                if clients.watch is not None:
                    clients.watch.check()
                self._start_restored()
                dry = self._poll_and_process()
                self._close_windows(request_ends)
                self._cycle.commit_if_due(dry=dry)
                self._update_metrics()
        self.leave()

    def join(self, clients: Clients) -> None:
        """Join the group; what is polled from now on is processed and committed with these clients."""
        self._admin = clients.admin
        now, settings = self._clock.monotonic(), self._settings
        interval, linger = settings.commit_interval_ms / 1000, settings.commit_linger_ms / 1000
        pacing = CommitPacing(interval, linger, settings.commit_every, started=now, ended=now)
        self._cycle = CommitCycle(self.tasks, clients, pacing, self.metrics, self._clock, self._commits)
        self._member.join(clients.consumer, self._group)

    def leave(self) -> None:
        """Commit what has been processed, and leave the group."""
        self._cycle.commit_and_wait()
        for task in self.tasks:
            task.settle()
        self._cycle.commit_and_wait()
        self._member.leave()
        self._cycle.close()

    def _poll_and_process(self) -> bool:
        """Process what can be read now; True if there was nothing more to read."""
        self.tasks.rewound.clear()
        size = self._poll_size.value
        messages = self._poll(size)
        if self._is_timed:
            self._future.update(self._clock.now_ms())
        dry = len(messages) < size
        events = [message for message in messages if message.error() is not None]
        if events:
            for event in events:
                self._on_event(event)
            messages = [message for message in messages if message.error() is None]
        numbers = {message.partition() or 0 for message in messages}
        for number in numbers:
            alone = len(numbers) == 1
            its_own = messages if alone else [m for m in messages if m.partition() == number]
            self._processing_since = started = self._clock.monotonic()
            self._slow.work = started, number
            processed = self.tasks.process(number, its_own)
            self._processing_since = self._slow.work = None
            if processed is None:
                continue
            seconds = self._clock.monotonic() - started
            offsets = (its_own[0].offset() or 0, (its_own[-1].offset() or 0) + 1)
            self.metrics.slice_done(self._topic, number, offsets, processed, seconds)
            self._poll_size.took(len(its_own), processed.records, seconds)
            if processed.rewind is not None:
                self.tasks.rewind(processed.rewind)
        return dry

    def _close_windows(self, request_ends: RequestEnds) -> None:
        """Let the wall clock move event time; user code may run."""
        if self._is_timed:
            self._slow.work = self._clock.monotonic(), None
        self._ends.advance_wall_clock(self.tasks, request_ends)
        self._slow.work = None

    def _poll(self, most: int) -> list[Message]:
        """Return what is there. If nothing is, wait for the commit in progress, or else for a message."""
        consumer = self._member.consumer
        messages = consumer.consume(most, 0)
        if messages:
            return messages
        if self._cycle.in_progress:
            self._cycle.wait(_COMMIT_POLL_SECONDS)
            return consumer.consume(most, 0)
        linger = self._cycle.seconds_to_linger()
        wait = min(_IDLE_SECONDS if linger is None else linger, self._ends.seconds_to_look())
        # The client counts in whole milliseconds, and rounds down.
        timeout_seconds = math.ceil(wait * 1000) / 1000
        first = consumer.poll(timeout_seconds) if timeout_seconds else None
        return [] if first is None else [first, *consumer.consume(most - 1, 0)]

    def _start_restored(self) -> None:
        """Make tasks of the partitions whose stores have been restored, and let them be read."""
        restored = self.restorer.take_restored()
        if restored:
            self._future.update(self._clock.now_ms())
        for restoration in restored:
            task = self.tasks.start(restoration.partition, restoration.start, restoration.stores)
            task.follow(restoration.changelogs, commit_start=restoration.commit_start)
            self.metrics.restored(restoration)
        if restored:
            self._member.resume([TopicPartition(self._topic, r.partition.number, r.start) for r in restored])

    def _seek(self, number: int, offset: int) -> None:
        self._ends.forget(number)
        self._member.seek(number, offset)

    def _await_commit(self) -> None:
        self._cycle.await_result()

    def on_assigned(self, starts: Sequence[Assigned]) -> None:
        """Restore the stores of partitions that are new here."""
        for tp in starts:
            self._ends.forget(tp.partition)
        self.restorer.start(starts, self._admin)

    def on_revoked(self, partitions: list[TopicPartition]) -> None:
        """Commit what has been processed before the partitions move."""
        self._cycle.commit_and_wait()
        self._drop(partitions)

    def on_lost(self, partitions: list[TopicPartition]) -> None:
        """Drop what has been processed."""
        self._drop(partitions)
        self._cycle.await_result()

    def on_rebalanced(self) -> None:
        """Wake the client: a rebalance pauses its partitions, and it checks them only once a second."""
        self.metrics.rebalanced(len(self.tasks) + len(self.restorer.restoring))
        for task in self.tasks:
            self.tasks.seek_again(task)

    def _drop(self, partitions: list[TopicPartition]) -> None:
        # What of theirs was not committed is for others to commit.
        self._commits.committed()
        for tp in partitions:
            self.tasks.drop(tp.partition)
            self.restorer.cancel(tp.partition)
        self.metrics.revoked(partitions)

    def _on_event(self, message: Message) -> None:
        number = message.partition() or 0
        match self._member.classify(message):
            case Event.END_OF_PARTITION:
                # Of a task that is to read from elsewhere by now, this is no end.
                if self.tasks.get(number) is not None and number not in self.tasks.rewound:
                    self._ends.reached(number, message.offset() or 0)
            case Event.OUT_OF_RANGE:
                task = self.tasks.get(number)
                if task is not None:
                    offset = task.next_offset
                    self._cycle.commit_and_wait()
                    task.move_to(self._member.out_of_range(number, offset))
                    self.tasks.seek_again(task)

    def _update_metrics(self) -> None:
        now = self._clock.monotonic()
        if now - self._metrics_updated >= _METRICS_SECONDS:
            self._metrics_updated = now
            self.metrics.restoring(self.restorer.restoring.values())
            now_ms = self._clock.now_ms()
            for task in self.tasks:
                self.metrics.update(task, now_ms)
            self._ends.watch(self.tasks, self._member.consumer, self.restorer.stops)
            settled = self._member.answered and not self.restorer.restoring and not self._cycle.in_progress
            if settled and not self.tasks.pending_records and all(map(self._ends.is_reached, self.tasks)):
                self._commits.committed()

"""ApplicationDriver: run an application in memory, on the real topology and tasks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from types import ModuleType
from typing import Any, NamedTuple, TypeVar

from wallaroo.api.pipeline import Application
from wallaroo.clock import ManualClock, SystemClock
from wallaroo.errors import WallarooError, WallarooParameterError
from wallaroo.record import ANY_PARTITION, Partition
from wallaroo.testing.calling import UserCode
from wallaroo.testing.group import Group, new_groups
from wallaroo.testing.logs import DeadLetter, Headers, Logs, Record, limits_of_topics, unpack_batches
from wallaroo.testing.sources import Sources
from wallaroo.testing.topology_lookup import outbox_of, partition_counts, source_named, stage_of, state_of
from wallaroo.topology.compile import compile_topology
from wallaroo.topology.describe import Format, describe
from wallaroo.topology.timing import with_idle_timeout, with_max_future

Text = str | bytes | None
T = TypeVar("T")

_MOST_LOOKS = 20


class Turn(NamedTuple):
    """A task that has something to read: its sub-topology, and the topic and partition that it reads."""

    sub_topology: str
    topic: str
    partition: int


Order = Callable[[Sequence[Turn]], Turn]


def _round_robin() -> Order:
    served = count()
    return lambda turns: turns[next(served) % len(turns)]


@dataclass(frozen=True, slots=True)
class Pace:
    """The schedule of a driver: how it interleaves tasks and commits.

    `slice_size` is the maximum number of records that a task gets at once, as from one poll. A sub-topology
    commits when it has processed `commit_every` records; with None, when `run` finds nothing more to read.
    `order` chooses the next `Turn` from those that have something to read; the default takes them in turn.
    The tasks of a sub-topology look at the clock after each of its turns, and at no other time in `step`.

    Example:

    >>> import random
    >>> from wallaroo.testing import Pace
    >>> shuffled = Pace(slice_size=1, commit_every=3, order=random.Random(7).choice)
    """

    slice_size: int = 100
    commit_every: int | None = None
    order: Order = field(default_factory=_round_robin)


class ApplicationDriver:
    """Runs an application on in-memory topics, without a broker or sleep.

    `partitions` is the number for every topic, or a mapping for some of them; the others have 4. `on_error`,
    `on_unreadable_state`, `max_message_bytes`, `idle_timeout_ms` and `max_future_ms` are the settings of
    these names; with None for the last, any time in the future is taken. What is too large for its topic
    makes a commit fail: the records are processed again, and the one that led to it becomes a dead letter.

    The clock of the driver begins at 0. How far ahead an event time is, is measured
    against the time of day, in milliseconds since the Unix epoch, by default that of the machine when the
    driver is made; `time_of_day_ms` sets it, and `advance` moves it. `module` is that of `application_setup`:
    its `serialize` and `deserialize`, if it has them, are used, and so are those of the module whose
    `application_setup` has made the application; `args` is what the `...CLIParser` configurations read. The
    model is the `TopologyTestDriver` of Kafka Streams, with partitions, commits and crashes.

    User code runs as in a service: not in the thread that has imported it, but in one for each sub-topology,
    in a copy of the context in which the driver was made. After Ctrl-C in a call, make a new driver.

    Raises TopologyError if the application cannot be compiled, WallarooParameterError for an unknown topic.

    Example:

    >>> from wallaroo.testing import ApplicationDriver
    >>> @wallaroo.decoder()
    ... def decode(bs):
    ...     return bs.decode()
    >>> @wallaroo.encoder
    ... def encode(word):
    ...     return word.upper()
    >>> source = wallaroo.source("words", wallaroo.KafkaSourceConfig("words", decoder=decode))
    >>> pipeline = source.to_sink(wallaroo.KafkaSinkConfig("shouts", encoder=encode))
    >>> driver = ApplicationDriver(wallaroo.build_application("shout", pipeline))
    >>> driver.send("words", "hello")
    >>> driver.run()
    >>> driver.read("shouts")
    [b'HELLO']
    """

    def __init__(  # noqa: PLR0913 - what a service is told by options, each with a default
        self,
        application: Application,
        partitions: int | Mapping[str, int] = 4,
        on_error: str = "dead_letter",
        pace: Pace | None = None,
        module: ModuleType | None = None,
        args: Sequence[str] = (),
        *,
        idle_timeout_ms: int | None = None,
        max_future_ms: int | None = 1_800_000,
        time_of_day_ms: int | None = None,
        on_unreadable_state: str = "fail",
        max_message_bytes: int = 10_485_760,
    ) -> None:
        self._code = UserCode(application, args, module)
        codecs = self._code.codecs
        self.topology = compile_topology(application, args=args)
        self._pace = pace or Pace()
        self._clock = ManualClock()
        counts = partition_counts(self.topology, partitions)
        limits = limits_of_topics(counts, self.topology.dead_letters, max_message_bytes)
        self._logs = Logs(counts, limits)
        self._sources = Sources(self.topology.generators, codecs, self._logs, self._clock)
        subs = [
            with_max_future(with_idle_timeout(sub, idle_timeout_ms), max_future_ms)
            for sub in self.topology.sub_topologies
        ]
        policies = on_error, on_unreadable_state
        self._groups = new_groups(self.topology, subs, self._logs, self._clock, codecs, policies)
        self._time_of_day = ManualClock(SystemClock().now_ms() if time_of_day_ms is None else time_of_day_ms)
        self._update_time_of_day()

    def send(
        self,
        topic: str,
        value: Text,
        key: Text = None,
        timestamp_ms: int | None = None,
        headers: Headers = (),
        partition: int | None = None,
    ) -> None:
        """Write a record to a source topic, by default now and to the partition of its key; str as UTF-8.

        Raises WallarooParameterError if no source reads the topic.
        """
        sources = [source.topic for source in self.topology.sources]
        if topic not in sources:
            raise WallarooParameterError(f"no source reads {topic!r}; the sources read {', '.join(sources)}")
        now = self._clock.now_ms() if timestamp_ms is None else timestamp_ms
        number = ANY_PARTITION if partition is None else partition
        self._logs.append((topic, _bytes(value), _bytes(key), number, None, None, now, headers))

    def send_frames(self, source: str, data: bytes, connection: int = 0) -> None:
        """Write bytes to a TCP source, given by its name, over one of its connections.

        Raises WallarooParameterError if there is no such source, and FramingError for a header at which the
        source closes the connection: frames before it are received, and the next call opens a new one.
        """
        ingest = source_named(source, self.topology.ingests, "TCP source")
        self._code.call(ingest.name, self._sources.send_frames, ingest, data, connection)

    def generate(self, source: str, values: int) -> int:
        """Let the generator of a source make up to `values` values, and return how many it made.

        They are written together with its position, so that a crash neither repeats nor skips one.

        Raises WallarooParameterError if there is no such generator.
        """
        generator = source_named(source, self.topology.generators, "generator")
        return self._code.call(generator.name, self._sources.generate, generator, values)

    def run(self) -> None:
        """Process and commit until every record has been read.

        Raises StopProcessing if a record fails and `on_error` is stop.
        """
        self._update_event_time()
        while self._turns() or any(group.unfinished for group in self._groups.values()):
            if not self.step(self._pace.slice_size):
                self.commit()
            if not self._turns():
                self._update_event_time()

    def step(self, records: int = 1) -> int:
        """Process up to `records` records and return how many; only `commit_every` makes it commit.

        A sub-topology reads what another writes only when that is committed.

        Raises StopProcessing if a record fails and `on_error` is stop.
        """
        done = 0
        while done < records and (turns := self._turns()):
            turn = self._pace.order(turns)
            done += self._process(turn, min(records - done, self._pace.slice_size))
        return done

    def begin_commit(self) -> None:
        """Begin to commit everything processed; `commit` or `abort` ends it.

        `step` can process more in between, as a service does while it waits for Kafka.

        Raises WallarooError after Ctrl-C.
        """
        self._call_all(Group.begin_commit)

    def commit(self) -> None:
        """Commit everything processed, beginning with the commit in progress, if any.

        Raises WallarooError after Ctrl-C.
        """
        for group in self._groups.values():
            # A call of another thread takes longer than a small commit.
            if group.unfinished:
                self._call(group, Group.commit)

    def abort(self) -> None:
        """Abort the commit in progress and roll back; all since the last commit is processed again.

        Raises WallarooError after Ctrl-C.
        """
        self._call_all(Group.abort)

    def crash(self) -> None:
        """Crash the service: what is not committed is lost, and state is restored from the changelogs.

        What the modules of the application keep in variables is as it was when the driver was made. The first
        crash of an application also lets two new processes import its module and call `application_setup`.

        Raises TopologyError if these do not give the same names, which a service refuses; WallarooError after
        Ctrl-C.
        """
        self._code.crash()
        self._sources.crash()
        for group in self._groups.values():
            group.crash()

    def advance(self, milliseconds: int) -> None:
        """Move the clock, which closes windows of idle partitions; the next commit writes their output."""
        self._look()
        self._clock.advance(milliseconds)
        self._time_of_day.advance(milliseconds)
        self._update_time_of_day()
        self._look()

    def read(self, sink: str) -> list[bytes | None]:
        """Return the values of `records(sink)`. Raises WallarooParameterError if there is no such topic."""
        return [record.value for record in self.records(sink)]

    def records(self, sink: str) -> list[Record]:
        """Return the committed records of a topic, in the order of their commits.

        The topic may be internal; for the TCP sink at `host:port` or a topic of another cluster, it is the
        outbox. Records in one record batch of a repartition topic share its offset.

        Raises WallarooParameterError if there is no such topic.
        """
        topic = outbox_of(self.topology, sink) or sink
        if topic not in self._logs.partitions:
            topics = ", ".join(sorted(self._logs.partitions))
            raise WallarooParameterError(f"there is no topic {sink!r}; there are {topics}")
        records = self._logs.records(topic)
        return unpack_batches(records) if topic in self.topology.repartitions else records

    def dead_letters(self) -> list[DeadLetter]:
        """Return the dead letters, in the order of their commits."""
        return [DeadLetter.of(record) for record in self.records(self.topology.dead_letters)]

    def state(self, stage: str, key: str | bytes | int | None = None) -> Any:
        """Return a copy of the committed state of a stage for a key, or None if there is none yet.

        `key` is left out for a stage with one state for the whole stream. Range windows return their open
        windows as a dict from the begin in nanoseconds to the accumulator, a count window the number of its
        messages and their accumulator.

        Raises WallarooParameterError if no such stage keeps state.
        """
        sub, step = stage_of(self.topology, stage)
        group = self._groups[sub.name]
        return self._code.call(sub.name, lambda: state_of(step, group.stored(step.store.name), key))

    def describe(self, format: Format = "text") -> str:  # noqa: A002 - as the command's option
        """Return the topology as `wallaroo describe` prints it: as text, json or mermaid."""
        return describe(self.topology, format)

    def _turns(self) -> list[Turn]:
        self._code.check_not_interrupted()
        groups = self._groups.items()
        return [Turn(name, at.topic, at.number) for name, group in groups for at in group.ready]

    def _process(self, turn: Turn, most: int) -> int:
        group, at = self._groups[turn.sub_topology], Partition(turn.topic, turn.partition)
        return self._call(group, _process, at, most, self._pace.commit_every)

    def _call(self, group: Group, function: Callable[..., T], *args: Any) -> T:
        """Call a function in the thread of a group; crash with every error that would end a worker."""
        try:
            return self._code.call(group.sub.name, function, group, *args)
        except WallarooError:
            # What is not committed is lost.
            self.crash()
            raise

    def _call_all(self, function: Callable[[Group], None]) -> None:
        for group in self._groups.values():
            self._call(group, function)

    def _update_event_time(self) -> None:
        """Let tasks notice which partitions are empty or idle: no record says it."""
        if any(group.sub.timing is not None for group in self._groups.values()):
            self._look()
            self.commit()

    def _update_time_of_day(self) -> None:
        for group in self._groups.values():
            group.update_time_of_day(self._time_of_day.now_ms())

    def _look(self) -> None:
        self._call_all(_look)


def _process(group: Group, at: Partition, most: int, commit_every: int | None) -> int:
    done = group.process(at, most)
    group.look()
    if commit_every is not None and group.pending_records >= commit_every:
        group.commit()
    return done


def _look(group: Group) -> None:
    """Let the tasks of a group look at the time until they know what they have asked."""
    # A task that is rolled back asks again; then its records have to be read first.
    for _ in range(_MOST_LOOKS):
        if not group.look():
            break


def _bytes(text: Text) -> bytes | None:
    return text.encode() if isinstance(text, str) else text

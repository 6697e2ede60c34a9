"""Run: one plan on a real Kafka, from the first record to the verdict. It ends whatever it has started."""

import random
import threading
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any, NamedTuple
from zlib import crc32

from confluent_kafka import IsolationLevel, KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from scripts.kafka.broker import KafkaBroker
from tests.faults.checker import Span, Verdict, longest_stall
from tests.faults.finished import Progress, memory_mib, open_places
from tests.faults.judge import judge
from tests.faults.outcome import SETTLED, Outcome
from tests.faults.plan import Kind, Plan
from tests.faults.shapes import SHAPES, Shape, closers
from tests.faults.witness import Witness
from tests.kafka.cluster import Sent, create_topic, end_offsets, produce, read_topic, wait_until
from tests.kafka.delivering import Receiver
from tests.kafka.load import Feed, feeding
from tests.kafka.lost_ends import feed_until_ended, skipped
from tests.kafka.proxy import FaultyProxy
from tests.kafka.scenario import PARTITIONS, Scenario
from tests.kafka.service import ServiceProcess
from tests.kafka.tail import Tail

RECORDS_PER_SECOND = 6_000
READY_SECONDS = 120
STOP_SECONDS = 60
MORE = 400
# Windows that hours-old records fill must not be closed by the clock; those of records that are new may.
IDLE_MS = {"windows": 3_600_000, "clock": 5_000}
# Their last windows wait for the clock, a minute and more, as they should.
WAITING = ("windows", "clock")
SETTINGS = {"session_timeout_ms": 6_000}
TOO_LONG = {
    KafkaError._TIMED_OUT,
    KafkaError._TRANSPORT,
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
}


class Site(NamedTuple):
    """Where runs take place: brokers; for a single one its proxy, and its disk if that is small."""

    brokers: Sequence[KafkaBroker]
    proxy: FaultyProxy | None = None
    disk: Path | None = None

    @property
    def servers(self) -> str:
        return ",".join(broker.bootstrap_servers for broker in self.brokers)


class Run:
    """What a kind of fault works on."""

    def __init__(self, plan: Plan, kind: Kind, site: Site, folder: Path) -> None:
        self.plan, self.kind, self.folder = plan, kind, folder
        self.rng = random.Random(f"load {plan.seed} {kind.name}")  # noqa: S311 - chance, not secrets
        self.shape: Shape = SHAPES[plan.variant.shape]
        self.site, self.brokers = site, site.brokers
        self.faults = self.memory_mib = 0
        self.away: list[Span] = []
        self.receiver = Receiver()
        self._log_begins = [len(broker.log()) for broker in self.brokers]
        self._arrivals: list[float] = []
        # When the last record of the load was written.
        self._fed = float("inf")
        self.scenario = self._scenario(f"{plan.kind}-{plan.seed}")
        # Kept: an admin client that is garbage drops its requests.
        self.admin = AdminClient({"bootstrap.servers": site.servers, "log_level": 0})
        self.may_end: set[ServiceProcess] = set()
        self.anew_from: list[Mapping[int, int]] = []
        self.feed: Feed | None = None

    def __call__(self) -> Outcome:
        """Run it; whatever goes wrong is in the outcome."""
        ended, forgiven, verdict, records, alerts = SETTLED, 0, Verdict(), 0, 0
        try:
            self._create_topics()
            witness = Witness(self.scenario.servers, self.scenario.in_topic)
            with self._watching(), witness.reading():
                self._torment()
                forgiven = self._settle()
            verdict, records, alerts = judge(self)
            changed = witness.changed(read_topic(self.scenario.servers, self.scenario.in_topic))
            if changed:
                verdict = Verdict()
                ended = (
                    f"not judged: Kafka has changed {len(changed)} records of the input, {changed[:3]} first"
                )
            elif verdict.wrong:
                ended = f"wrong: {'; '.join(verdict.wrong)}"
        except (TimeoutError, TimeoutExpired) as error:
            ended = f"hung: {error}"
            with suppress(Exception):
                verdict, records, alerts = judge(self)
        except (AssertionError, KafkaException, OSError) as error:
            traceback.print_exc()
            ended = f"{_kind_of(error)}: {type(error).__name__}: {str(error)[:300]}"
        finally:
            self._dispose()
        arrivals = [at for at in self._arrivals if at <= self._fed or self.shape.name not in WAITING]
        stall = round(longest_stall(arrivals, self.away), 1)
        return Outcome(
            seed=self.plan.seed,
            kind=self.plan.kind,
            variant=str(self.plan.variant),
            faults=self.faults,
            records=records,
            alerts=alerts,
            lost=verdict.lost,
            doubled=verdict.doubled,
            out_of_order=verdict.out_of_order,
            repeated=verdict.repeated,
            longest_stall_seconds=stall,
            memory_mib=self.memory_mib,
            forgiven=forgiven,
            ended=ended,
        )

    @contextmanager
    def nothing_can_arrive(self) -> Iterator[None]:
        """While the body runs, a stall is nobody's fault: brokers or the receiver are away."""
        begin = time.monotonic()
        try:
            yield
        finally:
            self.away.append((begin, time.monotonic()))

    def launch(self, **settings: Any) -> ServiceProcess:
        """One more service."""
        return self.scenario.launch(**settings)

    def begin_anew(self) -> None:
        """All results until now are of a life that is over; nothing runs at this moment."""
        ends = end_offsets(self.scenario.servers, self.scenario.out_topic, IsolationLevel.READ_UNCOMMITTED)
        self.anew_from.append(ends)

    @property
    def broker(self) -> KafkaBroker:
        """The only one."""
        (broker,) = self.brokers
        return broker

    @property
    def proxy(self) -> FaultyProxy:
        """In front of the only broker."""
        assert self.site.proxy is not None
        return self.site.proxy

    def living(self) -> list[ServiceProcess]:
        return [service for service in self.scenario.services if service.running]

    def kill_a_worker(self, number: int) -> None:
        """One of those that live, if there is one."""
        services = [service for service in self.living() if service.worker_pids()]
        if services:
            services[number % len(services)].kill_worker(random.Random(number))  # noqa: S311

    def received_bytes(self) -> int:
        """How much the TCP receiver has read."""
        return sum(map(len, list(self.receiver.connections)))

    def load(self, count: int) -> list[Sent]:
        """Records of this shape."""
        if self.kind.load is not None:
            return list(self.kind.load(self, count))
        records = self.shape.load(self.rng, count)
        if not self.kind.placed:
            return records
        return [replace(sent, partition=crc32(str(sent.key).encode()) % PARTITIONS) for sent in records]

    def send(self, records: Sequence[Sent]) -> None:
        """More of them, beside what is fed anyway."""
        produce(self.scenario.servers, self.scenario.in_topic, records)

    def _scenario(self, name: str) -> Scenario:
        settings = {
            **SETTINGS,
            "group_protocol": self.plan.variant.protocol,
            "processing_guarantee": self.plan.variant.guarantee,
            **self.kind.settings,
        }
        if self.shape.name in IDLE_MS:
            settings["idle_timeout_ms"] = IDLE_MS[self.shape.name]
        arguments = [*self.shape.arguments]
        if self.shape.name == "tcp-sink":
            arguments.append(f"--receiver={self.receiver.port}")
        application = self.shape.application
        return Scenario(self.site.servers, name, self.folder, settings, arguments, application=application)

    def _create_topics(self) -> None:
        servers, out = self.scenario.servers, 1 if self.shape.name == "generator" else PARTITIONS - 1
        create_topic(servers, self.scenario.in_topic, PARTITIONS)
        create_topic(servers, self.scenario.out_topic, out)

    def _torment(self) -> None:
        (self.kind.start or start_two_workers)(self)
        records = self.load(round(RECORDS_PER_SECOND * self.plan.seconds))
        begin = time.monotonic()
        with feeding(self.scenario.servers, self.scenario.in_topic, records, self.plan.seconds) as self.feed:
            for fault in self.plan.faults:
                time.sleep(max(0.0, begin + fault.at_seconds - time.monotonic()))
                self.faults += 1
                self.kind.inject(self, fault)
        self._fed = time.monotonic()
        self._quiet()
        if self.shape.name == "windows":
            produce(self.scenario.servers, self.scenario.in_topic, closers(PARTITIONS))

    def _quiet(self) -> None:
        if self.site.proxy is not None:
            self.site.proxy.quiet()

    def _settle(self) -> int:
        """Wait until everything has been processed, then stop; returns how many lost ends were forgiven."""
        scenario = self.scenario
        if not self.living():
            scenario.launch()
        for service in self.living():
            service.wait_ready(READY_SECONDS)
        forgiven = len(
            {at for at in skipped(self._broker_log()) if at[0].startswith(scenario.application_id)}
        )
        if forgiven and self.shape.name != "windows":
            feed_until_ended(scenario.servers, self._broker_log, self._send_more)
        progress = Progress(scenario, self.shape)
        with closing(progress):
            wait_until(lambda: progress.is_done(self._found), self.plan.settle_seconds)
        for service in self.living():
            service.wait_ready(READY_SECONDS)
        self.memory_mib = max(map(memory_mib, self.living()), default=0)
        for service in self.living():
            service.terminate()
        for service in scenario.services:
            service.wait(STOP_SECONDS)
        wait_until(lambda: not open_places(scenario) - skipped(self._broker_log()), self.plan.settle_seconds)
        bad = [s.log.name for s in scenario.services if s.wait(0) > 0 and s not in self.may_end]
        assert not bad, f"these services ended by themselves: {', '.join(bad)}"
        return forgiven

    def _found(self) -> int:
        """How many results there are."""
        if self.shape.name == "tcp-sink":
            return sum(brought.count(b"\n") for brought in list(self.receiver.connections))
        tail = self.scenario.tail(self.scenario.out_topic)
        if not self.anew_from:
            return len(tail.messages)
        return sum(each.offset() >= self.anew_from[-1][each.partition()] for each in tail.messages)

    def _send_more(self) -> None:
        produce(self.scenario.servers, self.scenario.in_topic, self.load(MORE))

    def _broker_log(self) -> str:
        """What the brokers have said since the run began."""
        logs = zip(self.brokers, self._log_begins, strict=True)
        return "".join(broker.log()[begin:] for broker, begin in logs)

    @contextmanager
    def _watching(self) -> Iterator[None]:
        """Note when results arrive, while the body runs and until the last of them is there."""
        tail = self.scenario.tail(self.scenario.out_topic)
        done = threading.Event()
        thread = threading.Thread(target=self._watch, args=(tail, done), daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
            with suppress(TimeoutError):
                tail.read_to_end()

    def _watch(self, tail: Tail, done: threading.Event) -> None:
        known = 0
        while not done.is_set():
            there = tail.poll()
            if self.shape.name == "tcp-sink":
                there = self.received_bytes()
            if there > known:
                known = there
                self._arrivals.append(time.monotonic())

    def _dispose(self) -> None:
        for service in self.scenario.services:
            service.kill_all()
        for tail in self.scenario.tails.values():
            tail.close()
        self._quiet()
        self.receiver.stop()


def _kind_of(error: Exception) -> str:
    """Whether it took too long, as it may on a busy machine, or failed."""
    is_slow = isinstance(error, KafkaException) and error.args[0].code() in TOO_LONG
    return "hung" if is_slow else "failed"


def start_two_workers(run: Run) -> None:
    """One service, ready."""
    run.launch(workers=2).wait_ready(READY_SECONDS)

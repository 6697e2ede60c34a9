"""Run: one plan on a real Kafka, from the first record to the verdict. It ends whatever it has started."""

import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from scripts.kafka.broker import KafkaBroker
from tests.faults.checker import Span, Verdict, check, check_dead, check_states, longest_stall
from tests.faults.finished import Progress, open_places, states_in
from tests.faults.plan import AT_LEAST_ONCE, Kind, Plan
from tests.faults.shapes import CLOSER, SHAPES, Shape, closers, sorted_out, without_states
from tests.kafka.cluster import Sent, create_topic, produce, read_topic, wait_until
from tests.kafka.delivering import Receiver
from tests.kafka.load import Feed, feeding
from tests.kafka.lost_ends import feed_until_ended, skipped
from tests.kafka.model import shown
from tests.kafka.proxy import FaultyProxy
from tests.kafka.scenario import PARTITIONS, Scenario
from tests.kafka.service import ServiceProcess
from tests.kafka.tail import Tail

RECORDS_PER_SECOND = 1_500
SETTLE_SECONDS = 240
READY_SECONDS = 120
STOP_SECONDS = 60
MORE = 400
SETTINGS = {"session_timeout_ms": 6_000}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is written down of a run."""

    seed: int
    kind: str
    variant: str
    faults: int
    records: int
    alerts: int
    lost: int
    doubled: int
    out_of_order: int
    repeated: int
    longest_stall_seconds: float
    forgiven: int
    ended: str

    @property
    def is_right(self) -> bool:
        return self.ended == "settled" and not (self.lost or self.doubled or self.out_of_order)


class Site(NamedTuple):
    """Where runs take place: brokers, and a proxy in front of the first where there is one."""

    brokers: Sequence[KafkaBroker]
    proxy: FaultyProxy | None = None

    @property
    def servers(self) -> str:
        return ",".join(broker.bootstrap_servers for broker in self.brokers)


class Run:
    """What a kind of fault works on."""

    def __init__(self, plan: Plan, kind: Kind, site: Site, folder: Path) -> None:
        self.plan, self.kind, self.folder = plan, kind, folder
        self.rng = random.Random(f"load {plan.seed} {kind.name}")  # noqa: S311 - chance, not secrets
        self.shape: Shape = SHAPES[plan.variant.shape]
        self.brokers, self._proxy, self._servers = site.brokers, site.proxy, site.servers
        self.faults = 0
        self.away: list[Span] = []
        self.receiver = Receiver()
        self._log_begins = [len(broker.log()) for broker in self.brokers]
        self._arrivals: list[float] = []
        self._watched = threading.Event()
        # Not the seeded generator: topics of a run before may not be gone yet.
        name = f"{plan.kind}-{plan.seed}-{random.SystemRandom().randrange(10**6)}"
        self.scenario = self._scenario(name)
        self.feed: Feed | None = None

    def __call__(self) -> Outcome:
        """Run it; whatever goes wrong is in the outcome."""
        ended, forgiven, verdict, records, alerts = "settled", 0, Verdict(), 0, 0
        try:
            self._create_topics()
            with self._watching():
                self._torment()
                forgiven = self._settle()
            verdict, records, alerts = self._check()
            if verdict.wrong:
                ended = f"wrong: {'; '.join(verdict.wrong)}"
        except TimeoutError as error:
            ended = f"hung: {error}"
            with suppress(Exception):
                verdict, records, alerts = self._check()
        except (AssertionError, KafkaException, OSError) as error:
            ended = f"failed: {type(error).__name__}: {str(error)[:300]}"
        finally:
            self._dispose()
        stall = round(longest_stall(self._arrivals, self.away), 1)
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

    @property
    def broker(self) -> KafkaBroker:
        """The only one."""
        (broker,) = self.brokers
        return broker

    @property
    def proxy(self) -> FaultyProxy:
        """In front of the only broker."""
        assert self._proxy is not None
        return self._proxy

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
        if self.shape.name == "windows":
            settings["idle_timeout_ms"] = 3_600_000
        arguments = [*self.shape.arguments]
        if self.shape.name == "tcp-sink":
            arguments.append(f"--receiver={self.receiver.port}")
        application = self.shape.application
        return Scenario(self._servers, name, self.folder, settings, arguments, application=application)

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
        self._quiet()
        if self.shape.name == "windows":
            produce(self.scenario.servers, self.scenario.in_topic, closers(PARTITIONS))

    def _quiet(self) -> None:
        if self._proxy is not None:
            self._proxy.quiet()

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
            wait_until(lambda: progress.is_done(self._found), SETTLE_SECONDS)
        for service in self.living():
            service.wait_ready(READY_SECONDS)
        for service in self.living():
            service.terminate()
        codes = [service.wait(STOP_SECONDS) for service in scenario.services if service.running]
        assert not any(codes), f"services ended with {codes}"
        wait_until(lambda: not open_places(scenario) - skipped(self._broker_log()), SETTLE_SECONDS)
        return forgiven

    def _check(self) -> tuple[Verdict, int, int]:
        scenario, repeats = self.scenario, self.plan.variant.guarantee == AT_LEAST_ONCE
        inputs = read_topic(scenario.servers, scenario.in_topic)
        expected = self.shape.expected(inputs)
        may_repeat = repeats or self.shape.name == "tcp-sink"
        if repeats:
            expected = without_states(expected)
        results = self._results()
        found = {k: v for k, v in sorted_out(results, repeats).items() if not k.startswith(CLOSER)}
        verdict = check(expected, found, may_repeat)
        dead = [shown(letter.key(), letter.value()) for letter in scenario.dead()]
        wrong = check_dead(expected.dead, dead, repeats)
        if expected.states is not None:
            wrong += check_states(expected.states, states_in(scenario))
        return replace(verdict, wrong=(*verdict.wrong, *wrong)), len(inputs) or len(results), len(results)

    def _results(self) -> Sequence[tuple[str, str]]:
        if self.shape.name == "tcp-sink":
            lines = [line.decode().split(" ") for line in self.receiver.lines()]
            return [(user, result) for user, result in lines]
        tail = self.scenario.tail(self.scenario.out_topic)
        return [self.shape.identify(message) for message in tail.messages]

    def _found(self) -> int:
        return len(self._results())

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
        for broker in self.brokers:
            if not broker.running:
                broker.start()
        for tail in self.scenario.tails.values():
            tail.close()
        for service in self.scenario.services:
            service.kill_all()
        self._quiet()
        self.receiver.stop()
        admin = AdminClient({"bootstrap.servers": self.scenario.servers, "log_level": 0})
        with suppress(KafkaException):
            ours = [
                t for t in admin.list_topics(timeout=20).topics if t.startswith(self.scenario.application_id)
            ]
            for future in admin.delete_topics(ours).values():
                future.result(20)


def start_two_workers(run: Run) -> None:
    """One service, ready."""
    run.launch(workers=2).wait_ready(READY_SECONDS)

"""Scenario: transactions go in, a service is tormented, and what came out is compared with the model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from confluent_kafka import Message

from tests.kafka.cluster import Sent, create_topic, produce, wait_until
from tests.kafka.load import feeding
from tests.kafka.model import Alerts, Expected, alerts_in, dead_as_read, dead_in, totals_in
from tests.kafka.service import COMMAND, FAULTY, ServiceProcess
from tests.kafka.tail import Tail

PARTITIONS = 4
SETTLE_SECONDS = 150


@dataclass(slots=True)
class Scenario:
    """One application on topics of its own; `settings` are options of `wallaroo run`."""

    servers: str
    application_id: str
    folder: Path
    settings: dict[str, Any] = field(default_factory=dict)
    arguments: Sequence[str] = ()
    expected: Expected = field(default_factory=Expected)
    services: list[ServiceProcess] = field(default_factory=list)
    tails: dict[str, Tail] = field(default_factory=dict)
    in_topic: str = ""
    out_topic: str = ""
    application: str = "tests.kafka.apps"

    def __post_init__(self) -> None:
        self.in_topic = f"{self.application_id}-in"
        self.out_topic = f"{self.application_id}-out"

    @property
    def changelog(self) -> str:
        return self.changelog_of("add-up")

    @property
    def repartition(self) -> str:
        return f"{self.application_id}-extract-user-repartition"

    def changelog_of(self, stage: str) -> str:
        return f"{self.application_id}-{stage}-changelog"

    @property
    def dead_letters(self) -> str:
        return f"{self.application_id}-dlq"

    def create_topics(self) -> "Scenario":
        create_topic(self.servers, self.in_topic, PARTITIONS)
        create_topic(self.servers, self.out_topic, PARTITIONS - 1)
        return self

    def launch(
        self, environment: Mapping[str, str] | None = None, command: Sequence[str] = COMMAND, **settings: Any
    ) -> ServiceProcess:
        """Start a service and return at once."""
        log = self.folder / f"service-{len(self.services)}.log"
        service = ServiceProcess(self._command_line(settings), log, environment, command)
        self.services.append(service)
        return service

    def start(self, **settings: Any) -> ServiceProcess:
        """Start a service and return when it is ready."""
        return self.launch(**settings).wait_ready()

    def launch_faulty(self, faults: str, victim: str = "worker", **settings: Any) -> ServiceProcess:
        """Start a service whose workers die as `faults` says (see faulty_service.py) and return at once."""
        environment = {"FAULTS": faults, "FAULTS_FOLDER": str(self.folder), "FAULTS_VICTIM": victim}
        return self.launch(environment, FAULTY, **settings)

    def send(self, records: Sequence[Sent]) -> None:
        self.expected.add(records)
        produce(self.servers, self.in_topic, records)

    def feeding(self, records: Sequence[Sent], seconds: float) -> Any:
        """Send in the background, evenly over some seconds, while the body of the `with` runs."""
        self.expected.add(records)
        return self.feeding_raw(records, seconds)

    def feeding_raw(self, records: Sequence[Sent], seconds: float) -> Any:
        """The same, where something else than `expected` knows what must come of it."""
        return feeding(self.servers, self.in_topic, records, seconds)

    def tail(self, topic: str) -> Tail:
        """What a reader of committed records sees of a topic."""
        if topic not in self.tails:
            self.tails[topic] = Tail(self.servers, topic)
        return self.tails[topic]

    def alerts(self) -> Alerts:
        """All alerts, by user and in order; for after the last stop."""
        return alerts_in(self.tail(self.out_topic).read_to_end())

    def totals(self) -> Mapping[bytes, float]:
        """The final totals in the changelog; for after the last stop."""
        return totals_in(self.tail(self.changelog).read_to_end())

    def dead(self) -> Sequence[Message]:
        """All dead letters; for after the last stop."""
        return self.tail(self.dead_letters).read_to_end()

    def settle(self, timeout_seconds: float = SETTLE_SECONDS) -> None:
        """Wait until everything sent has been processed; AssertionError shows what has not been."""
        try:
            wait_until(self._is_settled, timeout_seconds)
        except TimeoutError:
            self.check()
            raise

    def stop_all(self) -> None:
        for service in self.services:
            if service.running:
                assert service.stop() == 0

    def check(self) -> None:
        """What is committed is what the model says, neither more nor less; for after the last stop."""
        assert self.alerts() == self.expected.alerts
        assert self.totals() == self.expected.totals
        assert dead_in(self.dead()) == dead_as_read(self.expected)

    def finish(self) -> None:
        """Let it settle, stop it cleanly, and check."""
        self.settle()
        self.stop_all()
        self.check()

    def dispose(self) -> None:
        """Leave no process behind; a failed test shows the logs."""
        for tail in self.tails.values():
            tail.close()
        for service in self.services:
            ended = f"it had ended with {service.wait(0)}" if not service.running else "it ran to the end"
            service.kill_all()
            print(f"--- {service.log.name}, {ended} ---\n{service.log.read_text(errors='replace')}")

    def _is_settled(self) -> bool:
        return (
            len(self.tail(self.out_topic).read()) >= self.expected.alert_count
            and len(self.tail(self.dead_letters).read()) >= len(self.expected.dead)
            and totals_in(self.tail(self.changelog).read()) == self.expected.totals
        )

    def _command_line(self, settings: Mapping[str, Any]) -> list[str]:
        given = {
            "bootstrap_servers": self.servers,
            "application_id": self.application_id,
            **self.settings,
            **settings,
        }
        options = [_option(name.replace("_", "-"), value) for name, value in given.items()]
        topics = [f"--in-topic={self.in_topic}", f"--out-topic={self.out_topic}"]
        return [self.application, *options, *topics, *self.arguments]


def _option(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return f"--{name}" if value else f"--no-{name}"
    return f"--{name}={value}"

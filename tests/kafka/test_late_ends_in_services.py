"""A request of a transaction of a running service that comes late changes nothing: no result, no position.

Each case holds one request back, resets its connection, and delivers it at a place of the next transaction of
the same producer. Records come one by one: what a late request did to a position would be put right by the
next transaction of the other producer. All have one key: what is harmed is in the partition that is used.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import pytest
from confluent_kafka import Consumer

from tests.kafka.cluster import produce, wait_until
from tests.kafka.model import transaction, transactions
from tests.kafka.proxy import Api, LateOnce, RandomResets
from tests.kafka.scenario import PARTITIONS, Scenario
from tests.kafka.test_generator import Counter, doubled
from wallaroo.engine.hole import committed_offsets
from wallaroo.record import Partition

pytestmark = pytest.mark.slow

RESETS = 80
MOST_SECONDS = 20
EXACT = "exact"
# An alert says its user twice. So the client refuses that of a long name, and its transaction is aborted.
TOO_LARGE = 3_000
LONG_NAME = "x" * (TOO_LARGE * 2 // 3)


@dataclass(frozen=True, slots=True)
class Late:
    """A request of a transaction, delivered when that at `place` in the next one has been answered."""

    api: Api
    place: Api
    aborts: bool = False

    def plan(self, client: str) -> LateOnce:
        return LateOnce(
            lambda request: (
                request.api == self.api
                and request.client.startswith(client)
                and (request.api != Api.END_TXN or request.commits != self.aborts)
            ),
            self.place,
            skip=0,
        )


# Each of them does harm if the producer is not replaced. A commit after the first records divides what is
# written; in front of a hop there is nothing to divide.
EMPTY_COMMIT = Late(Api.END_TXN, Api.ADD_PARTITIONS_TO_TXN)
DIVIDING_COMMIT = Late(Api.END_TXN, Api.PRODUCE)
ABORT = Late(Api.END_TXN, Api.TXN_OFFSET_COMMIT, aborts=True)
OFFSETS = (
    Late(Api.TXN_OFFSET_COMMIT, Api.TXN_OFFSET_COMMIT),
    Late(Api.TXN_OFFSET_COMMIT, Api.PRODUCE),
)


class Alerts:
    """The stateful alerts behind a proxy; what a late request has harmed is left for a new application."""

    def __init__(self, servers, proxy, application_id, folder, *arguments):
        self._servers = servers
        self._proxy = proxy
        self._name = application_id
        self._folder = folder
        self._arguments = arguments
        self._scenarios = []
        self._begin_anew()

    def _begin_anew(self):
        name = f"{self._name}-{len(self._scenarios)}"
        settings = {"bootstrap_servers": self._proxy.address, "commit_interval_ms": 20}
        self.scenario = Scenario(self._servers, name, self._folder, settings, self._arguments)
        self._scenarios.append(self.scenario.create_topics())
        limited = {"WALLAROO_PRODUCER__MESSAGE_MAX_BYTES": str(TOO_LARGE)}
        self.service = self.scenario.launch(limited).wait_ready()

    def outcome(self, late, reads):
        """EXACT, or what a delivery has harmed; `reads` is what the loop in question reads."""
        topics = {"transactions": self.scenario.in_topic, "extract-user": self.scenario.repartition}
        group, topic = f"{self.scenario.application_id}-{reads}", topics[reads]
        plan = self._proxy.plan = late.plan(f"{group}-")
        try:
            if late.aborts:
                self._send_too_large()
            wait_until(lambda: self._send_one() or plan.delivered.is_set(), MOST_SECONDS)
            self.scenario.check()
            assert self._committed(group, topic) == self._read(topic)
            assert "worker died" not in self.service.words()
        except (AssertionError, TimeoutError) as error:
            self._begin_anew()
            return str(error)[:400]
        return EXACT

    def restart(self):
        """What has been done twice shows to whoever begins where the group says."""
        assert self.service.stop() == 0
        self.service.start()
        self._send_one()
        self.scenario.finish()

    def _send_one(self):
        self.scenario.send([transaction("rex", 3_000)])
        self.scenario.settle(MOST_SECONDS)

    def _send_too_large(self):
        produce(self._servers, self.scenario.in_topic, [transaction(LONG_NAME, 3_000)])
        (letter,) = wait_until(self.scenario.tail(self.scenario.dead_letters).read, MOST_SECONDS)
        # Key and value have been cut to fit.
        self.scenario.expected.dead.append((letter.key(), letter.value()))

    def _committed(self, group, topic):
        places = [Partition(topic, number) for number in range(PARTITIONS)]
        with closing(Consumer({"bootstrap.servers": self._servers, "group.id": group})) as consumer:
            found = committed_offsets(consumer, places)
        return {at.number: offset for at, offset in found.items() if offset > 0}

    def _read(self, topic):
        return {m.partition(): m.offset() + 1 for m in self.scenario.tail(topic).read_to_end()}

    def dispose(self):
        for scenario in self._scenarios:
            scenario.dispose()


@pytest.fixture
def alerts(bootstrap_servers, proxy, application_id, tmp_path, request) -> Iterator[Alerts]:
    """A parameter is its arguments."""
    made = Alerts(bootstrap_servers, proxy, application_id, tmp_path, *request.param)
    yield made
    made.dispose()


@pytest.mark.parametrize("alerts", [["--partitioned-by-user"]], ids=["keyed"], indirect=True)
def test_a_keyed_service_is_exact_whatever_comes_late(alerts):
    cases = [EMPTY_COMMIT, DIVIDING_COMMIT, *OFFSETS, ABORT]
    assert {late: alerts.outcome(late, "transactions") for late in cases} == dict.fromkeys(cases, EXACT)
    alerts.restart()


@pytest.mark.parametrize("alerts", [[]], ids=["hop"], indirect=True)
def test_a_service_with_a_hop_is_exact_whatever_comes_late_in_front_of_it_and_behind(alerts):
    in_front = [(late, "transactions") for late in (EMPTY_COMMIT, OFFSETS[0], ABORT)]
    cases = [*in_front, (DIVIDING_COMMIT, "extract-user"), (OFFSETS[1], "extract-user")]
    assert {case: alerts.outcome(*case) for case in cases} == dict.fromkeys(cases, EXACT)
    alerts.restart()


class Numbers:
    """A generator behind a proxy; the same."""

    def __init__(self, servers, proxy, application_id, folder):
        self._servers = servers
        self._proxy = proxy
        self._name = application_id
        self._folder = folder
        self._counters = []
        self._begin_anew()

    def _begin_anew(self):
        name = f"{self._name}-{len(self._counters)}"
        self.counter = Counter(self._proxy.address, name, self._folder)
        self._counters.append(self.counter)
        self.service = self.counter.launch(f"--end={10**9}", "--pause-ms=2").wait_ready()

    def outcome(self, late):
        plan = self._proxy.plan = late.plan(f"{self.counter.application_id}-numbers-generator")
        try:
            wait_until(plan.delivered.is_set, MOST_SECONDS)
            wait_until(self.counter.has(len(self.counter.numbers()) + 200), MOST_SECONDS)
            numbers = self.counter.numbers()
            assert numbers == doubled(len(numbers))
            assert "worker died" not in self.service.words()
        except (AssertionError, TimeoutError) as error:
            self._begin_anew()
            return str(error)[:400]
        return EXACT

    def dispose(self):
        for counter in self._counters:
            counter.dispose()


@pytest.fixture
def numbers(bootstrap_servers, proxy, application_id, tmp_path) -> Iterator[Numbers]:
    made = Numbers(bootstrap_servers, proxy, application_id, tmp_path)
    yield made
    made.dispose()


def test_a_generator_is_exact_whatever_comes_late(numbers):
    cases = [EMPTY_COMMIT, DIVIDING_COMMIT]
    assert {late: numbers.outcome(late) for late in cases} == dict.fromkeys(cases, EXACT)


@pytest.fixture
def scenarios(bootstrap_servers, proxy, application_id, tmp_path) -> Iterator[list[Scenario]]:
    """With a hop, and keyed."""
    settings = {"bootstrap_servers": proxy.address, "commit_interval_ms": 20}
    made = []
    for name, arguments in (("hop", ()), ("keyed", ("--partitioned-by-user",))):
        folder = tmp_path / name
        folder.mkdir()
        scenario = Scenario(bootstrap_servers, f"{application_id}-{name}", folder, settings, arguments)
        made.append(scenario.create_topics())
    yield made
    for scenario in made:
        scenario.dispose()


@pytest.fixture
def counter(proxy, application_id, tmp_path) -> Iterator[Counter]:
    made = Counter(proxy.address, f"{application_id}-counter", tmp_path)
    yield made
    made.dispose()


def send_some(scenarios, rng):
    for scenario in scenarios:
        scenario.send(transactions(rng, 10))


def restart_all(scenarios):
    """What has been done twice shows only to whoever begins where the group says."""
    for scenario in scenarios:
        scenario.settle()
        scenario.stop_all()
        scenario.services[0].start()


def test_services_whose_connections_are_reset_all_the_time_are_exact(proxy, scenarios, counter, rng):
    services = [scenario.launch() for scenario in scenarios]
    services.append(counter.launch(f"--end={10**9}", "--pause-ms=2"))
    assert all(service.wait_ready() for service in services)
    plan = proxy.plan = RandomResets(rng, share=0.5, most=RESETS)
    wait_until(lambda: send_some(scenarios, rng) or plan.resets >= RESETS, 90)
    restart_all(scenarios)
    send_some(scenarios, rng)
    assert [scenario.finish() for scenario in scenarios] == [None, None]
    assert services[-1].stop() == 0
    assert counter.numbers() == doubled(len(counter.numbers()))

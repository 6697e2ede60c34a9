"""Kafka with TLS, passwords and rules: the rights of docs/security.md are enough, and missed by name."""

import re
import socket
from collections.abc import Iterator

import pytest

from scripts.kafka.process import free_port
from tests.kafka.cluster import create_topic, produce, read_topic, wait_until
from tests.kafka.model import transaction
from tests.kafka.provider import Cluster
from tests.kafka.secured import SecuredBroker, launch, password_of, rights_of_the_page
from tests.kafka.word_count import framed

SECONDS = 90


@pytest.fixture(scope="module")
def secured(kafka_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredBroker]:
    """One broker for all of these tests, where one may be started."""
    if kafka_cluster.broker is None:
        pytest.skip("this Kafka belongs to somebody else; the tests start one of their own beside their own")
    with SecuredBroker(tmp_path_factory.mktemp("secured")).running() as broker:
        for topic in ("taken", "timed", "given"):
            create_topic(broker.plain, topic, 2)
        produce(broker.plain, "taken", [transaction("rex", 3_000)])
        produce(broker.plain, "timed", [("k", b'{"key": "k", "value": 1}')])
        yield broker


@pytest.fixture
def start(secured, application_id, tmp_path):
    """A function that starts an application for a new user with some rights."""
    services = []

    def start(rights, source, *arguments, **variables):
        user = f"u-{application_id[-8:]}"
        secured.add_user(user, password_of(user))
        secured.allow(user, rights, {"alerts": user, "transactions": source, "results": "given"})
        services.append(launch(secured, user, tmp_path, *arguments, **variables))
        return services[-1]

    yield start
    for service in services:
        service.kill_all()
        print(service.words())


def results(secured):
    return len(read_topic(secured.plain, "given"))


HOP = ("tests.kafka.apps", "--in-topic=taken", "--out-topic=given")
SHAPES = {
    "hop": ("taken", HOP),
    "keyed": ("taken", (*HOP, "--partitioned-by-user")),
    "windows": ("timed", ("tests.kafka.window_app", "--in-topic=timed", "--out-topic=given")),
    "generator": ("taken", ("tests.kafka.counting", "--out-topic=given", "--end=20")),
}


def test_the_page_gives_the_rights_that_it_speaks_of():
    assert {right.kind for right in rights_of_the_page()} == {"topic", "group", "transactional-id"}
    operations = {"Create", "Read", "Write", "Delete", "DescribeConfigs"}
    assert {right.operation for right in rights_of_the_page()} == operations


@pytest.mark.parametrize(("source", "arguments"), SHAPES.values(), ids=SHAPES.keys())
def test_the_least_rights_are_enough(source, arguments, secured, start):
    before = results(secured)
    service = start(rights_of_the_page(), source, *arguments).wait_ready(SECONDS)
    # Windows of an idle source close by the clock a minute late: that they are read is enough.
    wait_until(
        lambda: results(secured) > before or service.metric("wallaroo_records_processed_total") > 0, SECONDS
    )
    assert service.stop() == 0
    assert "authorization" not in service.words().lower()


def test_the_least_rights_are_enough_to_take_frames_and_to_send_lines(secured, start, receiver):
    port = free_port()
    start(
        rights_of_the_page(),
        "taken",
        "topologies.word_count",
        f"--in=Lines@127.0.0.1:{port}",
        f"--out={receiver.address}",
    )
    with wait_until(lambda: _connect(port), SECONDS) as sender:
        sender.sendall(framed(b"one word"))
        wait_until(lambda: sorted(receiver.lines()) == [b"one => 1", b"word => 1"], SECONDS)


def _connect(port):
    try:
        return socket.create_connection(("127.0.0.1", port))
    except ConnectionRefusedError:
        return None


def test_the_least_rights_are_enough_to_deliver_to_another_cluster(secured, start):
    before = results(secured)
    start(rights_of_the_page(), "taken", *HOP, f"--out-broker={secured.plain}")
    wait_until(lambda: results(secured) > before, SECONDS)


# Without which right, in which shape, and what the last line says then.
NAMED = {
    "Create on topic alerts*": "cannot be created.*allow this client to create topics",
    "Read on topic alerts*": "Topic authorization failed.*allow this client Read",
    "Write on topic alerts*": "Topic authorization failed.*allow this client Write",
    "Read on group alerts*": "allow this client Read on groups",
    "Write on transactional-id alerts*": "allow this client Write and Describe on transactional ids",
    "Read on topic transactions": "if taken is there, allow this client Read on it",
    "Write on topic results": "if given is there, allow this client Write on it",
}


DELETE = "Delete on topic alerts*"


@pytest.mark.parametrize("missing", NAMED)
def test_without_one_of_them_the_service_ends_and_names_it(missing, secured, start):
    rights = [right for right in rights_of_the_page() if str(right) != missing]
    assert len(rights) == len(rights_of_the_page()) - 1
    service = start(rights, "taken", *HOP)
    assert service.wait(SECONDS) == 2
    [*_, last] = service.words().splitlines()
    assert "service stopped exit_code=2" in last
    assert re.search(NAMED[missing], last)
    assert "Traceback" not in service.words()


@pytest.mark.parametrize("missing", ["DescribeConfigs on topic alerts*", "DescribeConfigs on topic results"])
def test_without_knowing_limits_it_runs_all_the_same(missing, secured, start):
    service = start([right for right in rights_of_the_page() if str(right) != missing], "taken", *HOP)
    service.wait_ready(SECONDS)
    assert service.stop() == 0


def test_without_the_right_to_delete_what_was_read_it_runs_and_a_warning_names_it(secured, start):
    service = start([right for right in rights_of_the_page() if str(right) != DELETE], "taken", *HOP)
    wait_until(lambda: "purge failed" in service.words(), 2 * SECONDS)
    assert "allow this client Delete on topics with the application id as prefix" in service.words()
    assert service.stop() == 0


def test_every_right_of_the_page_is_one_that_these_tests_take_away():
    tried = {*NAMED, DELETE, "DescribeConfigs on topic alerts*", "DescribeConfigs on topic results"}
    assert {str(right) for right in rights_of_the_page()} == tried

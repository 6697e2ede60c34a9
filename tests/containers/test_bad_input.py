"""What is not as it should be: a clear message that names what to change, and never a stack trace."""

from contextlib import ExitStack

import pytest
from testcontainers.core.container import DockerContainer

from scripts.kafka.process import dismiss, guard
from tests.containers.images import OURS, docker
from tests.kafka.acl import lay_down, rule
from tests.kafka.cluster import create_topic, wait_until
from tests.kafka.service import get

# The Docker client behind testcontainers leaves sockets to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")

INSIDE = "kafka:19092"
# A user who may do nothing until somebody allows it.
AS_GUEST = {
    "bootstrap_servers": "kafka:19094",
    "kafka__security_protocol": "SASL_PLAINTEXT",
    "kafka__sasl_mechanism": "PLAIN",
    "kafka__sasl_username": "guest",
    "kafka__sasl_password": "guest",
}
EXIT_SECONDS = 60
CHANGELOG = "check-transaction-total-changelog"
REFUSED = 2


@pytest.fixture
def service(stack, application_id):
    """A function that starts a service beside the stack, as an application of its own."""
    with ExitStack() as started:

        def start(**settings):
            container = DockerContainer(OURS, ports=[8080]).with_kwargs(network=stack.network)
            settings = {"bootstrap_servers": INSIDE, "application_id": application_id, **settings}
            for name, value in settings.items():
                container.with_env(f"WALLAROO_{name.upper()}", value)
            started.enter_context(container)
            guarding = guard(["docker", "rm", "--force", identity(container)])
            started.callback(dismiss, guarding)
            return container

        yield start


def identity(container):
    return container.get_wrapped_container().id


def words(container):
    return b"".join(container.get_logs()).decode()


def page(container, path):
    return get(f"http://127.0.0.1:{container.get_exposed_port(8080)}{path}")


def assert_refused(container, *hints):
    """It has ended by itself, and has said in one line what to change."""
    assert docker("wait", identity(container), timeout_seconds=EXIT_SECONDS) == str(REFUSED)
    assert [hint for hint in hints if hint not in words(container)] == []
    assert "Traceback" not in words(container)


def allow_topics(servers, prefix):
    """Allow the guest to do with the topics of one application whatever it likes."""
    patterns = [(prefix, "PREFIXED"), ("transactions", "LITERAL"), ("alerts", "LITERAL")]
    lay_down(servers, *(rule(topic, "ALL", "ALLOW", "User:guest", kind) for topic, kind in patterns))


def test_a_kafka_that_is_not_there_is_waited_for(service):
    container = service(bootstrap_servers="nowhere:9092")
    wait_until(lambda: page(container, "/readyz")[0] == 503 and "waiting for Kafka" in words(container))
    assert "bootstrap_servers" in page(container, "/readyz")[1]
    assert "Kafka cannot be reached at nowhere:9092: " in words(container)
    assert "Failed to resolve" in words(container)
    assert page(container, "/healthz")[0] == 200
    docker("stop", identity(container))
    assert docker("inspect", "--format", "{{.State.ExitCode}}", identity(container)) == "0"
    assert "Traceback" not in words(container)


def test_a_changelog_with_too_few_partitions_is_refused(service, stack, application_id):
    name = f"{application_id}-{CHANGELOG}"
    create_topic(stack.servers, name, partitions=2, config={"cleanup.policy": "compact"})
    assert_refused(service(), name, "has 2 partitions", "application_id")


def test_a_changelog_that_would_be_deleted_is_refused(service, stack, application_id):
    name = f"{application_id}-{CHANGELOG}"
    create_topic(stack.servers, name, config={"cleanup.policy": "delete"})
    assert_refused(service(), name, "set cleanup.policy=compact")


def test_a_cluster_on_which_no_topic_may_be_created_is_refused(service):
    assert_refused(service(**AS_GUEST), "cannot be created", "create_topics=false")


def test_a_client_that_may_not_use_transactions_is_refused(service, stack, application_id):
    allow_topics(stack.servers, application_id)
    assert_refused(service(**AS_GUEST), "Transactional Id authorization failed", "processing_guarantee")


def test_a_password_that_is_wrong_is_told_while_the_service_waits(service):
    container = service(**{**AS_GUEST, "kafka__sasl_password": "guess"})
    wait_until(lambda: "Invalid username or password" in words(container))
    assert page(container, "/readyz")[0] == 503
    assert "Traceback" not in words(container)


def test_a_listener_that_sends_clients_elsewhere_is_told_while_the_service_waits(service, stack):
    container = service(bootstrap_servers="kafka:9092")
    wait_until(lambda: f"Kafka cannot be reached brokers={stack.servers} " in words(container))
    wait_until(
        lambda: f"; see bootstrap_servers; {stack.servers}: Connect to" in page(container, "/readyz")[1]
    )
    assert "Traceback" not in words(container)


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        ({"workers": "many"}, "WALLAROO_WORKERS"),
        ({"application_id": "two words"}, "WALLAROO_APPLICATION_ID"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(service, settings, hint):
    assert_refused(service(**settings), hint)

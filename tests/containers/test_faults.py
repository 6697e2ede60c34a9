"""Whatever happens to the containers, the alerts are what the model says."""

import pytest

from tests.containers.images import docker
from tests.containers.traffic import in_lines
from tests.kafka.cluster import wait_until
from tests.kafka.lost_ends import feed_until_ended
from tests.kafka.model import transaction

SCRAPED_SECONDS = 30
DELIVERED_SECONDS = 60
TCP = ("receiver", "service-tcp")


def test_more_instances_of_which_one_is_killed_and_then_fewer(stack, traffic):
    with traffic.feeding(12_000, seconds=20):
        stack.scale(3)
        traffic.fault("scaled from 1 to 3")
        wait_until(lambda: stack.query('count(up{job="wallaroo"} == 1) == 3'), SCRAPED_SECONDS)
        victim = stack.containers("service")[-1]
        docker("kill", "-s", "KILL", victim)
        docker("rm", victim)
        traffic.fault("one of three killed")
        stack.scale(1)
        traffic.fault("scaled to 1")
    traffic.check()


def test_a_container_of_the_service_that_is_killed(stack, traffic):
    service = stack.container("service")
    with traffic.feeding(6_000, seconds=10):
        for _ in range(2):
            docker("kill", "-s", "KILL", service)
            traffic.fault("service killed")
            docker("start", service)
            stack.wait_ready()
    traffic.check()


def test_kafka_that_is_restarted(stack, traffic):
    kafka = stack.container("kafka")
    with traffic.feeding(6_000, seconds=10):
        docker("restart", kafka)
        traffic.fault("Kafka restarted")
    stack.wait_ready()
    feed_until_ended(stack.servers, lambda: docker("logs", kafka), traffic.send_more)
    traffic.check()


def test_kafka_that_is_killed(stack, traffic):
    kafka = stack.container("kafka")
    with traffic.feeding(6_000, seconds=10):
        docker("kill", "-s", "KILL", kafka)
        traffic.fault("Kafka killed")
        docker("start", kafka)
    stack.wait_ready()
    feed_until_ended(stack.servers, lambda: docker("logs", kafka), traffic.send_more)
    traffic.check()


@pytest.fixture
def receiver(stack):
    """The container to which a service of its own sends the alerts of all transactions."""
    stack.run("up", "--detach", "--no-recreate", *TCP)
    stack.wait_ready("service-tcp")
    yield stack.container("receiver")
    stack.run("rm", "--force", "--stop", *TCP)


def test_a_receiver_that_is_paused(stack, traffic, ledger, receiver):
    # More than the buffers of two kernels hold.
    chatty = [transaction(f"{traffic.prefix}-{'x' * 4_000}", 2_500) for _ in range(4_000)]
    with traffic.feeding(4_000, seconds=8):
        docker("pause", receiver)
        traffic.fault("receiver paused")
        traffic.send(chatty)
    # Nobody waits for the receiver.
    traffic.check()
    docker("unpause", receiver)
    wanted = traffic.expected.alerts

    def received():
        return in_lines(docker("logs", receiver).splitlines(), traffic.prefix)

    wait_until(lambda: set(received()) == set(wanted), DELIVERED_SECONDS)
    wait_until(
        lambda: sum(map(len, received().values())) >= sum(map(len, wanted.values())), DELIVERED_SECONDS
    )
    ledger.enter(wanted, received())
    assert received() == wanted


def count(alerts):
    return sum(map(len, alerts.values()))

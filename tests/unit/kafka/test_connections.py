"""What a client's log says of its connections: which brokers it cannot use, why, and until when."""

import logging

import pytest

from wallaroo.clock import ManualClock
from wallaroo.kafka.connection_log import ConnectionLog
from wallaroo.kafka.connections import Connections

# As librdkafka 2.16 has written them.
AT = "[thrd:sasl_ssl://kafka:9093/bootstrap]: sasl_ssl://kafka:9093/bootstrap: "
PASSWORD = (
    f"{AT}SASL authentication error: Authentication failed during authentication due to invalid credentials "
    "with SASL mechanism SCRAM-SHA-256 (after 342ms in state AUTH_REQ) (_AUTHENTICATION)"
)
MECHANISM = (
    f"{AT}SASL PLAIN mechanism handshake failed: Broker: Unsupported SASL mechanism: broker's supported "
    "mechanisms: SCRAM-SHA-256 (after 322ms in state AUTH_HANDSHAKE) (_AUTHENTICATION)"
)
CERTIFICATE = (
    f"{AT}SSL handshake failed: ssl/statem/statem_clnt.c:2124:tls_post_process_server_certificate "
    "error:0A000086:SSL routines::certificate verify failed: broker certificate could not be verified, "
    "verify that ssl.ca.location is correctly configured (after 12ms in state SSL_HANDSHAKE) (_SSL)"
)
PLAIN = (
    "[thrd:kafka:9093/bootstrap]: kafka:9093/bootstrap: Disconnected: connection closed by peer: receive 0 "
    "after POLLIN (after 4ms in state APIVERSION_QUERY) (_TRANSPORT)"
)
NO_LOGIN = (
    "[thrd:ssl://kafka:9093/bootstrap]: ssl://kafka:9093/bootstrap: Disconnected: SSL connection closed by "
    "peer (after 22ms in state UP) (_TRANSPORT)"
)
AWAY = (
    "[thrd:GroupCoordinator]: GroupCoordinator: kafka:9093: Connect to ipv4#10.0.0.1:9093 failed: Connection "
    "refused (after 0ms in state CONNECT, 1 identical error(s) suppressed)"
)
UP = "[thrd:kafka:9093/1]: kafka:9093/1: Broker changed state AUTH_REQ -> UP"

IDLE = "[thrd:kafka:9093/1]: kafka:9093/1: Disconnected (after 540000ms in state UP)"
INTRODUCED = f"{AT}Decommissioning this broker (after 13ms in state UP) (_DESTROY_BROKER)"
UNNAMED = (
    "[thrd:TxnCoordinator]: TxnCoordinator: Closing connection due to nodename change (after 5ms in state UP)"
)
NOWHERE = "[thrd:GroupCoordinator]: GroupCoordinator: Connect failed (after 5ms in state CONNECT)"


@pytest.fixture
def connections():
    return Connections()


@pytest.mark.parametrize(
    ("line", "cause", "advice", "is_refusal"),
    [
        (PASSWORD, "SASL authentication error: ", "sasl.password", True),
        (MECHANISM, "SASL PLAIN mechanism handshake failed", "sasl.mechanism", True),
        (CERTIFICATE, "SSL handshake failed", "ssl.ca.location", True),
        (PLAIN, "Disconnected: connection closed by peer", "security.protocol", False),
        (NO_LOGIN, "Disconnected: SSL connection closed by peer", "security.protocol", False),
        (AWAY, "Connect to ipv4#10.0.0.1:9093 failed: Connection refused", "bootstrap_servers", False),
    ],
)
def test_what_went_wrong_is_said_with_the_broker_and_what_to_check(
    connections, line, cause, advice, is_refusal
):
    connections.note("FAIL", "consumer-1", line, 1.0)
    (trouble,) = connections.troubles(1.5)
    assert trouble.broker == "kafka:9093"
    assert trouble.cause.startswith(cause)
    assert " in state " not in trouble.cause
    assert advice in trouble.advice
    assert trouble.is_refusal is is_refusal


@pytest.mark.parametrize("line", [IDLE, INTRODUCED, UNNAMED, NOWHERE])
def test_a_connection_that_is_only_closed_is_no_trouble(connections, line):
    connections.note("FAIL", "consumer-1", line, 1.0)
    assert connections.troubles(1.5) == []
    assert not connections.is_disturbed(1.5)


def test_a_trouble_lasts_from_the_first_failure(connections):
    connections.note("FAIL", "consumer-1", AWAY, 1.0)
    connections.note("FAIL", "consumer-1", AWAY, 3.0)
    (trouble,) = connections.troubles(5.0)
    assert trouble.seconds == 4.0
    assert trouble.is_lasting


def test_a_trouble_is_over_a_moment_after_its_client_is_connected(connections):
    connections.note("FAIL", "consumer-1", AWAY, 1.0)
    connections.note("STATE", "consumer-1", UP, 2.0)
    assert connections.is_disturbed(2.5)
    assert connections.troubles(3.0) == []


def test_a_connection_that_is_closed_as_soon_as_it_is_made_is_none(connections):
    connections.note("FAIL", "admin-1", NO_LOGIN, 1.0)
    connections.note("STATE", "admin-1", UP, 2.0)
    connections.note("FAIL", "admin-1", NO_LOGIN, 2.1)
    (trouble,) = connections.troubles(5.0)
    assert trouble.seconds == 4.0


SUPPRESSED = (
    f"{AWAY[: AWAY.index(', 1 identical')]}) (_TRANSPORT): identical to last error: error log suppressed"
)


def test_a_failure_that_is_like_the_last_one_has_the_same_cause(connections):
    connections.note("FAIL", "consumer-1", SUPPRESSED, 1.0)
    (trouble,) = connections.troubles(1.5)
    assert trouble.cause == "Connect to ipv4#10.0.0.1:9093 failed: Connection refused"


def test_a_broker_that_one_client_reaches_is_there_for_all(connections):
    connections.note("FAIL", "producer-1", AWAY, 1.0)
    connections.note("STATE", "consumer-2", UP, 2.0)
    assert connections.troubles(9.0) == []


def test_the_connection_of_one_client_does_not_end_the_trouble_of_another(connections):
    connections.note("FAIL", "consumer-1", PASSWORD, 1.0)
    connections.note("STATE", "consumer-2", UP, 2.0)
    assert connections.troubles(9.0)


def test_a_client_that_does_not_try_again_is_forgotten(connections):
    connections.note("FAIL", "consumer-1", AWAY, 1.0)
    assert connections.is_disturbed(30.0)
    assert connections.troubles(36.0) == []


def test_a_refusal_says_more_than_a_connection_that_fails(connections):
    connections.note("FAIL", "consumer-1", AWAY, 1.0)
    connections.note("FAIL", "consumer-2", PASSWORD, 9.0)
    (trouble,) = connections.troubles(10.0)
    assert trouble.is_refusal


@pytest.fixture
def passed():
    """What goes to the log: level and line."""
    return []


@pytest.fixture
def log(passed):
    class Target:
        def log(self, level, _template, _facility, _client, line):
            passed.append((level, line))

    return ConnectionLog(Target(), logging.INFO, Connections(), ManualClock())


def test_what_breaks_a_connection_is_left_to_the_supervisor(log, passed):
    log.log(logging.ERROR, "", "FAIL", "consumer-1", AWAY)
    log.log(logging.WARNING, "", "SESSTMOUT", "consumer-1", "Consumer group session timed out")
    log.log(logging.WARNING, "", "GETPID", "producer-1", "Failed: Broker: Not coordinator: retrying")
    assert [level for level, _ in passed] == [logging.DEBUG] * 3


def test_what_has_nothing_to_do_with_connections_is_said_as_before(log, passed):
    log.log(logging.WARNING, "", "SESSTMOUT", "consumer-1", "Consumer group session timed out")
    log.log(logging.ERROR, "", "FATAL", "producer-1", "Fatal error: fenced")
    assert [level for level, _ in passed] == [logging.WARNING, logging.ERROR]


def test_topics_that_may_not_be_written_are_noted(log):
    refused = 'Failed to add partition "out" [0] to transaction: Broker: Topic authorization failed'
    untried = 'Failed to add partition "x" [0] to transaction: Broker: Operation not attempted'
    log.log(logging.ERROR, "", "ADDPARTS", "producer-1", refused)
    log.log(logging.ERROR, "", "ADDPARTS", "producer-1", untried)
    assert log.refused_topics == {"out"}

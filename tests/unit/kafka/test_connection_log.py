"""Which lines of a client mean that a request may still be on its way, and which lines an operator sees."""

import logging

import pytest

from wallaroo.kafka.connection_log import ConnectionLog, least_level, leaves_doubt

RESET = "TxnCoordinator/1: kafka:9092: Disconnected: connection reset by peer (after 5ms in state UP)"
AGAIN = f"{RESET}: identical to last error: error log suppressed"
OVER = "kafka:9092/1: 1 request(s) timed out: disconnect (after 60000ms in state UP) (_TIMED_OUT)"
REFUSED = "kafka:9092/1: Connect to ipv4#1.2.3.4:9092 failed: Connection refused (after 0ms in state CONNECT)"
UNNAMED = "TxnCoordinator/1: Closing connection due to nodename change (after 5ms in state TRY_CONNECT)"
INTRODUCED = "kafka:9092/bootstrap: Decommissioning this broker (after 4ms in state UP) (_DESTROY_BROKER)"
REMOVED = "kafka:9092/2: Decommissioning this broker (after 4ms in state UP) (_DESTROY_BROKER)"
TIMED_OUT = "kafka:9092/1: Timed out EndTxnRequest in flight (after 60000ms, timeout #0)"
CUT_SHORT = "kafka:9092/1: Disconnected"


@pytest.mark.parametrize("line", [RESET, AGAIN, OVER, REMOVED, CUT_SHORT])
def test_a_connection_that_has_ended_leaves_doubt(line):
    assert leaves_doubt("FAIL", line)


@pytest.mark.parametrize("line", [REFUSED, UNNAMED, INTRODUCED])
def test_a_connection_that_nothing_was_sent_over_leaves_none(line):
    assert not leaves_doubt("FAIL", line)


def test_a_request_that_has_timed_out_leaves_doubt():
    assert leaves_doubt("REQTMOUT", TIMED_OUT)


def test_what_else_a_client_says_leaves_none():
    assert not leaves_doubt("STATE", "kafka:9092/1: Broker changed state UP -> DOWN")


@pytest.fixture
def passed():
    """A logger that keeps what it is given."""

    class Kept(logging.Logger):
        def __init__(self):
            super().__init__("kept")
            self.lines = []

        def handle(self, record):
            self.lines.append(record.getMessage())

    return Kept()


def test_an_operator_sees_what_he_saw_without_it(passed):
    log = ConnectionLog(passed, least_level(None, debugs=False))
    log.log(logging.DEBUG, "%s [%s] %s", "FAIL", "client", RESET)
    log.log(logging.WARNING, "%s [%s] %s", "GETPID", "client", "Failed to acquire")
    assert (passed.lines, log.doubt) == (["GETPID [client] Failed to acquire"], RESET)


@pytest.mark.parametrize(
    ("log_level", "debugs", "least"), [(None, False, 20), (3, False, 40), (0, False, 50), (3, True, 10)]
)
def test_the_log_level_and_the_debugging_of_the_settings_are_kept(log_level, debugs, least):
    assert least_level(log_level, debugs=debugs) == least

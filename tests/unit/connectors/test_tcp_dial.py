"""How a sink looks for its receiver."""

import socket

import pytest

from tests.unit.connectors.receiver import until
from wallaroo.connectors.tcp.sockets import Dialer, refusal


@pytest.fixture
def dialer(receiver, clock):
    made = Dialer("127.0.0.1", receiver.port, clock.monotonic)
    yield made
    made.close()


def attempted(dialer):
    """Whether this call was allowed to try, and failed."""
    dialer.failure = ""
    assert dialer.dial(0.01) is None
    return dialer.failure != ""


def failed_attempts(dialer, clock, milliseconds):
    """The moments of the failed attempts of the coming time, looked at every ten milliseconds."""
    started = clock.now_ms()
    moments = []
    while clock.now_ms() < started + milliseconds:
        moments += [clock.now_ms() - started] * attempted(dialer)
        clock.advance(10)
    return moments


def test_the_waits_for_an_absent_receiver_grow_from_a_quarter_of_a_second_to_two(dialer, clock):
    assert failed_attempts(dialer, clock, 8_000) == [0, 250, 750, 1750, 3750, 5750, 7750]


def test_a_receiver_that_has_come_is_found_when_the_wait_is_over(dialer, clock, receiver):
    assert attempted(dialer)
    receiver.listen()
    clock.advance(249)
    assert dialer.dial(0.01) is None
    clock.advance(1)
    with dialer.dial(1) as connected:
        assert connected.getpeername() == ("127.0.0.1", receiver.port)


def test_after_a_loss_the_waits_grow_too_until_a_connection_is_proven(dialer, clock):
    dialer.wait()
    assert failed_attempts(dialer, clock, 2_000) == [250, 750, 1750]
    dialer.reset_wait()
    dialer.wait()
    assert failed_attempts(dialer, clock, 1_000) == [250, 750]


def test_every_address_of_a_name_is_tried_before_the_wait(receiver, clock):
    dialer = Dialer("localhost", receiver.port, clock.monotonic)
    receiver.listen()
    found = []
    until(lambda: found.append(dialer.dial(0.1)) or found[-1])
    found[-1].close()
    assert clock.now_ms() == 0


def test_a_name_that_does_not_exist_is_a_failure_that_says_so(clock):
    dialer = Dialer("no such host.invalid", 7001, clock.monotonic)
    assert attempted(dialer)
    assert "name" in dialer.failure.lower()
    assert not attempted(dialer)


def test_a_port_that_is_connected_to_itself_is_nobody():
    with socket.socket() as alone:
        alone.bind(("127.0.0.1", 0))
        alone.connect(alone.getsockname())
        assert refusal(alone) == "nobody listens there"

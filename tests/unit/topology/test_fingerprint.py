"""Processes that have compiled different topologies are told apart, and the first difference is shown."""

import dataclasses

import pytest

import wallaroo
from tests.samples import KAFKA_SINK, compiled, encode, source, user
from wallaroo.errors import TopologyError
from wallaroo.topology.fingerprint import check_same, fingerprint


def topology(stage="total", sink=KAFKA_SINK):
    computation = wallaroo.state_computation(name=stage, state=Total)(lambda _message, _state: None)
    return compiled(source().key_by(user).to(computation), sink)


class Total:
    count = 0


def test_the_same_application_is_the_same_in_every_process():
    check_same(fingerprint(topology()), fingerprint(topology()))


@pytest.mark.parametrize(
    ("other", "shown"),
    [
        (topology(stage="total-5f3c"), "total-5f3c"),
        (topology(sink=wallaroo.KafkaSinkConfig("out-4711", encoder=encode)), "out-4711"),
        (topology(sink=wallaroo.TCPSinkConfig("localhost", "7001", encoder=encode)), "outbox"),
    ],
)
def test_a_name_that_differs_is_shown(other, shown):
    with pytest.raises(TopologyError, match="differs from one process to the next") as refused:
        check_same(fingerprint(topology()), fingerprint(other))
    assert shown in str(refused.value)
    assert "no process id" in str(refused.value)


def test_a_topology_that_has_more_differs():
    lines = fingerprint(topology())
    with pytest.raises(TopologyError, match="nothing more"):
        check_same(lines[:-1], lines)


def test_objects_of_users_are_told_by_their_class_alone():
    generator = wallaroo.GenSourceConfig("numbers", Numbers(1))
    other = wallaroo.GenSourceConfig("numbers", Numbers(2))
    first, second = (compiled(wallaroo.source("n", each), KAFKA_SINK) for each in (generator, other))
    check_same(fingerprint(first), fingerprint(second))


@dataclasses.dataclass
class Numbers:
    begin: int

    def initial_value(self):
        return self.begin

    def apply(self, previous):
        return previous + 1


def test_no_line_holds_an_address_in_memory():
    assert not [line for line in fingerprint(topology()) if " at 0x" in line]

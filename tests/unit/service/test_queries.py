"""A state is found wherever it is, and only who owns its partition says that there is none."""

from concurrent.futures import Future
from types import SimpleNamespace

import pytest

import wallaroo
from tests.samples import Total, decode, encode, user
from wallaroo.observability.answers import NoSuchKey, NoSuchStage, StateFound, StateUnavailable
from wallaroo.record import Partition
from wallaroo.service.protocol import KeyAbsent, StateRequest
from wallaroo.service.queries import ask_for_state, look_up_state
from wallaroo.state.memory import MemoryStore
from wallaroo.task.keys import partition_of
from wallaroo.topology.compile import compile_topology

PARTITIONS = 4
KEY = b"rex"
ITS_PARTITION = partition_of(KEY, PARTITIONS)
OTHERS = frozenset(range(PARTITIONS)) - {ITS_PARTITION}
EVERY = frozenset(range(PARTITIONS))
NONE: frozenset[int] = frozenset()
FOUND = StateFound(ITS_PARTITION, 0, {"total": 5})


@wallaroo.state_computation(name="add up", state=Total)
def add_up(message, total):
    return message


def compiled(partitioned_by=None):
    config = wallaroo.KafkaSourceConfig("in", decoder=decode, partitioned_by=partitioned_by)
    source = wallaroo.source("transactions", config)
    sink = wallaroo.KafkaSinkConfig("out", encoder=encode)
    return compile_topology(wallaroo.build_application("app", source.key_by(user).to(add_up).to_sink(sink)))


BEHIND_A_HOP, AT_THE_SOURCE = compiled(), compiled(partitioned_by=user)
SUBS = (*BEHIND_A_HOP.sub_topologies, *AT_THE_SOURCE.sub_topologies)


class Worker:
    """Says what it is told to; None: it does not answer."""

    def __init__(self, index, reply, *, is_silent=False):
        counts = {
            sub.input.topic: PARTITIONS for t in (BEHIND_A_HOP, AT_THE_SOURCE) for sub in t.sub_topologies
        }
        self.spec = SimpleNamespace(index=index, partitions=counts)
        self.is_silent = is_silent
        self._reply = reply

    def ask(self, request):
        assert request == StateRequest("add-up", KEY)
        answer = Future()
        answer.set_result(self._reply)
        return answer


def absent(owned, restoring=NONE):
    return KeyAbsent(frozenset(owned), frozenset(restoring))


def asked(*workers, topology=BEHIND_A_HOP, stage="add up", **others):
    return ask_for_state(stage, KEY, topology, workers, **others)


def test_the_worker_that_has_the_state_is_named():
    assert asked(Worker(0, absent(OTHERS)), Worker(3, FOUND)) == StateFound(ITS_PARTITION, 3, {"total": 5})


def test_a_state_is_shown_whoever_else_stands_still():
    assert isinstance(asked(Worker(0, None, is_silent=True), Worker(1, FOUND)), StateFound)


def test_the_owner_of_the_partition_alone_can_say_that_there_is_none():
    assert asked(Worker(0, absent({ITS_PARTITION}))) == NoSuchKey()
    assert asked(Worker(0, absent({ITS_PARTITION})), Worker(1, None)) == NoSuchKey()


def test_what_no_worker_here_owns_is_asked_elsewhere():
    questions = []

    def elsewhere(question):
        questions.append(question)
        return NoSuchKey()

    assert asked(Worker(0, absent(OTHERS)), elsewhere=elsewhere) == NoSuchKey()
    [question] = questions
    assert (question.store, question.key, question.partitions) == ("add-up", KEY, {ITS_PARTITION})


def test_a_partition_of_nobody_here_is_never_a_missing_state():
    answer = asked(Worker(0, absent(OTHERS)))
    assert isinstance(answer, StateUnavailable)
    assert f"partition {ITS_PARTITION} of stage 'add-up'" in answer.reason


def test_a_partition_that_is_being_restored_is_waited_for():
    answer = asked(Worker(0, absent(OTHERS, {ITS_PARTITION})))
    assert isinstance(answer, StateUnavailable)
    assert "being restored" in answer.reason


def test_a_restore_of_other_partitions_changes_nothing():
    assert asked(Worker(0, absent({ITS_PARTITION}, OTHERS))) == NoSuchKey()


@pytest.mark.parametrize("is_silent", [True, False])
def test_workers_that_do_not_answer_are_named(is_silent):
    answer = asked(Worker(0, None, is_silent=is_silent), Worker(1, absent(OTHERS)), Worker(2, None))
    assert isinstance(answer, StateUnavailable)
    assert answer.reason.startswith("workers 0, 2 do not answer; partition ")


def test_what_another_instance_says_counts_more_than_a_worker_that_does_not_answer():
    assert asked(Worker(0, None), elsewhere=lambda _: NoSuchKey()) == NoSuchKey()


def test_where_producers_choose_partitions_all_of_them_have_to_be_looked_into():
    some, all_of_them = Worker(0, absent({ITS_PARTITION})), Worker(0, absent(EVERY))
    assert isinstance(asked(some, topology=AT_THE_SOURCE), StateUnavailable)
    assert asked(all_of_them, topology=AT_THE_SOURCE) == NoSuchKey()


def test_another_instance_is_answered_about_the_partitions_that_it_asks_for():
    worker = Worker(0, absent({1, 2}))
    assert asked(worker, topology=AT_THE_SOURCE, among=frozenset({1, 2})) == NoSuchKey()
    assert isinstance(asked(worker, topology=AT_THE_SOURCE, among=frozenset({2, 3})), StateUnavailable)


@pytest.mark.parametrize("stage", ["合計", "", "..", "\0", "\n", "no such", "\udc80", "x" * 10_000])
def test_a_name_that_no_stage_can_have_is_no_stage(stage):
    assert asked(Worker(0, FOUND), stage=stage) == NoSuchStage(("add-up",))


class Text:
    """A codec."""

    def decode(self, data):
        if data == b"bad":
            raise SystemExit("a class that ends the process")
        return data.decode()


def loop_with(restoring=(), **stored):
    store = MemoryStore("add-up", str, Text())
    for key, value in stored.items():
        store.restore(key.encode(), value)
    task = SimpleNamespace(partition=Partition("in", 2), stores={"add-up": store})
    restorer = SimpleNamespace(restoring=dict.fromkeys(restoring))
    return SimpleNamespace(tasks=[task], restorer=restorer)


def test_a_worker_says_what_it_has_and_what_it_has_looked_into():
    loops = [loop_with(restoring=(3,), rex=b"5")]
    assert look_up_state(loops, StateRequest("add-up", b"rex")) == StateFound(2, 0, "5")
    assert look_up_state(loops, StateRequest("add-up", b"tom")) == KeyAbsent(frozenset({2}), frozenset({3}))
    assert look_up_state(loops, StateRequest("other", b"rex")) == KeyAbsent(NONE, frozenset({3}))


def test_a_state_that_cannot_be_read_is_an_answer_and_does_not_end_the_worker():
    answer = look_up_state([loop_with(rex=b"bad")], StateRequest("add-up", b"rex"))
    assert isinstance(answer, StateUnavailable)
    assert "cannot be read: SystemExit" in answer.reason

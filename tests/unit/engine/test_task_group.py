"""The tasks of a sub-topology: who is rolled back when, and from where its reader goes on."""

import pytest

from tests.unit.engine.fake_group import TOPIC, FakeTask, Record
from wallaroo.engine.task_group import TaskGroup
from wallaroo.record import Partition, Rewind


class FailingTask(FakeTask):
    """Fails at an offset."""

    fails_at = 2

    def process(self, records):
        super().process(records)
        return Rewind(self.partition, self.fails_at) if self.next_offset > self.fails_at else None


class Reader:
    """Notes where it is sent to, and when a commit is waited for."""

    def __init__(self):
        self.calls = []

    def seek(self, number, offset):
        self.calls.append((number, offset))

    def await_commit(self):
        self.calls.append("await commit")


@pytest.fixture
def reader():
    return Reader()


@pytest.fixture
def tasks(reader):
    group = TaskGroup(
        lambda at, start, _stores: FailingTask(at, start), reader.seek, reader.await_commit, has_batches=False
    )
    for number in range(2):
        group.start(Partition(TOPIC, number), 0, {})
    return group


def records(number, *offsets):
    return [Record(number, offset) for offset in offsets]


def test_a_task_is_rewound_only_when_the_commit_in_progress_has_been_decided(tasks, reader):
    processed = tasks.process(1, records(1, 0, 1, 2))
    tasks.rewind(processed.rewind)
    assert reader.calls == ["await commit", (1, 0)]


def test_messages_in_hand_of_a_rewound_task_are_dropped_and_its_reader_is_sent_back_again(tasks, reader):
    tasks.rewind(tasks.process(1, records(1, 0, 1, 2)).rewind)
    assert tasks.process(1, records(1, 3)) is None
    assert tasks.process(0, records(0, 0)).records == 1
    assert reader.calls[2:] == [(1, 0)]


def test_messages_without_a_task_are_dropped(tasks):
    tasks.drop(1)
    assert tasks.process(1, records(1, 0)) is None


def test_tasks_may_go_while_somebody_else_iterates_over_them(tasks):
    seen = []
    for task in tasks:
        seen.append(task.partition.number)
        tasks.drop(1)
    assert seen == [0, 1]


def test_an_aborted_commit_takes_every_task_back(tasks, reader):
    tasks.process(1, records(1, 0))
    batches = tasks.collect()
    tasks.process(0, records(0, 0, 1))
    tasks.aborted(batches, None)
    assert reader.calls == [(0, 0), (1, 0)]
    assert tasks.pending_records == 0


def test_the_result_of_a_commit_is_no_concern_of_a_task_that_has_gone(tasks):
    tasks.process(1, records(1, 0))
    batches = tasks.collect()
    tasks.drop(1)
    tasks.committed(batches)
    assert len(tasks) == 1

"""The loop of a generator: who owns it runs it, what fails is begun anew, what is aborted written again."""

import logging
from typing import ClassVar

import pytest
from confluent_kafka import TopicPartition

from tests.unit.testing.raising import RAISED, UnnamedError
from wallaroo.clock import ManualClock
from wallaroo.connectors.generator.loop import GeneratorLoop
from wallaroo.connectors.generator.task import POSITION_KEY, Positions
from wallaroo.connectors.generator.topics import GeneratorTopics
from wallaroo.engine.transaction import COMMITTED, CommitResult
from wallaroo.errors import CommitError, KafkaSetupError, StopProcessing, class_name_of
from wallaroo.serde.codecs import codecs_of
from wallaroo.settings import Settings
from wallaroo.topology.model import Generator

# pytest itself formats what is logged.
TOLD = [error for error in RAISED if not isinstance(error, UnnamedError)]
ABORTED = CommitResult(committed=False, reason="the broker said so")


class Numbers:
    """1, 2, 3, ...; what `failures` names fails that many times."""

    failures: ClassVar[dict[int, int]] = {}
    raises: ClassVar[BaseException | None] = None

    def initial_value(self):
        return 1

    def apply(self, previous):
        if self.failures.get(previous, 0) > 0:
            self.failures[previous] -= 1
            if self.raises is not None:
                raise self.raises
            raise OSError(f"{previous} cannot be had")
        return previous + 1


class Backlog:
    """Full or not, as a test says."""

    def __init__(self):
        self.has_room = True

    def refresh(self):
        return self.has_room

    def written(self, _records):
        pass


class Kafka:
    """A group and topics in memory; waiting moves the clock, and `script` says what the n-th poll does."""

    def __init__(self, clock):
        self.clock = clock
        self.script = {1: self.assign}
        self.results = []
        self.saved = None
        self.written = []
        self.batches = []
        self.opened = 0
        self.backlog = Backlog()
        self.is_gone = False

    def check_topics(self):
        if self.is_gone:
            raise KafkaSetupError("the topic positions is gone")

    # The group's side.

    def subscribe(self, _topics, on_assign, on_revoke, on_lost):
        self._on_assign, self._on_revoke, self._on_lost = on_assign, on_revoke, on_lost
        self._polls = 0

    def poll(self, timeout_seconds):
        self._polls += 1
        self.clock.advance(max(1, round(timeout_seconds * 1000)))
        self.script.get(self._polls, lambda: None)()

    def assign(self):
        self._on_assign(self, [TopicPartition("positions", 0)])

    def revoke(self):
        self._on_revoke(self, [TopicPartition("positions", 0)])

    def incremental_assign(self, partitions):
        assert {tp.offset for tp in partitions} <= {0}

    def pause(self, partitions):
        pass

    def incremental_unassign(self, partitions):
        pass

    def unsubscribe(self):
        self.revoke()

    def close(self):
        pass

    # The side of the generator's topics.

    def open_topics(self):
        self.opened += 1
        return GeneratorTopics(self.write, self.saved, self.backlog)

    def write(self, commit):
        (batch,) = commit.batches
        self.batches.append(batch.records)
        result = self.results.pop(0) if self.results else COMMITTED
        if result.committed:
            self.written += batch.outputs
            self.saved = batch.changes[0].values[POSITION_KEY]
        return result


@pytest.fixture
def kafka():
    return Kafka(ManualClock())


@pytest.fixture
def run(kafka, monkeypatch):
    """A function that runs the loop for so many polls and returns its last status before it stops."""

    def ran(polls, failures=None, **settings):
        monkeypatch.setattr(Numbers, "failures", failures or {})
        generator = Generator("g", "numbers", "group", "topic", "positions", "id", Numbers())
        positions = Positions(generator, codecs_of(None))
        made = Settings(**settings)
        loop = GeneratorLoop(generator, positions, lambda: kafka, kafka.open_topics, made, kafka.clock)
        loop.watch_topics_by(lambda: kafka.check_topics)
        statuses = []

        def stop():
            statuses.append(loop.status())
            loop.stop()

        kafka.script[polls] = stop
        loop.run()
        return statuses[0]

    return ran


def values(kafka):
    return [codecs_of(None).values.decode(value) for _, value, _, _ in kafka.written]


def up_to(end):
    return list(range(1, end + 1))


def test_the_owner_makes_batch_after_batch(kafka, run):
    run(polls=6)
    assert len(kafka.batches) > 1
    assert values(kafka) == up_to(1_000 * len(kafka.batches))


def test_who_is_not_the_owner_does_nothing(kafka, run):
    kafka.script[1] = lambda: kafka._on_assign(kafka, [])
    run(polls=5)
    assert (kafka.opened, kafka.batches) == (0, [])


def test_an_owner_goes_on_behind_the_position_on_record(kafka, run):
    run(polls=4)
    made = len(kafka.written)
    run(polls=4)
    assert values(kafka) == up_to(len(kafka.written))
    assert len(kafka.written) > made


def test_who_loses_the_partition_stops_and_asks_for_the_position_when_it_comes_back(kafka, run):
    kafka.script |= {4: kafka.revoke, 9: kafka.assign}
    run(polls=14)
    assert kafka.opened == 2
    assert values(kafka) == up_to(len(kafka.written))


def test_an_aborted_batch_is_written_again_as_it_was(kafka, run):
    kafka.results = [COMMITTED, ABORTED, ABORTED, COMMITTED]
    run(polls=12)
    assert values(kafka) == up_to(len(kafka.written))
    assert len(kafka.batches) > len(kafka.written) // 1_000


def test_too_many_aborts_in_a_row_end_the_worker(kafka, run):
    kafka.results = [ABORTED] * 20
    with pytest.raises(CommitError, match="11 commits of 'g' in a row were aborted: the broker said so"):
        run(polls=50)


def test_while_the_reader_is_far_behind_nothing_is_made(kafka, run):
    kafka.backlog.has_room = False
    run(polls=7)
    assert kafka.batches == []
    kafka.backlog.has_room = True
    run(polls=14)
    assert values(kafka) == up_to(len(kafka.written)) != []


def test_what_fails_once_is_made_again_and_nothing_is_lost(kafka, run, caplog):
    status = run(polls=60, failures={20: 1})
    assert values(kafka) == up_to(len(kafka.written))
    assert len(kafka.written) >= 20
    assert set(kafka.batches) == {1}
    assert [line.source for line in caplog.records if line.message == "generator failed"] == ["numbers"]
    assert status.problem is None


def test_what_goes_on_failing_is_tried_ever_less_often_and_says_so(kafka, run, caplog):
    status = run(polls=60, failures={3: 1_000})
    assert values(kafka) == [1, 2]
    waits = [line.again_in_seconds for line in caplog.records if line.levelno == logging.ERROR]
    assert waits[:5] == [0.2, 0.4, 0.8, 1.6, 3.2]
    assert status.problem == ("the generator of source 'numbers' failed: OSError('3 cannot be had')")


def test_who_is_no_longer_the_owner_has_no_problem_any_more(kafka, run):
    kafka.script[20] = kafka.revoke
    status = run(polls=25, failures={3: 1_000})
    assert status.problem is None


def test_where_errors_are_to_stop_the_service_a_failure_does(kafka, run):
    with pytest.raises(StopProcessing, match="generator of source 'numbers' failed: OSError"):
        run(polls=60, failures={3: 1}, on_error="stop")


@pytest.mark.parametrize("error", TOLD, ids=class_name_of)
def test_whatever_a_generator_raises_it_begins_anew_and_nothing_is_lost(kafka, run, monkeypatch, error):
    monkeypatch.setattr(Numbers, "raises", error)
    run(polls=60, failures={20: 1})
    assert values(kafka) == up_to(len(kafka.written))
    assert len(kafka.written) >= 20


def test_topics_that_are_gone_end_the_loop_also_where_it_is_not_the_owner(run, kafka):
    kafka.script = {3: lambda: setattr(kafka, "is_gone", True)}
    with pytest.raises(KafkaSetupError, match="is gone"):
        run(9)

"""A generator source, value by value: what is on record is enough to go on, after whatever crash."""

import random
import threading
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis.strategies import integers, lists

from wallaroo.connectors.generator.task import POSITION_KEY, Positions
from wallaroo.errors import RecordError, StoredValueError
from wallaroo.serde.codecs import codecs_of
from wallaroo.topology.model import Generator


class Squares:
    """0, 1, 4, 9, ...: what comes next is in the object, not in the value; ends before `end`."""

    def __init__(self, end=None):
        self.end = end
        self.root = 0

    def initial_value(self):
        return 0

    def apply(self, _previous):
        self.root += 1
        square = self.root**2
        return None if self.end is not None and square >= self.end else square


class Doubling:
    """1, 2, 4, 8, ...: what comes next is in the value alone."""

    def initial_value(self):
        return 1

    def apply(self, previous):
        return previous * 2


class Unpicklable(Doubling):
    def __init__(self):
        self.lock = threading.Lock()


class Unpacked:
    """Says of itself what no StoredValueError is made of."""

    def __iter__(self):
        raise AttributeError


class Empty:
    def initial_value(self):
        return None

    def apply(self, previous):
        raise AssertionError(previous)


class Breaking(Doubling):
    """Raises instead of making 16."""

    def apply(self, previous):
        if previous == 8:
            raise ValueError("eight is enough")
        return previous * 2


@dataclass
class Reading:
    number: int


class Reused:
    """Returns one and the same object again and again, changed by `apply`."""

    def initial_value(self):
        return Reading(0)

    def apply(self, previous):
        previous.number += 1
        return previous


class Dice:
    def __init__(self):
        self.rng = random.Random(7)  # noqa: S311 - a die, no secret

    def initial_value(self):
        return 0

    def apply(self, _previous):
        return self.rng.randint(1, 6)


def always_early():
    return False


class Driver:
    """A generator, what it has written, and the position that would survive a crash."""

    def __init__(self, new_instance, module=None):
        self.codecs = codecs_of(module)
        self.written = []
        self.position = None
        self._new_instance = new_instance
        self.crash()

    def crash(self):
        """All that is left is the position: the application is loaded anew."""
        self.instance = self._new_instance()
        generator = Generator("g", "g", "group", "topic", "positions", "transactional-id", self.instance)
        self.positions = Positions(generator, self.codecs)
        self.task = self.positions.new_task(self.position)

    def run(self, most, is_late=always_early):
        """Make a batch and commit it."""
        batch = self.task.collect(most, is_late)
        if batch is not None:
            self.written += [self.codecs.values.decode(value) for _, value, _, _ in batch.outputs]
            self.position = batch.changes[0].values[POSITION_KEY]
        return batch


def squares(numbers):
    return [number**2 for number in range(numbers)]


def test_the_first_value_is_the_initial_one_and_apply_makes_each_next():
    driver = Driver(Doubling)
    driver.run(5)
    assert driver.written == [1, 2, 4, 8, 16]


@given(lists(integers(1, 7), max_size=10), integers(0, 9))
def test_a_crash_neither_repeats_nor_skips_a_value(batches, crash_after):
    driver = Driver(Squares)
    for number, most in enumerate(batches):
        driver.run(most)
        if number >= crash_after:
            driver.crash()
    assert driver.written == squares(sum(batches))


@given(integers(0, 5), integers(1, 5))
def test_a_batch_that_was_not_committed_is_made_again(committed, lost):
    driver = Driver(Squares)
    if committed:
        driver.run(committed)
    driver.task.collect(lost, always_early)
    driver.crash()
    driver.run(3)
    assert driver.written == squares(committed + 3)


def test_a_batch_ends_when_it_is_late_but_holds_at_least_one_value():
    driver = Driver(Doubling)
    driver.run(1_000, lambda: True)
    assert driver.written == [1]


def test_a_batch_of_large_values_is_a_small_one():
    driver = Driver(Doubling)
    driver.task._value = "x" * 1_000_000
    batch = driver.run(1_000)
    assert batch.records < 5


def test_values_and_position_are_written_to_partition_0_of_their_topics():
    batch = Driver(Doubling).run(2)
    assert [(topic, key, partition) for topic, _, key, partition in batch.outputs] == [("topic", None, 0)] * 2
    assert (batch.changes[0].topic, batch.partition.number) == ("positions", 0)


def test_none_ends_a_generator_for_good_behind_the_last_value():
    driver = Driver(lambda: Squares(end=5))
    driver.run(10)
    assert driver.written == [0, 1, 4]
    assert driver.task.ended
    driver.crash()
    assert driver.task.ended
    assert driver.run(10) is None


def test_a_generator_without_a_first_value_has_ended_before_it_began():
    driver = Driver(Empty)
    assert driver.task.ended
    assert driver.run(10) is None


def test_the_object_that_the_application_made_is_left_as_it_was():
    driver = Driver(Squares)
    driver.run(10)
    assert driver.instance.root == 0


def test_apply_comes_before_the_value_is_written_as_in_the_original():
    driver = Driver(Reused)
    driver.run(3)
    assert driver.written == [Reading(1), Reading(2), Reading(3)]


def test_an_object_that_is_changed_again_and_again_survives_a_crash():
    driver = Driver(Reused)
    driver.run(3)
    driver.crash()
    driver.run(2)
    assert [reading.number for reading in driver.written] == [1, 2, 3, 4, 5]


def test_chance_goes_on_where_it_was():
    uninterrupted, crashing = Driver(Dice), Driver(Dice)
    uninterrupted.run(20)
    for _ in range(20):
        crashing.run(1)
        crashing.crash()
    assert crashing.written == uninterrupted.written


def test_an_object_that_cannot_be_pickled_goes_on_from_its_last_value():
    driver = Driver(Unpicklable)
    assert not driver.positions.complete
    driver.run(3)
    driver.crash()
    driver.run(3)
    assert driver.written == [1, 2, 4, 8, 16, 32]


def test_what_fails_leaves_nothing_behind_and_everything_before_it_can_be_made_one_by_one():
    driver = Driver(Breaking)
    with pytest.raises(ValueError, match="eight is enough"):
        driver.run(10)
    for _ in range(3):
        driver.crash()
        driver.run(1)
    with pytest.raises(ValueError, match="eight is enough"):
        driver.run(1)
    assert driver.written == [1, 2, 4]


def test_a_value_that_could_not_be_read_again_is_refused_when_it_is_made():
    driver = Driver(Doubling)
    driver.task._value = threading
    driver.task._generator = SimpleNamespace(apply=lambda _previous: 1)
    with pytest.raises((RecordError, TypeError)):
        driver.run(1)


def test_the_application_s_own_serialize_makes_the_values_and_we_the_position():
    module = SimpleNamespace(__name__="app", serialize=lambda value: str(value).encode(), deserialize=int)
    driver = Driver(Squares, module)
    driver.run(4)
    driver.crash()
    driver.run(2)
    assert driver.written == squares(6)
    assert driver.position[:2] == b"1G"


@pytest.mark.parametrize(
    "position", [b"", b"1", b"1X", b"2G", b"1G", b"1Gjunk", b"1Vjunk", b"1U", b"\xff" * 99]
)
def test_bytes_that_are_no_position_are_refused_with_what_to_do(position):
    driver = Driver(Squares)
    with pytest.raises(
        StoredValueError, match=r"position in positions cannot be read.*begin anew by writing"
    ):
        driver.positions.decode(position)


def test_a_position_that_only_claims_to_be_two_things_is_not_asked_for_them():
    driver = Driver(Squares)
    forged = codecs_of(None).values.encode(Unpacked())
    with pytest.raises(StoredValueError, match="no generator and value"):
        driver.positions.decode(b"1G" + forged)


def test_a_forged_position_runs_no_code():
    import os  # noqa: PLC0415
    import pickle  # noqa: PLC0415

    class Forged:
        def __reduce__(self):
            return os.getcwd, ()

    driver = Driver(Squares)
    with pytest.raises(StoredValueError, match="cannot be read"):
        driver.positions.decode(b"1G1P" + pickle.dumps((Forged(), 1)))

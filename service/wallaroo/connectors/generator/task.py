"""GeneratorTask: a generator source, value by value. Like a Task, it computes and never writes.

Rules for whoever edits this file:
1. `apply(value)` is called before the value is written: downstream sees how it changed the value, as in
   Wallaroo.
2. A batch holds values and the position after them; both are committed or neither.
3. What raises here is user code. A task that has raised must be replaced by one made from the saved position.

A saved position is one of

    1G...     the generator object and its next value, pickled by the service, or
    1U...     the same, encoded by the application's own `serialize`
    1V...     only the next value: the object cannot be pickled
    1E        the generator has ended
"""

from collections.abc import Callable
from functools import cached_property
from typing import Any

from wallaroo.clock import Clock
from wallaroo.engine.commit_watch import CommitWatch, topics_of
from wallaroo.engine.failure_log import FailureLog
from wallaroo.engine.transaction import Commit
from wallaroo.errors import Interrupt, StoredValueError
from wallaroo.record import Batch, Changes, Output, Partition, RawRecord
from wallaroo.serde.codecs import Codecs
from wallaroo.serde.formats import GENERATOR, GENERATOR_END, GENERATOR_VALUE, USER, is_foreign
from wallaroo.serde.object_codec import Codec
from wallaroo.topology.model import Generator

POSITION_KEY = b"generator"
# A generator is one stream in one order, however many partitions its topics have.
PARTITION = 0

_OBJECT_AND_VALUE = 2
# A batch ends with the value that reaches this size.
_BATCH_BYTES = 4_194_304


class Positions:
    """Encodes and decodes a generator's position; `complete` is False if its object cannot be saved."""

    def __init__(self, generator: Generator, codecs: Codecs) -> None:
        self._generator = generator
        self._instance = generator.instance
        self._topic = generator.positions
        self._values = codecs.values
        self._codecs: dict[bytes, Codec] = {GENERATOR: codecs.ours}
        if codecs.values is not codecs.ours:
            self._codecs[USER] = codecs.values
        self._usable = dict(self._codecs)

    @property
    def complete(self) -> bool:
        return bool(self._usable)

    def new_task(self, position: bytes | None) -> "GeneratorTask":
        """The task that goes on from a saved position, or begins if there is none."""
        start = self._first if position is None else position
        return GeneratorTask(self._generator, self, self._values, start)

    def encode(self, generator: Any, value: Any) -> bytes:
        """The position of a generator before this value; None means that it has ended."""
        if value is None:
            return GENERATOR_END
        for kind, codec in list(self._usable.items()):
            try:
                return kind + codec.encode((generator, value))
            except Interrupt:
                raise
            except BaseException:  # whatever the user's own pickling raises: another format may do
                del self._usable[kind]
        return GENERATOR_VALUE + self._values.encode(value)

    def decode(self, position: bytes) -> tuple[Any, Any]:
        """The generator and its next value; StoredValueError if the bytes are no position."""
        kind, payload = position[:2], position[2:]
        if kind == GENERATOR_END:
            return self._instance, None
        found: Any = None
        try:
            if kind == GENERATOR_VALUE:
                return self._instance, self._values.decode(payload)
            if kind in self._codecs:
                found = self._codecs[kind].decode(payload)
        except StoredValueError as error:
            raise StoredValueError(self._unreadable(str(error))) from error
        # Unpacking any other type would run code of its own.
        if type(found) in (tuple, list) and len(found) == _OBJECT_AND_VALUE:
            return found[0], found[1]
        raise StoredValueError(self._unreadable(f"no generator and value in the format {kind!r}"))

    @cached_property
    def _first(self) -> bytes:
        """The position that a generator begins at; its object is asked only once."""
        value = self._instance.initial_value()
        position = self.encode(self._instance, value)
        while self.complete and not self._can_decode(position):
            del self._usable[position[:2]]
            position = self.encode(self._instance, value)
        return position

    def _can_decode(self, position: bytes) -> bool:
        try:
            return type(self.decode(position)[0]) is type(self._instance)
        except StoredValueError:
            return False

    def _unreadable(self, why: str) -> str:
        return (
            f"the position in {self._topic} cannot be read: {why}; bring the generator's class back as it "
            f"was, or begin anew by writing a record with the key {POSITION_KEY.decode()!r} and no value"
        )


class GeneratorTask:
    """The values of a generator from a position on."""

    def __init__(self, generator: Generator, positions: Positions, codec: Codec, position: bytes) -> None:
        self._topic = generator.topic
        self._store = generator.name
        self._changelog = Partition(generator.positions, PARTITION)
        self._positions = positions
        self._encode = codec.encode
        self._generator, self._value = positions.decode(position)

    @property
    def ended(self) -> bool:
        return self._value is None

    def collect(self, most: int, time_is_up: Callable[[], bool]) -> Batch | None:
        """The next values, at least one and at most `most`, until time is up; None at the end."""
        outputs: list[Output] = []
        size = 0
        while self._value is not None and len(outputs) < most and size < _BATCH_BYTES:
            value, self._value = self._value, self._generator.apply(self._value)
            encoded = self._encode(value)
            outputs.append((self._topic, encoded, None, PARTITION))
            size += len(encoded)
            if time_is_up():
                break
        if not outputs:
            return None
        position = self._positions.encode(self._generator, self._value)
        changes = Changes(self._store, self._changelog.topic, {POSITION_KEY: position})
        return Batch(self._changelog, 0, len(outputs), 0, outputs, (changes,), {}, {})


def new_logs(generator: Generator, clock: Clock) -> tuple[CommitWatch, FailureLog]:
    """What the loop of a generator says of commits that do not succeed, and of values that are refused."""
    return CommitWatch(generator.name, clock), FailureLog(clock)


def topics_in(batch: Batch) -> list[str]:
    """Every topic that a batch writes."""
    return topics_of(Commit((batch,), None))


def is_position(record: RawRecord) -> bool:
    """Whether a record of the topic of positions is one, and nothing that something else has written."""
    return bool(record.key() == POSITION_KEY) and not is_foreign(record.value())

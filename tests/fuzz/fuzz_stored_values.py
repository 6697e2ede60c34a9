"""Coverage-guided fuzzing of everything that reads bytes back from a topic; `make fuzz` runs it.

Damaged or forged, a value is read or it is a StoredValueError: nothing else is raised, and nothing runs. What
asks for more memory than there is, is a StoredValueError too; what asks for much time can end a run.
"""

import resource
import sys
from collections import Counter, defaultdict, deque
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from random import Random
from uuid import UUID

import atheris
from pieces import made_up_and_damaged

from tests.properties.shapes import Color, Frozen, OwnList, Pair

with atheris.instrument_imports():
    from wallaroo.connectors.generator.task import Positions
    from wallaroo.errors import StoredValueError
    from wallaroo.serde.codecs import codecs_of
    from wallaroo.serde.object_codec import state_codec
    from wallaroo.serde.pickle import RestrictedPickle
    from wallaroo.topology.model import Generator

KINDS = (
    *(b"1J", b"1D", b"1M", b"1P", b"1S", b"1B", b"1U", b"1G1P", b"1V1S", b"1E", b"1P\x80\x05", b""),
    *(b"1Jtests.properties.shapes:Frozen\n", b"1Dtests.properties.shapes:Frozen\n\x80\x05"),
)


class Total:
    """A state as applications have it."""

    total = 0


class Numbers:
    """A generator as applications have it."""

    def initial_value(self) -> int:
        return 0

    def apply(self, previous: int) -> int:
        return previous + 1


CODECS = codecs_of(None)
READERS = (
    state_codec(Total, RestrictedPickle()).decode,
    CODECS.values.decode,
    Positions(Generator("n", "n", "g", "t", "p", "i", Numbers()), CODECS).decode,
)


MEMORY_BYTES = 1_000_000_000


def doubled(value: object, times: int) -> object:
    """A value that is in many places."""
    for _ in range(times):
        value = (value, value)
    return value


VALUES = (
    {"total": 1, "names": ["a", "b"], "pair": (1.5, None)},
    {frozenset({1, 2}), Decimal("1.5"), datetime(2026, 1, 2, tzinfo=UTC)},
    [deque([1, 2], maxlen=3), defaultdict(list, {"a": [1]}), Counter("abc"), bytearray(b"x")],
    Random(1),  # noqa: S311 - a value like any other
    (Numbers(), 7),
    {doubled("a", 9): 1, Frozen(doubled((), 5)): {frozenset([doubled(1, 3)])}},
    [OwnList([1, 2]), Pair(1, [2]), Color.RED, OwnList, UUID(int=7), Fraction(1, 3), slice(1, 2), range(3)],
    Frozen([1, 2]),
    Frozen("plain"),
)
SAMPLES = tuple(CODECS.values.encode(value) for value in VALUES)


def fuzz(data: bytes) -> None:
    """Every reader gets both."""
    for value in made_up_and_damaged(data, KINDS, SAMPLES, 400):
        _read(value)


def _read(value: bytes) -> None:
    for read in READERS:
        try:
            read(value)
        except StoredValueError:
            continue


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    atheris.Setup(sys.argv, fuzz)
    atheris.Fuzz()

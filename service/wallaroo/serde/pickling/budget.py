"""What reading a stored value may cost: in proportion to its bytes, and no deeper than one can be written.

With one tuple in many places, a value can be small and yet take forever to be hashed, compared or shown. For
those it is as large as it would be with every such place written out.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any

from wallaroo.errors import StoredValueError
from wallaroo.serde.pickling.parts import Parts

# How deep values can be nested before C code that follows them runs out of stack; no pickler writes so deep.
DEEPEST = 10_000

_STEPS_AT_LEAST = 500_000
_STEPS_PER_BYTE = 4
# What is copied, hashed or compared in one step.
_BYTES_PER_STEP = 64
# Ints of more bits than this can have any hash that one likes.
_LONGEST_INT_BITS = 62
_CONTAINERS = frozenset({tuple, list, dict, set, frozenset})
_SIZED = frozenset({str, bytes, bytearray, int, Decimal})


class Budget:
    """The steps that are left for one value; StoredValueError where there are none."""

    def __init__(self, size_bytes: int, parts_of: Callable[[type], Parts | None]) -> None:
        self._left = _STEPS_AT_LEAST + _STEPS_PER_BYTE * size_bytes
        self._parts_of = parts_of
        # How often each hash is among the keys of a container.
        self._hashes: dict[int, Counter[int]] = {}

    def spend(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise _refusal()

    def walk(self, value: Any) -> int:
        """Allow for a walk through a value; how many steps it takes."""
        steps = 0
        parts_of = self._parts_of
        ways: list[Iterator[Any]] = [iter((value,))]
        while ways:
            for each in ways[-1]:
                kind = type(each)
                steps += 1 + (_steps(each) if kind in _SIZED else 0)
                parts = parts_of(kind)
                if parts is not None:
                    ways.append(parts(each))
                    break
            else:
                ways.pop()
            if steps > self._left or len(ways) > DEEPEST:
                raise _refusal()
        self._left -= steps
        return steps

    def copy(self, value: Any) -> None:
        """Allow for a copy of text, bytes, a number or a container, but not of what is in it."""
        kind = type(value)
        if kind in _SIZED:
            self.spend(1 + _steps(value))
        elif kind in _CONTAINERS:
            self.spend(1 + len(value))

    def hash_all(self, keys: Iterable[Any], holder: object) -> None:
        """Allow for keys that become those of a dict, or members of a set."""
        size = 0
        for key in keys:
            kind = type(key)
            if kind is str:
                size += len(key)
            elif kind is not int or key.bit_length() > _LONGEST_INT_BITS:
                self._hash(key, holder)
        self.spend(size // _BYTES_PER_STEP)

    def _hash(self, key: Any, holder: object) -> None:
        steps = self.walk(key)
        seen = self._hashes.setdefault(id(holder), Counter())
        made = hash(key)
        # Keys of one hash are compared with each other.
        self.spend(steps * seen[made])
        seen[made] += 1


def _refusal() -> StoredValueError:
    return StoredValueError("a stored value takes more to read than its size explains")


def _steps(value: Any) -> int:
    return sys.getsizeof(value) // _BYTES_PER_STEP

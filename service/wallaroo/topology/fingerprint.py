"""What all processes of a service must have compiled alike: a topology as lines of text, to be compared."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from itertools import zip_longest
from typing import Any

from wallaroo.errors import TopologyError

_ENDS = (str, bytes, int, float, type(None))


def fingerprint(topology: Any) -> tuple[str, ...]:
    """Every name, topic, number and function of a topology, one line each; users' objects by their class."""
    return tuple(_lines("", topology))


def check_same(
    ones: Sequence[str],
    others: Sequence[str],
    where: tuple[str, str] = ("in the supervisor", "in this worker"),
) -> None:
    """Raise TopologyError with the first difference, if there is one; `where` says whose they are."""
    if not ones:
        return
    for one, other in zip_longest(ones, others, fillvalue="nothing more"):
        if one != other:
            raise TopologyError(
                f"the application differs from one process to the next: {one} {where[0]}, {other} "
                f"{where[1]}; the names and numbers that application_setup gives must be the same "
                "whenever and wherever it is called: no time, no chance, no process id"
            )


def _lines(path: str, value: Any) -> Iterator[str]:
    if is_dataclass(value) and not isinstance(value, type) and type(value).__module__.startswith("wallaroo."):
        for each in fields(value):
            yield from _lines(f"{path}.{each.name}" if path else each.name, getattr(value, each.name))
    elif isinstance(value, Mapping):
        for name in sorted(value, key=str):
            yield from _lines(f"{path}[{name!r}]", value[name])
    elif isinstance(value, tuple | list):
        for number, each in enumerate(value):
            yield from _lines(f"{path}[{number}]", each)
    else:
        yield f"{path}={value!r}" if isinstance(value, _ENDS) else f"{path}={_name_of(value)}"


def _name_of(value: Any) -> str:
    """A function or class by its name; any other object by its class: its text may hold an address."""
    named = value if hasattr(value, "__qualname__") else type(value)
    return f"{getattr(named, '__module__', '')}.{named.__qualname__}"

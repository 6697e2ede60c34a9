"""The decorators: a user's function in, a wrapper of `stages.py` out."""

import struct
from collections.abc import Callable
from typing import Any

from wallaroo.api.checks import check_factory, check_function, check_name, check_whole
from wallaroo.api.stages import (
    BaseWrapped,
    Computation,
    ComputationMulti,
    Decoder,
    Encoder,
    KeyExtractor,
    StateComputation,
    StateComputationMulti,
)
from wallaroo.errors import WallarooParameterError

# bytes: the largest integer that struct knows
_LONGEST_HEADER = 8

_DATA = ("data",)
_DATA_AND_STATE = ("data", "state")

OneArgument = Callable[[Any], Any]
TwoArguments = Callable[[Any, Any], Any]


def computation(name: str) -> Callable[[OneArgument], Computation]:
    """Decorate `f(data)`, which returns one message, or None to drop it."""
    label = _named("@computation", name)
    return lambda func: Computation(_checked(label, func, _DATA), name)


def computation_multi(name: str) -> Callable[[OneArgument], ComputationMulti]:
    """Decorate `f(data)`, which returns a list of messages, or None."""
    label = _named("@computation_multi", name)
    return lambda func: ComputationMulti(_checked(label, func, _DATA), name)


def state_computation(name: str, state: Callable[[], Any]) -> Callable[[TwoArguments], StateComputation]:
    """Decorate `f(data, state)`, which changes the key's state in place and returns one message, or None.

    `state` is the class of the state, or a function that makes a new one. With `__slots__` in that class a
    state takes less memory, and its attributes are found quicker, by your function and by the engine.
    """
    label = _named("@state_computation", name)
    check_factory(f"{label}: state", state)
    return lambda func: StateComputation(_checked(label, func, _DATA_AND_STATE), name, state)


def state_computation_multi(
    name: str, state: Callable[[], Any]
) -> Callable[[TwoArguments], StateComputationMulti]:
    """Decorate `f(data, state)`, which changes the key's state in place and returns a list, or None.

    `state` is the class of the state, or a function that makes a new one. With `__slots__` in that class a
    state takes less memory, and its attributes are found quicker, by your function and by the engine.
    """
    label = _named("@state_computation_multi", name)
    check_factory(f"{label}: state", state)
    return lambda func: StateComputationMulti(_checked(label, func, _DATA_AND_STATE), name, state)


def key_extractor(func: OneArgument) -> KeyExtractor:
    """Decorate `f(data)`, which returns the key of a message: a str, bytes or an int."""
    checked = _checked("@key_extractor", func, _DATA)
    return KeyExtractor(checked, func.__name__)


def encoder(func: OneArgument) -> Encoder:
    """Decorate `f(data)`, which returns what a sink writes.

    For TCP bytes, a str (as UTF-8), or None to write nothing; for Kafka also `(value, key)` or
    `(value, key, partition)`.
    """
    checked = _checked("@encoder", func, _DATA)
    return Encoder(checked, func.__name__)


def decoder(header_length: int = 4, length_fmt: str = ">I") -> Callable[[OneArgument], Decoder]:
    """Decorate `f(bs)`, which turns a payload into a message, or returns None to drop it.

    On TCP a header of `header_length` bytes (1 to 8) stands before each payload and tells its length
    in the `struct` format `length_fmt`; Kafka records have no such header.
    """
    if callable(header_length):
        raise WallarooParameterError(f"@decoder needs parentheses: write @decoder() above {header_length!r}")
    _check_framing(header_length, length_fmt)
    return lambda func: Decoder(_checked("@decoder", func, ("bs",)), func.__name__, header_length, length_fmt)


def _named(decorator: str, name: object) -> str:
    if callable(name):
        raise WallarooParameterError(
            f'{decorator} needs a name: write {decorator}("name of the stage") above {name!r}'
        )
    return f"{decorator}({check_name(decorator, name)!r})"


def _checked(label: str, func: Any, parameters: tuple[str, ...]) -> Callable[..., Any]:
    if isinstance(func, BaseWrapped):
        raise WallarooParameterError(
            f"{label} stands on {func!r}, which is decorated already; keep one of the two"
        )
    check_function(label, func, parameters)
    return func  # type: ignore[no-any-return]


def _check_framing(header_length: int, length_fmt: str) -> None:
    check_whole("@decoder: header_length", header_length, at_least=1)
    if header_length > _LONGEST_HEADER:
        raise WallarooParameterError(
            f"@decoder: header_length must be 1 to {_LONGEST_HEADER}, not {header_length}"
        )
    try:
        fields = struct.unpack(length_fmt, bytes(header_length))
    except (struct.error, TypeError) as error:
        raise WallarooParameterError(
            f"@decoder: length_fmt {length_fmt!r} does not describe {header_length} bytes: {error}"
        ) from error
    if not fields or not isinstance(fields[0], int):
        raise WallarooParameterError(
            f'@decoder: length_fmt {length_fmt!r} does not begin with an integer; for 4 bytes use ">I"'
        )

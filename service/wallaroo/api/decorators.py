"""The decorators: each turns a user's function into a wrapper of `stages.py`."""

import struct
from collections.abc import Callable
from typing import Any, cast, overload

from wallaroo.api.checks import check_factory, check_function, check_name, check_ttl, check_whole
from wallaroo.api.stages import (
    Computation,
    ComputationMulti,
    Decoder,
    Encoder,
    In,
    KeyExtractor,
    State,
    StateComputation,
    StateComputationMulti,
)
from wallaroo.api.typed import (
    ComputationDecorator,
    ComputationMultiDecorator,
    DecoderDecorator,
    Key,
    StateComputationDecorator,
    StateComputationMultiDecorator,
)
from wallaroo.errors import WallarooParameterError

# Bytes of the largest integer that struct can unpack.
_LONGEST_HEADER = 8


def computation(name: str) -> ComputationDecorator:
    """Decorate `f(data)`, a stateless stage that returns one message, or None to drop its input.

    `name` is unique in the application; topics, metrics and dead letters carry it. As in Wallaroo, a list or
    a tuple is one message, and the result keeps the key and the event time of the input. `f(data, context)`
    gets a `wallaroo.Context`, too.

    Raises WallarooParameterError if the name is missing, or if the function is not a plain def of one
    parameter, or of two.

    Example:

    >>> @wallaroo.computation(name="to fahrenheit")
    ... def to_fahrenheit(celsius):
    ...     return celsius * 1.8 + 32
    >>> to_fahrenheit.compute(100)
    212.0
    """
    label = _named("@computation", name)
    return cast(ComputationDecorator, lambda func: Computation(check_function(label, func, "data"), name))


def computation_multi(name: str) -> ComputationMultiDecorator:
    """Decorate `f(data)`, a stateless stage that returns a list of messages, or None for none.

    As in Wallaroo, the messages go on one by one, in order, without those that are None.

    Raises WallarooParameterError as `computation` does.

    Example:

    >>> @wallaroo.computation_multi(name="split")
    ... def split(line):
    ...     return line.split()
    >>> split.compute_multi("to be or not")
    ['to', 'be', 'or', 'not']
    """
    label = _named("@computation_multi", name)
    return cast(
        ComputationMultiDecorator,
        lambda func: ComputationMulti(check_function(label, func, "data"), name),
    )


def state_computation(
    name: str, state: Callable[[], State], ttl: int | None = None
) -> StateComputationDecorator[State]:
    """Decorate `f(data, state)`, which changes the key's state and returns one message, or None.

    Each key has a state of its own, made by `state`: a class or function without parameters. As in Wallaroo,
    a state is made when its key's first message comes, and the function changes it in place. A class with
    `__slots__` takes less memory and is read faster. `f(data, state, context)` gets a `wallaroo.Context`,
    too, which can delete the state.

    With `ttl`, in nanoseconds of event time, a message finds a fresh state if it is more than that later than
    the latest message of its key before it, and the state of a key without messages for so long is removed.

    Raises WallarooParameterError if the name is missing, if `state` cannot be called without arguments, if
    the function is not a plain def of two parameters, or of three, or if `ttl` is not a whole number of at
    least 1.

    Example:

    >>> class Total:
    ...     amount = 0
    >>> @wallaroo.state_computation(name="add", state=Total)
    ... def add(amount, total):
    ...     total.amount += amount
    ...     return total.amount
    >>> total = Total()
    >>> [add.compute(5, total), add.compute(7, total)]
    [5, 12]
    >>> @wallaroo.state_computation(name="add today", state=Total, ttl=wallaroo.hours(24))
    ... def add_today(amount, total):
    ...     return add.compute(amount, total)
    """
    label = _named("@state_computation", name)
    check_factory(f"{label}: state", state)
    check_ttl(label, ttl)
    return cast(
        StateComputationDecorator[State],
        lambda func: StateComputation(check_function(label, func, "data", "state"), name, state, ttl),
    )


def state_computation_multi(
    name: str, state: Callable[[], State], ttl: int | None = None
) -> StateComputationMultiDecorator[State]:
    """Decorate `f(data, state)`, which changes the key's state and returns a list of messages, or None.

    The state and its `ttl` are those of `state_computation`, the list that of `computation_multi`.

    Raises WallarooParameterError as `state_computation` does.

    Example:

    >>> class Seen:
    ...     def __init__(self):
    ...         self.words = []
    >>> @wallaroo.state_computation_multi(name="new words", state=Seen)
    ... def new_words(line, seen):
    ...     new = [word for word in line.split() if word not in seen.words]
    ...     seen.words += new
    ...     return new
    >>> new_words.compute_multi("no news", Seen())
    ['no', 'news']
    """
    label = _named("@state_computation_multi", name)
    check_factory(f"{label}: state", state)
    check_ttl(label, ttl)
    return cast(
        StateComputationMultiDecorator[State],
        lambda func: StateComputationMulti(check_function(label, func, "data", "state"), name, state, ttl),
    )


@overload
def key_extractor(func: Callable[[In], Key]) -> KeyExtractor[In]: ...
@overload
def key_extractor(func: Callable[[In, Any], Key]) -> KeyExtractor[In]: ...
def key_extractor(func: Callable[..., Any]) -> KeyExtractor[Any]:
    """Decorate `f(data)`, which returns the key of a message: a str, bytes or an int.

    An int becomes decimal text; Wallaroo made `chr(n)` of it. The function's name is part of the name of the
    repartition topic. Any other result makes a dead letter of the record. `f(data, context)` gets a
    `wallaroo.Context`, too.

    Raises WallarooParameterError if the function is not a plain def of one parameter, or of two.

    Example:

    >>> @wallaroo.key_extractor
    ... def user(transaction):
    ...     return transaction["user"]
    >>> user.extract_key({"user": "Rex", "amount": 5})
    'Rex'
    """
    return KeyExtractor(check_function("@key_extractor", func, "data"), func.__name__)


@overload
def encoder(func: Callable[[In], Any]) -> Encoder[In]: ...
@overload
def encoder(func: Callable[[In, Any], Any]) -> Encoder[In]: ...
def encoder(func: Callable[..., Any]) -> Encoder[Any]:
    """Decorate `f(data)`, which returns what a sink writes.

    That is bytes, a str (written as UTF-8), or None to write nothing; for Kafka also `(value, key)`,
    `(value, key, partition)` or a `wallaroo.Output`. `f(data, context)` gets a `wallaroo.Context`, too.

    Raises WallarooParameterError if the function is not a plain def of one parameter, or of two.

    Example:

    >>> @wallaroo.encoder
    ... def encode(alert):
    ...     return f"{alert['user']}: {alert['total']}", alert["user"]
    >>> encode.encode({"user": "Rex", "total": 2100})
    ('Rex: 2100', 'Rex')
    """
    return Encoder(check_function("@encoder", func, "data"), func.__name__)


def decoder(header_length: int = 4, length_fmt: str = ">I") -> DecoderDecorator:
    """Decorate `f(bs)`, which turns the bytes of a payload into a message, or returns None to drop it.

    On TCP, a header of `header_length` bytes (1 to 8) precedes each payload and gives its length in bytes,
    in the `struct` format `length_fmt`. Kafka records have no such header. The defaults are those that
    Wallaroo documents. `f(bs, context)` gets a `wallaroo.Context`, too.

    Raises WallarooParameterError if the header and its format do not fit, or if the function is not a plain
    def of one parameter, or of two.

    Example:

    >>> @wallaroo.decoder(header_length=4, length_fmt=">I")
    ... def decode(bs):
    ...     return bs.decode()
    >>> decode.decode(b"hello")
    'hello'
    """
    if callable(header_length):
        raise WallarooParameterError(f"@decoder needs parentheses: write @decoder() above {header_length!r}")
    _check_framing(header_length, length_fmt)
    return cast(
        DecoderDecorator,
        lambda func: Decoder(
            check_function("@decoder", func, "bs"), func.__name__, header_length, length_fmt
        ),
    )


def _named(decorator: str, name: object) -> str:
    if callable(name):
        raise WallarooParameterError(
            f'{decorator} needs a name: write {decorator}("name of the stage") above {name!r}'
        )
    return f"{decorator}({check_name(decorator, name)!r})"


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

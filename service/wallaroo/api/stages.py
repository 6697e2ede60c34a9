"""What the decorators return: marker classes that hold the user's function."""

import functools
import struct
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any, ClassVar, Generic, Self
from weakref import WeakValueDictionary

from typing_extensions import TypeVar

from wallaroo.api.context import takes_context
from wallaroo.errors import WallarooParameterError

# Of messages before and behind a stage, and of its state; without annotations they are Any.
In = TypeVar("In", contravariant=True, default=Any)  # noqa: PLC0105 - what readers of a signature see
Out = TypeVar("Out", covariant=True, default=Any)  # noqa: PLC0105
State = TypeVar("State", default=Any)

# Module, qualified name, and how many of that name were declared before.
Declaration = tuple[str, str, int]

_declared: WeakValueDictionary[Declaration, Any] = WeakValueDictionary()
_counts: Counter[tuple[str, str]] = Counter()


class BaseWrapped:
    """Base class of everything that wraps a user's code, as in Wallaroo."""

    def __call__(self, *_args: Any, **_kwargs: Any) -> Self:
        """Return the object itself, as in Wallaroo: unit tests call `.compute(...)` and its like instead."""
        return self


class WrappedFunction(BaseWrapped):
    """One function of the user under a name; `func` is the function as it was written."""

    # The attribute that holds the user's function: a method would cost a stack frame per record.
    _calls: ClassVar[str] = "func"
    # How many arguments it gets besides a context.
    _arguments: ClassVar[int] = 1
    __qualname__: str

    def __init__(self, func: Callable[..., Any], name: str) -> None:
        functools.update_wrapper(self, func, updated=())
        self.func = func
        self.takes_context = takes_context(func, self._arguments)
        self._name = name
        setattr(self, self._calls, func)
        self._declaration = _declare(self)

    def name(self) -> str:
        """Return the name that metrics, dead letters and topics carry."""
        return self._name

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._name!r}>"

    def __reduce__(self) -> str | tuple[Any, ...]:
        if _is_global(self):
            return self.__qualname__
        return recall, (self._declaration,)


class Computation(WrappedFunction, Generic[In, Out]):
    """A stateless stage, made by `@computation`: `compute(data)` is the user's function."""

    _calls = "compute"
    is_stateful: ClassVar[bool] = False
    compute: Callable[..., Any]
    initial_state: Callable[[], Any] | None = None


class ComputationMulti(Computation[In, Out]):
    """A stateless stage, made by `@computation_multi`: `compute_multi(data)` is the user's function."""

    _calls = "compute_multi"
    compute_multi: Callable[..., Any]


class StateComputation(Computation[In, Out], Generic[In, State, Out]):
    """A stage with one state per key, made by `@state_computation`.

    `compute(data, state)` is the user's function; `initial_state()` makes a new state. `ttl` is how many
    nanoseconds of event time a state lives after the latest record of its key; None means for ever.
    """

    is_stateful = True
    _arguments = 2
    initial_state: Callable[[], Any]

    def __init__(
        self, func: Callable[..., Any], name: str, state: Callable[[], Any], ttl: int | None = None
    ) -> None:
        super().__init__(func, name)
        self.state = state
        self.ttl = ttl
        self.initial_state = state


class StateComputationMulti(StateComputation[In, State, Out], ComputationMulti[In, Out]):
    """A `StateComputation` with `compute_multi(data, state)`, made by `@state_computation_multi`."""

    _calls = "compute_multi"


class KeyExtractor(WrappedFunction, Generic[In]):
    """Extracts the key by which a message is partitioned; made by `@key_extractor`."""

    def extract_key(self, data: Any, *context: Any) -> str | bytes:
        """Return the key of a message: str and bytes as they are, an int as decimal text.

        A function that takes a context has to be given one, too.

        Raises WallarooParameterError if the function returns anything else.
        """
        key = self.func(data, *context)
        if isinstance(key, str | bytes):
            return key
        if isinstance(key, int) and not isinstance(key, bool):
            return str(int(key))
        raise WallarooParameterError(
            f"key extractor {self._name!r} returned {key!r}, a {type(key).__name__}; "
            "a key is a str, bytes or an int"
        )


class Encoder(WrappedFunction, Generic[In]):
    """Turns a message into what a sink writes, made by `@encoder`: `encode(data)` is the user's function."""

    _calls = "encode"
    encode: Callable[..., Any]


class Decoder(WrappedFunction, Generic[Out]):
    """Turns bytes into a message, made by `@decoder(...)`: `decode(bs)` is the user's function.

    It knows the framing of a TCP source, too.
    """

    _calls = "decode"
    decode: Callable[..., Any]

    def __init__(
        self, func: Callable[..., Any], name: str, header_length: int = 4, length_fmt: str = ">I"
    ) -> None:
        super().__init__(func, name)
        self._header_length = header_length
        self._length = struct.Struct(length_fmt)

    def header_length(self) -> int:
        """Return the length in bytes of the header that precedes each payload."""
        return self._header_length

    def payload_length(self, bs: bytes) -> int:
        """Return the length in bytes of the payload behind the header `bs`.

        Raises struct.error if `bs` is not a header.
        """
        length: int = self._length.unpack(bs)[0]
        return length


class OctetEncoder(BaseWrapped):
    """Wallaroo's marker of an encoder of a connector's raw bytes, kept so that its name can be imported."""


class OctetDecoder(BaseWrapped):
    """Wallaroo's marker of a decoder of a connector's raw bytes, kept so that its name can be imported."""


class ConnectorEncoder(BaseWrapped):
    """Wallaroo's marker of an encoder of a connector's messages, kept so that its name can be imported."""


class ConnectorDecoder(BaseWrapped):
    """Wallaroo's marker of a decoder of a connector's messages, kept so that its name can be imported."""


def _declare(wrapper: Any) -> Declaration:
    """Register a new wrapper, so that one made inside a function can be unpickled by its declaration.

    Every process of an application makes the same declarations in the same order, so that the number means
    the same in each.
    """
    name = (wrapper.__module__, wrapper.__qualname__)
    declaration = (*name, _counts[name])
    _counts[name] += 1
    _declared[declaration] = wrapper
    return declaration


def recall(declaration: Declaration) -> Any:
    """Return the wrapper of a declaration; raises WallarooParameterError if this process has none."""
    wrapper = _declared.get(declaration)
    if wrapper is None:
        module, qualname, _ = declaration
        raise WallarooParameterError(
            f"{qualname} of module {module} is not declared in this process; "
            "import the module and run its application_setup before unpickling"
        )
    return wrapper


def _is_global(wrapper: Any) -> bool:
    """Return whether the wrapper is found under its module and qualified name."""
    target: Any = sys.modules.get(wrapper.__module__)
    for part in wrapper.__qualname__.split("."):
        target = getattr(target, part, None)
    return target is wrapper

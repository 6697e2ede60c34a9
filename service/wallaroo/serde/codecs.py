"""The codecs of an application: of its own module's `serialize` and `deserialize`, or else ours."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from wallaroo.errors import Interrupt, RecordError, StoredValueError, text_of
from wallaroo.serde.formats import USER
from wallaroo.serde.object_codec import Codec, Decode, Encode, TopicCodec, message_codec, state_codec
from wallaroo.serde.own_modules import free_name
from wallaroo.serde.pickle import RestrictedPickle


@dataclass(frozen=True, slots=True)
class Codecs:
    """How an application's values become bytes: what crosses a topic, and the state of each stage.

    `ours` is the codec of values that an application without a `serialize` of its own would have.
    """

    values: TopicCodec
    state: Callable[[Callable[[], Any]], Codec]
    ours: TopicCodec


def codecs_of(module: ModuleType | None, default: ModuleType | None = None) -> Codecs:
    """The codecs of an application whose `application_setup` is in this module.

    Without one, the `serialize` and `deserialize` of the module `default` are used all the same.
    """
    pickles = (
        RestrictedPickle() if module is None else RestrictedPickle([module.__name__], _other_names(module))
    )
    ours = message_codec(pickles)
    named = module or default
    own = None if named is None else _own_codec(named)
    if own is not None:
        return Codecs(own, lambda _initial: own, ours)
    return Codecs(ours, lambda initial: state_codec(initial, pickles), ours)


def _other_names(module: ModuleType) -> dict[str, str]:
    """The name that its file gives a module which was loaded under another one, because that was taken."""
    stem = Path(getattr(module, "__file__", None) or module.__name__).stem
    return {stem: module.__name__} if module.__name__ == free_name(stem) else {}


class UserCodec:
    """The application's own `serialize` and `deserialize`, for state and for what crosses a topic."""

    decode_all = None

    def __init__(self, serialize: Encode, deserialize: Decode) -> None:
        self._serialize = serialize
        self._deserialize = deserialize

    def encode(self, value: Any) -> bytes:
        made: Any = self._serialize(value)
        if not isinstance(made, bytes | bytearray):
            raise RecordError(
                f"serialize of the application's module returned {type(made).__name__}; a serialize and "
                "deserialize beside application_setup encode everything that is stored: return bytes, or "
                "give a function that is for something else another name"
            )
        return USER + made

    def decode(self, data: bytes) -> Any:
        """The value; StoredValueError if `deserialize` fails or the bytes are of another codec."""
        if data[:2] != USER:
            raise StoredValueError(
                f"a stored value was not made by the application's serialize: {data[:80]!r}"
            )
        try:
            return self._deserialize(data[2:])
        except Interrupt:
            raise
        except BaseException as error:
            raise StoredValueError(f"deserialize failed on {data[:80]!r}: {text_of(error, repr)}") from error

    def encode_all(self, values: Sequence[Any]) -> list[bytes]:
        return [self.encode(value) for value in values]


def _own_codec(module: ModuleType) -> UserCodec | None:
    serialize, deserialize = getattr(module, "serialize", None), getattr(module, "deserialize", None)
    if not callable(serialize) or not callable(deserialize):
        return None
    # `from wallaroo import *` brings the defaults along, which trust every byte.
    if _is_ours(serialize) or _is_ours(deserialize):
        return None
    return UserCodec(serialize, deserialize)


def _is_ours(function: Any) -> bool:
    return str(getattr(function, "__module__", "")).partition(".")[0] == "wallaroo"

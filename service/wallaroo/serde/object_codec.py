"""Bytes of keyed state: every object comes back exactly as it was.

A stored value is `<format version><kind><payload>`, the first two characters readable:

    1J{"total":2286}     the attributes of a plain object, or its slots, as JSON
    1D...                the same pickled, where JSON would not be exact
    1M{"total":2286}     a pydantic model as JSON
    1P...                anything else, pickled whole
    1U...                whatever the application's own `serialize` made

Reading never trusts the bytes: StoredValueError is all that a damaged or forged value can cause.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

from pydantic import BaseModel

from wallaroo.errors import StoredValueError
from wallaroo.serde.attributes import Attributes, InDict, attributes_of
from wallaroo.serde.json_rows import exact_json, exact_json_lines, read_json
from wallaroo.serde.models import Dump, load_model, model_dump
from wallaroo.serde.pickle import RestrictedPickle

_JSON, _DICT, _MODEL, _PICKLE, _USER = b"1J", b"1D", b"1M", b"1P", b"1U"

Encode = Callable[[Any], bytes]
Decode = Callable[[bytes], Any]


class Codec(Protocol):
    """`encode` and `decode` are each other's inverse; `encode_all` is `encode` of each."""

    def encode(self, value: Any) -> bytes: ...
    def decode(self, data: bytes) -> Any: ...
    def encode_all(self, values: Sequence[Any]) -> list[bytes]: ...


class TopicCodec(Codec, Protocol):
    """A Codec that may have batch decoding, if `decode` makes a new object each time.

    `decode_all` raises if any value fails.
    """

    @property
    def decode_all(self) -> Callable[[Sequence[bytes]], list[Any]] | None: ...


class StateCodec:
    """Bytes of one store: `encode` and `decode` are each other's inverse for every state object."""

    def __init__(self, initial: Callable[[], Any], pickles: RestrictedPickle) -> None:
        self._initial = initial
        self._pickles = pickles
        self._encoders: dict[type, Encode] = {}
        self._class: type | None = None
        # Of the class of the state, where its objects are their attributes.
        self._attributes: Attributes | None = None
        self._name = b""
        if isinstance(initial, type):
            self._learn(initial)

    def encode(self, value: Any) -> bytes:
        if type(value) is self._class and self._attributes is not None:
            attributes = self._attributes.of(value)
            made = exact_json(attributes)
            return self._encode_pickled(attributes, value) if made is None else _JSON + made
        encoder = self._encoders.get(type(value))
        if encoder is None:
            encoder = self._encoders[type(value)] = self._encoder_for(type(value))
        return encoder(value)

    def encode_all(self, values: Sequence[Any]) -> list[bytes]:
        """As if each were encoded by itself; objects that are flat attributes go at half the price."""
        if self._attributes is not None and {*map(type, values)} == {self._class}:
            lines = exact_json_lines(self._attributes.of_all(values), _JSON)
            if lines is not None:
                return lines
        return [self.encode(value) for value in values]

    def decode(self, data: bytes) -> Any:
        """The object; StoredValueError where the bytes are not what `encode` makes."""
        kind, payload = data[:2], data[2:]
        try:
            match kind:
                case b"1J":
                    return self._made(read_json(payload))
                case b"1D":
                    return self._made(self._pickles.loads(payload))
                case b"1M":
                    return load_model(self._state_class(), payload)
                case b"1P":
                    return self._pickles.loads(payload)
        except StoredValueError:
            raise
        except Exception as error:
            raise StoredValueError(f"a stored state cannot be read: {data[:80]!r}: {error!r}") from error
        raise StoredValueError(f"a stored state has the unknown format {kind!r}: {data[:80]!r}")

    def _encoder_for(self, kind: type) -> Encode:
        if kind is not self._state_class():
            return self._encode_whole
        if issubclass(kind, BaseModel):
            dump = model_dump(kind)
            return self._encode_whole if dump is None else partial(self._encode_model, dump)
        # Only now known to be plain, it goes the short way from here on.
        return self._encode_whole if self._attributes is None else self.encode

    def _encode_model(self, dump: Dump, value: Any) -> bytes:
        made = dump(value)
        return self._encode_whole(value) if made is None else _MODEL + made

    def _encode_pickled(self, attributes: dict[str, Any], value: Any) -> bytes:
        made = self._pickles.dumps(attributes)
        # An object of this class in it may be the state itself, which must not come back as two.
        return self._encode_whole(value) if self._name in made else _DICT + made

    def _encode_whole(self, value: Any) -> bytes:
        return _PICKLE + self._pickles.dumps(value)

    def _made(self, attributes: Any) -> Any:
        kind = self._state_class()
        # The class may have been plain when they were stored.
        return (self._attributes or InDict(kind)).make(attributes)

    def _state_class(self) -> type:
        return self._class or self._learn(type(self._initial()))

    def _learn(self, kind: type) -> type:
        self._class = kind
        self._attributes = attributes_of(kind)
        self._name = kind.__qualname__.encode()
        return kind


class UserCodec:
    """The application's own `serialize` and `deserialize`, for state and for what crosses a topic."""

    decode_all = None

    def __init__(self, serialize: Encode, deserialize: Decode) -> None:
        self._serialize = serialize
        self._deserialize = deserialize

    def encode(self, value: Any) -> bytes:
        return _USER + self._serialize(value)

    def decode(self, data: bytes) -> Any:
        """The value; StoredValueError where `deserialize` fails or the bytes are of another codec."""
        if data[:2] != _USER:
            raise StoredValueError(
                f"a stored value was not made by the application's serialize: {data[:80]!r}"
            )
        try:
            return self._deserialize(data[2:])
        except Exception as error:
            raise StoredValueError(f"deserialize failed on {data[:80]!r}: {error!r}") from error

    def encode_all(self, values: Sequence[Any]) -> list[bytes]:
        return [self.encode(value) for value in values]

"""Bytes of what crosses a repartition topic; the values may be of any class.

1M<module>:<class>\n{...}   a pydantic model as JSON, its class in front
1J<module>:<class>\n{...}   the attributes of a plain object as JSON, its class in front
1D<module>:<class>\n...     the same pickled, where they are plain values but not flat
1O{...}                     a flat dict, as JSON
1S... 1B...                  a str, bytes
1P...                        anything else, pickled
"""

import pickle
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from pydantic import BaseModel

from wallaroo.errors import StoredValueError
from wallaroo.serde.attributes import Attributes, attributes_of
from wallaroo.serde.json_rows import exact_json, exact_json_lines, read_json, read_json_lines
from wallaroo.serde.models import Dump, load_model, model_dump
from wallaroo.serde.pickle import NAMELESS, RestrictedPickle

_PICKLE, _TEXT, _BYTES, _FLAT, _MODEL = b"1P", b"1S", b"1B", b"1O", b"1M"
_ATTRIBUTES, _DICT = b"1J", b"1D"

Encode = Callable[[Any], bytes]
Decode = Callable[[bytes], Any]


def strip_format_tag(data: bytes | None) -> bytes | None:
    """A value without what we put in front of it: JSON, text or bytes that a person can use elsewhere."""
    match (data or b"")[:2]:
        case b"1O" | b"1S" | b"1B" | b"1U":
            return data and data[2:]
        case b"1M" | b"1J":
            return data and data.partition(b"\n")[2]
    return data


def _name_of(kind: type) -> bytes:
    return f"{kind.__module__}:{kind.__qualname__}\n".encode()


class ValueCodec:
    """Bytes of what crosses a repartition topic; the values may be of any class."""

    def __init__(self, pickles: RestrictedPickle) -> None:
        self._pickles = pickles
        self._dumps = pickles.dumps
        self._encoders: dict[type, Encode] = {}
        # How what follows a class's name is read.
        self._readers: dict[bytes, Decode] = {}
        # What makes an object of its attributes, by the same.
        self._makers: dict[bytes, Callable[[Any], Any]] = {}

    def encode(self, value: Any) -> bytes:
        kind = type(value)
        if kind is dict and (made := exact_json(value)) is not None:
            return _FLAT + made
        if kind is str:
            return _TEXT + str(value).encode("utf-8", "surrogatepass")
        if kind is bytes:
            return _BYTES + bytes(value)
        encoder = self._encoders.get(kind)
        if encoder is None:
            encoder = self._encoders[kind] = self._encoder_for(kind)
        return encoder(value)

    def encode_all(self, values: Sequence[Any]) -> list[bytes]:
        """As if each were encoded by itself, at a third of the price where all are flat and of one class."""
        kinds = {*map(type, values)}
        lines = None
        if kinds == {dict}:
            lines = exact_json_lines(values, _FLAT)
        elif len(kinds) == 1:
            lines = self._attribute_lines(kinds.pop(), values)
        return [self.encode(value) for value in values] if lines is None else lines

    def decode_all(self, data: Sequence[bytes]) -> list[Any]:
        """As if each were decoded by itself; StoredValueError where one cannot be."""
        found = read_json_lines(data, _FLAT) or self._attributes_in(data)
        return [self.decode(each) for each in data] if found is None else found

    def decode(self, data: bytes) -> Any:
        """The value; StoredValueError where the bytes are not what `encode` makes."""
        kind = data[:2]
        try:
            match kind:
                case b"1M" | b"1J" | b"1D":
                    header, _, payload = data.partition(b"\n")
                    return (self._readers.get(header) or self._reader_in(header))(payload)
                case b"1O":
                    return read_json(data[2:])
                case b"1S":
                    return data[2:].decode("utf-8", "surrogatepass")
                case b"1B":
                    return data[2:]
                case b"1P":
                    return self._pickles.loads(data[2:])
        except StoredValueError:
            raise
        except Exception as error:
            raise StoredValueError(f"an internal record cannot be read: {data[:80]!r}: {error!r}") from error
        raise StoredValueError(f"an internal record has the unknown format {kind!r}: {data[:80]!r}")

    def _encoder_for(self, kind: type) -> Encode:
        if not self._pickles.knows(kind):
            return self._encode_whole
        name = _name_of(kind)
        attributes = attributes_of(kind)
        if attributes is not None:
            return partial(self._encode_attributes, name, attributes)
        dump = model_dump(kind) if issubclass(kind, BaseModel) else None
        return self._encode_whole if dump is None else partial(self._encode_model, _MODEL + name, dump)

    def _attribute_lines(self, kind: type, values: Sequence[Any]) -> list[bytes] | None:
        way = attributes_of(kind) if self._pickles.knows(kind) else None
        if way is None or (lines := exact_json_lines(way.of_all(values), b"")) is None:
            return None
        header = _ATTRIBUTES + _name_of(kind)
        return [header + line for line in lines]

    def _attributes_in(self, data: Sequence[bytes]) -> list[Any] | None:
        """The objects in lines of one known class; None where one may be anything else."""
        header = data[0][: data[0].find(b"\n") + 1] if data else b""
        make = self._makers.get(header[:-1])
        if make is None:
            return None
        payloads = [each[len(header) :] for each in data if each.startswith(header)]
        if len(payloads) != len(data) or (found := read_json_lines(payloads, b"")) is None:
            return None
        return [*map(make, found)]

    def _encode_model(self, header: bytes, dump: Dump, value: Any) -> bytes:
        made = dump(value)
        return self._encode_whole(value) if made is None else header + made

    def _encode_attributes(self, name: bytes, way: Attributes, value: Any) -> bytes:
        attributes = way.of(value)
        made = exact_json(attributes)
        if made is not None:
            return _ATTRIBUTES + name + made
        if NAMELESS.issuperset(map(type, attributes.values())):
            pickled = self._dumps(attributes)
            if pickle.STACK_GLOBAL not in pickled:
                return _DICT + name + pickled
        return self._encode_whole(value)

    def _encode_whole(self, value: Any) -> bytes:
        return _PICKLE + self._dumps(value)

    def _reader_in(self, header: bytes) -> Decode:
        """What reads the rest, by the class named in front; StoredValueError where it is not of that kind."""
        module, _, name = header[2:].decode().partition(":")
        kind: type = self._pickles.find_class(module, name)
        read = self._reader_of(header[:2], kind, f"{module}:{name}")
        # There may be any number of other names for one class.
        if (kind.__module__, kind.__qualname__) == (module, name):
            self._readers[header] = read
            if header[:2] == _ATTRIBUTES and (way := attributes_of(kind)) is not None:
                self._makers[header] = way.make
        return read

    def _reader_of(self, form: bytes, kind: type, name: str) -> Decode:
        if form == _MODEL:
            if not issubclass(kind, BaseModel):
                raise StoredValueError(f"an internal record names {name}, which is no pydantic model")
            return partial(load_model, kind)
        attributes = attributes_of(kind)
        if attributes is None:
            raise StoredValueError(
                f"an internal record names {name}, whose objects are more than their attributes"
            )
        read = read_json if form == _ATTRIBUTES else self._pickles.loads
        return lambda payload: attributes.make(read(payload))

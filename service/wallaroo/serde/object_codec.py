"""Bytes of states and of what crosses an internal topic: every object comes back exactly as it was.

A value is `<tag><payload>` if its class is known from the store, as is that of states:

    1J{"total":2286}     the attributes of an object, or its slots, as JSON
    1D...                the same pickled, if JSON would not be exact
    1M{"total":2286}     a pydantic model as JSON

In a message, where values may be of any class, `<module>:<class>` and a line feed follow the tag of these.
The rest is the same in both, but a state that is a dict, a str or bytes is pickled, as it always was:

    1O{"user":"rex"}     a flat dict as JSON
    1S... 1B...          a str, bytes
    1P...                anything else, pickled whole

Reading never trusts the bytes: StoredValueError is all that a damaged or forged value can cause.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

from pydantic import BaseModel

from wallaroo.errors import StoredValueError
from wallaroo.serde.attributes import Attributes, attributes_of
from wallaroo.serde.class_source import ClassFromMessage, ClassFromStore
from wallaroo.serde.formats import (
    ATTRIBUTES_JSON,
    ATTRIBUTES_PICKLE,
    BYTES,
    DICT_JSON,
    MODEL_JSON,
    PICKLE,
    TEXT,
    unknown_format,
)
from wallaroo.serde.json_rows import exact_json, exact_json_lines, read_json, read_json_lines
from wallaroo.serde.models import Dump, load_model, model_dump
from wallaroo.serde.pickle import RestrictedPickle

_BEFORE_CLASS = frozenset({ATTRIBUTES_JSON, ATTRIBUTES_PICKLE, MODEL_JSON})

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


def state_codec(initial: Callable[[], Any], pickles: RestrictedPickle) -> "ObjectCodec":
    """The codec of a store whose states are of the class of `initial()`."""
    return ObjectCodec(ClassFromStore(initial, pickles), pickles)


def message_codec(pickles: RestrictedPickle) -> "ObjectCodec":
    """The codec of what crosses a topic."""
    return ObjectCodec(ClassFromMessage(pickles), pickles)


class ObjectCodec:
    """`encode` and `decode` are each other's inverse for every value."""

    def __init__(self, classes: ClassFromStore | ClassFromMessage, pickles: RestrictedPickle) -> None:
        self._classes = classes
        self._pickles = pickles
        self._encoders: dict[type, Encode] = {}
        # What encodes many objects of one class at once, or returns None if each has to be encoded alone.
        self._line_encoders: dict[type, Callable[[Sequence[Any]], list[bytes] | None]] = {}
        # By what stands in front of the payload, which is the tag, or tag and class.
        self._readers: dict[bytes, Decode] = {
            DICT_JSON: read_json,
            TEXT: lambda payload: payload.decode("utf-8", "surrogatepass"),
            BYTES: bytes,
            PICKLE: pickles.loads,
        }
        # What makes an object of its attributes, by the same.
        self._makers: dict[bytes, Callable[[Any], Any]] = {}

    def encode(self, value: Any) -> bytes:
        return (self._encoders.get(type(value)) or self._encoder_of(type(value)))(value)

    def encode_all(self, values: Sequence[Any]) -> list[bytes]:
        """As if each were encoded by itself, at a third of the price if all are flat and of one class."""
        kinds = {*map(type, values)}
        if len(kinds) != 1:
            return [*map(self.encode, values)]
        [kind] = kinds
        encode, encode_lines = self._encoder_of(kind), self._line_encoders.get(kind)
        lines = None if encode_lines is None else encode_lines(values)
        return [*map(encode, values)] if lines is None else lines

    def decode(self, data: bytes) -> Any:
        """The value; StoredValueError if the bytes are not what `encode` makes."""
        try:
            read = self._readers.get(data[:2])
            if read is not None:
                return read(data[2:])
            header, _, payload = data.partition(b"\n")
            read = self._readers.get(header)
            return self._read_new(data) if read is None else read(payload)
        except StoredValueError:
            raise
        except Exception as error:
            subject = self._classes.subject
            raise StoredValueError(f"{subject} cannot be read: {data[:80]!r}: {error!r}") from error

    def decode_all(self, data: Sequence[bytes]) -> list[Any]:
        """As if each were decoded by itself; StoredValueError if one cannot be."""
        found = read_json_lines(data, DICT_JSON) or self._attributes_in(data)
        return [self.decode(each) for each in data] if found is None else found

    def _attributes_in(self, data: Sequence[bytes]) -> list[Any] | None:
        """The objects in lines of one class that was read before; None if one may be anything else."""
        header = self._classes.split(data[0])[0] if data else b""
        make = self._makers.get(header)
        if make is None:
            return None
        payloads = [each[len(header) :] for each in data if each.startswith(header)]
        if len(payloads) != len(data) or (found := read_json_lines(payloads, b"")) is None:
            return None
        return [*map(make, found)]

    def _encoder_of(self, kind: type) -> Encode:
        encoder = self._encoders.get(kind)
        if encoder is None:
            encoder = self._encoders[kind] = self._new_encoder(kind)
        return encoder

    def _new_encoder(self, kind: type) -> Encode:
        if kind in self._classes.short:
            return self._short_encoder(kind)
        header = self._classes.header_of(kind)
        if header is None:
            return self._encode_whole
        attributes = attributes_of(kind)
        if attributes is not None:
            self._line_encoders[kind] = partial(_encode_attribute_lines, attributes, ATTRIBUTES_JSON + header)
            return self._attributes_encoder(kind, header, attributes)
        dump = model_dump(kind) if issubclass(kind, BaseModel) else None
        return self._encode_whole if dump is None else self._model_encoder(MODEL_JSON + header, dump)

    def _short_encoder(self, kind: type) -> Encode:
        if kind is str:
            return lambda text: TEXT + text.encode("utf-8", "surrogatepass")
        if kind is bytes:
            return lambda data: BYTES + data
        self._line_encoders[dict] = partial(exact_json_lines, prefix=DICT_JSON)

        def encode_dict(value: dict[Any, Any]) -> bytes:
            made = exact_json(value)
            return self._encode_whole(value) if made is None else DICT_JSON + made

        return encode_dict

    def _model_encoder(self, header: bytes, dump: Dump) -> Encode:
        def encode_model(value: Any) -> bytes:
            made = dump(value)
            return self._encode_whole(value) if made is None else header + made

        return encode_model

    def _attributes_encoder(self, kind: type, header: bytes, attributes: Attributes) -> Encode:
        json_header, pickle_header = ATTRIBUTES_JSON + header, ATTRIBUTES_PICKLE + header
        attributes_in, pickle_attributes = attributes.of, self._classes.attributes_pickler(kind)

        def encode_attributes(value: Any) -> bytes:
            found = attributes_in(value)
            made = exact_json(found)
            if made is not None:
                return json_header + made
            pickled = pickle_attributes(found)
            return self._encode_whole(value) if pickled is None else pickle_header + pickled

        return encode_attributes

    def _encode_whole(self, value: Any) -> bytes:
        return PICKLE + self._pickles.dumps(value)

    def _read_new(self, data: bytes) -> Any:
        """The value by a reader that is not at hand yet; StoredValueError if there is none for its tag."""
        if data[:2] not in _BEFORE_CLASS:
            raise StoredValueError(unknown_format(self._classes.subject, data))
        header, payload = self._classes.split(data)
        return self._reader_in(header)(payload)

    def _reader_in(self, header: bytes) -> Decode:
        """What reads the payload behind a tag and a class; StoredValueError if the class does not fit."""
        tag = header[:2]
        kind = self._classes.class_in(header[2:])
        # There may be any number of other names for one class: those are not kept.
        is_its_name = header[2:] == self._classes.header_of(kind)
        if tag == MODEL_JSON:
            read: Decode = partial(load_model, kind)
        else:
            make = self._classes.attributes_of(kind).make
            read = _read_then_make(read_json if tag == ATTRIBUTES_JSON else self._pickles.loads, make)
            if is_its_name and tag == ATTRIBUTES_JSON:
                self._makers[header] = make
        if is_its_name:
            self._readers[header.removesuffix(b"\n")] = read
        return read


def _read_then_make(read: Decode, make: Callable[[Any], Any]) -> Decode:
    def make_object(payload: bytes) -> Any:
        return make(read(payload))

    return make_object


def _encode_attribute_lines(
    attributes: Attributes, header: bytes, values: Sequence[Any]
) -> list[bytes] | None:
    return exact_json_lines(attributes.of_all(values), header)

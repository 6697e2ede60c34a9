"""Bytes of states and of what crosses an internal topic: every object comes back exactly as it was.

A value is `<tag><payload>`; `formats.py` lists the tags. The class of a state is known from its store. In a
message, where values may be of any class, `<module>:<class>` and a line feed follow the tag of objects and
models. A state that is a dict, a str or bytes is pickled: version 0.1 reads nothing else.

Reading never trusts the bytes: StoredValueError is all that a damaged or forged value can cause.
"""

from collections.abc import Callable, Sequence
from pickle import PicklingError
from types import FunctionType
from typing import Any, Protocol

from pydantic import BaseModel

from wallaroo.errors import Interrupt, RecordError, StoredValueError, text_of
from wallaroo.serde.attributes import Attributes, attributes_of
from wallaroo.serde.class_source import ClassFromMessage, ClassFromStore
from wallaroo.serde.exact_json import (
    exact_json,
    exact_json_lines,
    model_dump,
    model_validator,
    read_json,
    read_json_lines,
)
from wallaroo.serde.fields_set import MARKS, unset_marked
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
from wallaroo.serde.old_names import all_aliases
from wallaroo.serde.pickle import RestrictedPickle
from wallaroo.serde.revive import held_by, slots_in

_TAGS_BEFORE_CLASS = frozenset({ATTRIBUTES_JSON, ATTRIBUTES_PICKLE, MODEL_JSON})

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
    """A codec for values of any class, whose encoder and reader are made at the first value of the class."""

    def __init__(self, classes: ClassFromStore | ClassFromMessage, pickles: RestrictedPickle) -> None:
        self._classes = classes
        self._pickles = pickles
        self._encoders: dict[type, Encode] = {}
        # By class: the function that returns its objects as rows of JSON, and the prefix of each row.
        self._rows: dict[type, tuple[Callable[[Sequence[Any]], Sequence[Any]], bytes]] = {}
        # By the prefix of the payload: the tag, or tag and class.
        self._readers: dict[bytes, Decode] = {
            DICT_JSON: read_json,
            TEXT: lambda payload: payload.decode("utf-8", "surrogatepass"),
            BYTES: bytes,
            PICKLE: classes.read_pickle,
        }
        # By tag, class and line feed: the function that makes objects of their attributes.
        self._makers: dict[bytes, Callable[[Sequence[dict[str, Any]]], list[Any]]] = {}

    def encode(self, value: Any) -> bytes:
        kind = type(value)
        return (self._encoders.get(kind) or self._new_encoder(kind))(value)

    def encode_all(self, values: Sequence[Any]) -> list[bytes]:
        """`encode` of each, at a third of the cost if all are flat and of one class."""
        kinds = {*map(type, values)}
        if len(kinds) != 1:
            return [self.encode(value) for value in values]
        [kind] = kinds
        encode = self._encoders.get(kind) or self._new_encoder(kind)
        if kind in self._rows:
            read_rows, prefix = self._rows[kind]
            lines = exact_json_lines(read_rows(values), prefix)
            if lines is not None:
                return lines
        # No `map`: a StopIteration of the user's own pickling would end it.
        return [encode(value) for value in values]

    def decode(self, data: bytes) -> Any:
        """The value; StoredValueError if the bytes are not what `encode` makes."""
        try:
            read = self._readers.get(data[:2])
            if read is not None:
                return read(data[2:])
            header, _, payload = data.partition(b"\n")
            read = self._readers.get(header)
            return self._read_new(data) if read is None else read(payload)
        except (StoredValueError, Interrupt):
            raise
        except BaseException as error:
            why = f"{data[:80]!r}: {text_of(error, repr)}"
            raise StoredValueError(f"{self._classes.subject} cannot be read: {why}") from error

    def decode_all(self, data: Sequence[bytes]) -> list[Any]:
        """`decode` of each; StoredValueError if one cannot be decoded."""
        if not data:
            return []
        is_dict = data[0].startswith(DICT_JSON)
        prefix = DICT_JSON if is_dict else self._classes.split(data[0])[0]
        if is_dict or prefix in self._makers:
            rows = read_json_lines(data, prefix)
            if rows is not None:
                return rows if is_dict else self._makers[prefix](rows)
        return [self.decode(each) for each in data]

    def _new_encoder(self, kind: type) -> Encode:
        encode = self._encoders[kind] = self._encoder_of(kind)
        return encode

    def _encoder_of(self, kind: type) -> Encode:
        if kind in self._classes.built_in_types:
            return self._built_in_encoder(kind)
        header = self._classes.header_of(kind)
        if header is None:
            return self._encode_whole
        attributes = attributes_of(kind)
        if attributes is not None:
            self._rows[kind] = attributes.rows, ATTRIBUTES_JSON + header
            return self._attributes_encoder(kind, header, attributes)
        dump = None
        if issubclass(kind, BaseModel):
            dump = model_dump(kind, marks_unset=self._classes.keeps_fields_set)
        return self._encode_whole if dump is None else self._json_encoder(MODEL_JSON + header, dump)

    def _built_in_encoder(self, kind: type) -> Encode:
        if kind is str:
            return lambda text: TEXT + text.encode("utf-8", "surrogatepass")
        if kind is bytes:
            return lambda data: BYTES + data
        self._rows[kind] = (lambda values: values), DICT_JSON
        return self._json_encoder(DICT_JSON, exact_json)

    def _json_encoder(self, prefix: bytes, to_json: Callable[[Any], bytes | None]) -> Encode:
        def encode_json(value: Any) -> bytes:
            made = to_json(value)
            return self._encode_whole(value) if made is None else prefix + made

        return encode_json

    def _attributes_encoder(self, kind: type, header: bytes, attributes: Attributes) -> Encode:
        json_header, pickle_header = ATTRIBUTES_JSON + header, ATTRIBUTES_PICKLE + header
        attributes_in, pickle_attributes = attributes.of, self._classes.attributes_pickler(kind)

        def encode_attributes(value: Any) -> bytes:
            found = attributes_in(value)
            made = exact_json(found)
            if made is not None:
                return json_header + made
            try:
                pickled = pickle_attributes(found)
            except (RecordError, TypeError, PicklingError):
                pickled = None
            return self._encode_whole(value) if pickled is None else pickle_header + pickled

        return encode_attributes

    def _encode_whole(self, value: Any) -> bytes:
        try:
            return PICKLE + self._classes.marked(value, self._pickles.dumps(value))
        except (RecordError, TypeError, PicklingError) as error:
            named = self._name_attribute(value)
            if named is None:
                raise
            raise named from error

    def _name_attribute(self, value: Any) -> RecordError | None:
        """The error that names the attribute which cannot be pickled; None if it is none by itself."""
        kind: Any = type(value)
        if isinstance(value, type | FunctionType):
            return None
        held = value if kind is dict else held_by(value, slots_in(kind))
        for name, attribute in held.items():
            try:
                self._pickles.dumps(attribute)
            except Interrupt:
                raise
            except BaseException as error:  # whatever the user's own pickling raises
                its = type(attribute)
                place = f"{kind.__qualname__}.{name}, of {its.__module__}.{its.__qualname__}"
                return RecordError(f"{place}: {text_of(error)}")
        return None

    def _read_new(self, data: bytes) -> Any:
        """Make the reader of a tag and class, and read with it; StoredValueError if they do not fit."""
        tag = data[:2]
        if tag not in _TAGS_BEFORE_CLASS:
            raise StoredValueError(unknown_format(self._classes.subject, data))
        prefix, payload = self._classes.split(data)
        kind = self._classes.class_in(prefix[2:])
        # A class can have any number of other names: their readers are not kept.
        is_its_name = prefix[2:] == self._classes.header_of(kind)
        if tag == MODEL_JSON:
            read = self._model_reader(kind)
        else:
            make = self._classes.maker_of(kind)
            if tag == ATTRIBUTES_JSON and is_its_name:
                self._makers[prefix] = self._classes.rows_maker_of(kind)
            read = self._attributes_reader(tag, kind, make)
        if is_its_name:
            self._readers[prefix.removesuffix(b"\n")] = read
        return read(payload)

    def _model_reader(self, kind: type) -> Decode:
        if not issubclass(kind, BaseModel):
            make = self._classes.maker_of(kind)
            return lambda payload: make(read_json(payload))
        validate, make_from_json = model_validator(kind), self._classes.model_maker(kind)
        aliases = [f'"{alias}":'.encode() for alias in all_aliases(kind)]

        def read_model(payload: bytes) -> Any:
            try:
                if aliases and any(alias in payload for alias in aliases):
                    made = make_from_json(payload)
                else:
                    made = validate(payload, by_alias=False, by_name=True)
            except ValueError:
                made = make_from_json(payload)
            if payload[-1] in MARKS:
                unset_marked(made, payload)
            return made

        return read_model

    def _attributes_reader(self, tag: bytes, kind: type, make: Callable[[dict[str, Any]], Any]) -> Decode:
        if tag == ATTRIBUTES_JSON:
            return lambda payload: make(read_json(payload))

        def read_pickled(payload: bytes) -> Any:
            attributes = self._pickles.loads(payload)
            if type(attributes) is not dict:
                raise StoredValueError(f"what is stored of a {kind.__qualname__} are no attributes")
            return make(attributes)

        return read_pickled

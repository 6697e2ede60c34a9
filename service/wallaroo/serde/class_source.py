"""How the class of a stored object is known: its store declares it, or the message names it."""

import pickle
from collections import deque
from collections.abc import Callable
from functools import cached_property
from typing import Any, is_typeddict

from pydantic import BaseModel

from wallaroo.errors import StoredValueError
from wallaroo.serde.attributes import is_made_of_fields
from wallaroo.serde.fitting import may_change
from wallaroo.serde.pickle import RestrictedPickle
from wallaroo.serde.revive import (
    Fields,
    Make,
    MakeAll,
    Model,
    held_by,
    maker_of,
    no_fresh_object,
    rows_maker_of,
)
from wallaroo.serde.stand_ins import NAMELESS

# Behind the pickle of a built-in value in a store of another class; readers of pickles stop before it.
_BUILT_IN = b" "

# Stored by a state that was one itself, these cannot become objects with fields.
_NEVER_OBJECTS = frozenset({bool, int, float, str, bytes, bytearray, list, set, frozenset, deque})

PickleAttributes = Callable[[dict[str, Any]], bytes | None]


class ClassFromStore:
    """All states of a store are of one class; the bytes do not name it, so that it may be renamed."""

    # What errors call the bytes.
    subject = "a stored state"
    # Built-in types with a format of their own; none for states, which version 0.1 reads as pickles only.
    built_in_types: frozenset[type] = frozenset()
    # Whether a model that is read knows which of its fields were set.
    keeps_fields_set = True

    def __init__(self, initial: Callable[[], Any], pickles: RestrictedPickle) -> None:
        self._initial = initial
        self._pickles = pickles

    @cached_property
    def _kind(self) -> type:
        kind = self._declared
        return dict if is_typeddict(kind) else kind

    @cached_property
    def _declared(self) -> type:
        return self._initial if isinstance(self._initial, type) else type(self._initial())

    def header_of(self, kind: type) -> bytes | None:
        """The bytes between tag and payload; None if objects of this class are pickled whole."""
        return b"" if kind is self._kind else None

    def split(self, data: bytes) -> tuple[bytes, bytes]:
        """Tag and header, and the payload."""
        return data[:2], data[2:]

    def class_in(self, _header: bytes) -> type:
        return self._kind

    def maker_of(self, kind: type) -> Make:
        """How objects are made; the class may have had another form when they were stored."""
        return maker_of(kind, self._initial)

    def rows_maker_of(self, kind: type) -> MakeAll:
        return rows_maker_of(kind, self._initial)

    def model_maker(self, kind: type) -> Callable[[bytes], Any]:
        """How models are made of JSON that does not validate as it is."""
        return Model(kind, self._initial).make_from_json

    def read_pickle(self, payload: bytes) -> Any:
        """A pickled state: its class may have moved, and have got another form."""
        kind = self._kind
        if self._name in payload and is_typeddict(self._declared):
            fields = self._pickles.fields_in(payload, self._declared)
            if fields is not None:
                return fields
        try:
            value = self._pickles.loads(payload, kind)
        except StoredValueError:
            fields = self._pickles.fields_in(payload, self._declared)
            if fields is None:
                raise
            return self.maker_of(kind)(fields)
        if type(value) is kind:
            return self._complete(value) if self._may_change else value
        if not self._may_have_been_dict or payload.endswith(_BUILT_IN):
            return value
        if type(value) is dict:
            return self.maker_of(kind)(value)
        if type(value) in _NEVER_OBJECTS and not issubclass(kind, tuple):
            raise StoredValueError(
                f"a stored {type(value).__name__} is no {kind.__qualname__}: the state was of another kind"
            )
        return value

    def marked(self, value: Any, pickled: bytes) -> bytes:
        """The pickle of a state; marked if it is a built-in value in a store of objects with fields.

        An accumulator may become one: it is no state of another version, which would be made such an object.
        """
        is_built_in = type(value) is dict or type(value) in _NEVER_OBJECTS
        return pickled + _BUILT_IN if is_built_in and self._may_have_been_dict else pickled

    @cached_property
    def _name(self) -> bytes:
        return self._declared.__qualname__.encode()

    @cached_property
    def _may_have_been_dict(self) -> bool:
        return is_made_of_fields(self._kind)

    @cached_property
    def _may_change(self) -> bool:
        return may_change(self._kind) and self._pickles.is_own(self._kind.__module__)

    @cached_property
    def _fields(self) -> Fields:
        return Fields(self._kind, self._initial)

    def _complete(self, value: Any) -> Any:
        # Pickle writes nothing of an object that holds nothing, and so fills nothing.
        if isinstance(value, BaseModel):
            return value if hasattr(value, "__pydantic_fields_set__") else self.maker_of(self._kind)({})
        fields = self._fields
        fields.complete(value, held_by(value, fields.slots))
        return value

    def attributes_pickler(self, kind: type) -> PickleAttributes:
        """Pickles attributes of this class; returns None if they have to be pickled with their object."""
        dumps, name = self._pickles.dumps, kind.__qualname__.encode()

        def pickle_attributes(attributes: dict[str, Any]) -> bytes | None:
            made = dumps(attributes)
            # An object of this class among them may be the state itself, which must not come back as two.
            return None if name in made else made

        return pickle_attributes


class ClassFromMessage:
    """The class of a message stands in front of it; it has to be one that may be named."""

    subject = "an internal record"
    built_in_types: frozenset[type] = frozenset({dict, str, bytes})
    keeps_fields_set = False

    def __init__(self, pickles: RestrictedPickle) -> None:
        self._pickles = pickles

    def header_of(self, kind: type) -> bytes | None:
        return f"{kind.__module__}:{kind.__qualname__}\n".encode() if self._pickles.knows(kind) else None

    def split(self, data: bytes) -> tuple[bytes, bytes]:
        end = data.find(b"\n") + 1 or len(data)
        return data[:end], data[end:]

    def class_in(self, header: bytes) -> type:
        module, _, name = header.decode().removesuffix("\n").partition(":")
        return self._pickles.find_class(module, name)

    def model_maker(self, kind: type) -> Callable[[bytes], Any]:
        """How models are made of JSON that does not validate as it is."""
        return Model(kind, self._initial_of(kind)).make_from_json

    def _initial_of(self, kind: type) -> Callable[[], Any] | None:
        return None if self._pickles.is_own(kind.__module__) else no_fresh_object

    def read_pickle(self, payload: bytes) -> Any:
        return self._pickles.loads(payload)

    def maker_of(self, kind: type) -> Make:
        """How objects are made; StoredValueError if they are more than their attributes."""
        if not is_made_of_fields(kind):
            name = f"{kind.__module__}:{kind.__qualname__}"
            raise StoredValueError(
                f"an internal record names {name}, whose objects are more than their attributes"
            )
        return maker_of(kind, self._initial_of(kind))

    def rows_maker_of(self, kind: type) -> MakeAll:
        return rows_maker_of(kind, self._initial_of(kind))

    def marked(self, _value: Any, pickled: bytes) -> bytes:
        return pickled

    def attributes_pickler(self, _kind: type) -> PickleAttributes:
        return self._pickle_attributes

    def _pickle_attributes(self, attributes: dict[str, Any]) -> bytes | None:
        # Attributes that would name classes are pickled with their object.
        if not NAMELESS.issuperset(map(type, attributes.values())):
            return None
        made = self._pickles.dumps(attributes)
        return None if pickle.STACK_GLOBAL in made else made

"""How the class of a stored object is known: its store declares it, or the message names it."""

import pickle
from collections.abc import Callable
from functools import cached_property
from typing import Any

from wallaroo.errors import StoredValueError
from wallaroo.serde.attributes import Attributes, attributes_of, in_dict
from wallaroo.serde.pickle import RestrictedPickle
from wallaroo.serde.stand_ins import NAMELESS

PickleAttributes = Callable[[dict[str, Any]], bytes | None]


class ClassFromStore:
    """All states of a store are of one class; the bytes do not name it, so that it may be renamed."""

    # What errors call the bytes.
    subject = "a stored state"
    # Built-in types with a format of their own; none for states, which version 0.1 reads as pickles only.
    built_in_types: frozenset[type] = frozenset()

    def __init__(self, initial: Callable[[], Any], pickles: RestrictedPickle) -> None:
        self._initial = initial
        self._pickles = pickles

    @cached_property
    def _kind(self) -> type:
        return self._initial if isinstance(self._initial, type) else type(self._initial())

    def header_of(self, kind: type) -> bytes | None:
        """The bytes between tag and payload; None if objects of this class are pickled whole."""
        return b"" if kind is self._kind else None

    def split(self, data: bytes) -> tuple[bytes, bytes]:
        """Tag and header, and the payload."""
        return data[:2], data[2:]

    def class_in(self, _header: bytes) -> type:
        return self._kind

    def attributes_of(self, kind: type) -> Attributes:
        """How objects are made; StoredValueError if they are more than their attributes."""
        # The class may have been an ordinary one when they were stored.
        return attributes_of(kind) or in_dict(kind)

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

    def attributes_of(self, kind: type) -> Attributes:
        found = attributes_of(kind)
        if found is None:
            name = f"{kind.__module__}:{kind.__qualname__}"
            raise StoredValueError(
                f"an internal record names {name}, whose objects are more than their attributes"
            )
        return found

    def attributes_pickler(self, _kind: type) -> PickleAttributes:
        return self._pickle_attributes

    def _pickle_attributes(self, attributes: dict[str, Any]) -> bytes | None:
        # Attributes that would name classes are pickled with their object.
        if not NAMELESS.issuperset(map(type, attributes.values())):
            return None
        made = self._pickles.dumps(attributes)
        return None if pickle.STACK_GLOBAL in made else made

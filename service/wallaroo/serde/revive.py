"""Objects made of stored fields, whatever form their class has now.

Rules for whoever edits this file:
1. A field that the class has no place for is ignored. In a `__dict__` everything has a place, except under
   the name of a method.
2. A missing field takes the class's default, or else what a fresh object has: one that the store makes, the
   class without arguments, or the class with the stored fields that its constructor takes.
3. Each object takes missing fields from a fresh object of its own, so that two never share a list.
4. What cannot be made is a StoredValueError that names the class and the field.
"""

import dataclasses
import inspect
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import is_dataclass
from functools import cache, cached_property
from types import FunctionType, MemberDescriptorType
from typing import Any, NoReturn, is_typeddict

import msgspec
from pydantic import BaseModel
from pydantic_core import to_json

from wallaroo.errors import Interrupt, StoredValueError
from wallaroo.serde.old_names import by_field, json_by_field, kept_private

Make = Callable[[dict[str, Any]], Any]
MakeAll = Callable[[Sequence[dict[str, Any]]], list[Any]]
Initial = Callable[[], Any]

# How many lists of fields of one class are remembered.
_MOST_KNOWN = 100
# Their subclasses may have to be called with what they hold, as these.
_CONTENTS: tuple[Any, ...] = ({None: None}, [None], {None}, frozenset([None]), (None,), "x", b"x", 1, 1.5)
# Made by a library for classes, these only list the fields.
_LIBRARIES = frozenset(["attr", "dataclasses"])


def maker_of(kind: Any, initial: Initial | None = None) -> Make:
    """A function that makes objects of this class; it raises StoredValueError if the fields do not allow it.

    `initial` makes a fresh object: what the store begins with, by default the class itself.
    """
    if kind is dict or is_typeddict(kind):
        return lambda attributes: attributes
    if issubclass(kind, BaseModel):
        return Model(kind, initial).make
    if issubclass(kind, msgspec.Struct):
        return _struct_maker(kind, initial)
    if is_named_tuple(kind):
        return _tuple_maker(kind, initial)
    return Fields(kind, initial).make


def rows_maker_of(kind: Any, initial: Initial | None = None) -> MakeAll:
    """`maker_of` for many objects at once."""
    make = maker_of(kind, initial)

    def make_structs(rows: Sequence[dict[str, Any]]) -> list[Any]:
        try:
            return [kind(**row) for row in rows]
        except (TypeError, ValueError):
            return [make(row) for row in rows]

    if issubclass(kind, msgspec.Struct):
        return make_structs
    if kind is dict or is_typeddict(kind) or issubclass(kind, BaseModel) or is_named_tuple(kind):
        return lambda rows: [make(row) for row in rows]
    return Fields(kind, initial).make_all


@cache
def fields_of(kind: Any) -> "Fields":
    """What objects of a class hold, where no store makes any."""
    return Fields(kind, None)


def no_fresh_object() -> NoReturn:
    """In the place of `initial`, for a class whose constructor may not be called."""
    raise StoredValueError("not even by its own constructor")


def is_named_tuple(kind: Any) -> bool:
    """Whether a class is a tuple of named fields and nothing more, and has no constructor of its own."""
    if not issubclass(kind, tuple) or kind.__dictoffset__ or not hasattr(kind, "_field_defaults"):
        return False
    [made, *_] = [each for each in kind.__mro__ if "_fields" in vars(each)]
    new = inspect.getattr_static(kind, "__new__")
    return "__new__" in vars(made) and new is vars(made)["__new__"] and "_make" in vars(made)


def is_generated(method: Any) -> bool:
    """Whether dataclasses or attrs have made a method."""
    module = getattr(method, "__module__", None) or ""
    return isinstance(method, FunctionType) and module.partition(".")[0] in _LIBRARIES


def slots_in(kind: type) -> frozenset[str]:
    """The names of the slots of a class that can be reached; members of a complex number cannot be set."""
    slotted = (vars(parent) for parent in kind.__mro__ if "__slots__" in vars(parent))
    return frozenset(
        name
        for members in slotted
        for name, member in members.items()
        if type(member) is MemberDescriptorType and inspect.getattr_static(kind, name) is member
    )


def held_by(value: Any, slots: Collection[str]) -> dict[str, Any]:
    """The fields of an object, in its slots and its `__dict__`."""
    held = {name: getattr(value, name) for name in slots if hasattr(value, name)}
    return held | getattr(value, "__dict__", {})


class Fields:
    """The fields of an ordinary class, a dataclass or a class of attrs: in a `__dict__`, slots, or both."""

    def __init__(self, kind: Any, initial: Initial | None) -> None:
        self.kind = kind
        self.slots = slots_in(kind)
        self.has_dict = kind.__dictoffset__ != 0
        self.methods = _methods(kind)
        self._initial = initial
        self._declared = _declared(kind)
        self._expected: frozenset[str] | None = None
        self._setters = {name: inspect.getattr_static(kind, name).__set__ for name in self.slots}
        self._is_plain = self.has_dict and not self.slots
        # By the names of all fields of complete objects: what sets each, and nothing for a plain `__dict__`.
        self._known: dict[tuple[str, ...], tuple[Callable[[Any, Any], None], ...]] = {}
        self._is_set_freely = kind.__setattr__ is object.__setattr__
        self._new = kind.__new__

    def expected(self, attributes: Mapping[str, Any]) -> frozenset[str]:
        """What a complete object holds; found out once, for which a fresh object is made."""
        if self._expected is None:
            fresh = self._fresh(attributes)
            held = () if fresh is None else held_by(fresh, self.slots)
            self._expected = frozenset(self._declared).union(held)
        return self._expected

    @cached_property
    def has_any(self) -> bool:
        """Whether an object without any field lacks one."""
        fresh = None if self._declared else self._fresh({})
        return bool(self._declared) or (fresh is not None and bool(held_by(fresh, self.slots)))

    def make(self, attributes: dict[str, Any]) -> Any:
        made = self._new(self.kind)
        setters = self._known.get(tuple(attributes))
        if setters is None:
            self._fill_new(made, attributes)
        elif not self._is_plain:
            for put, held in zip(setters, attributes.values()):  # noqa: B905 - as many, and asked for often
                put(made, held)
        elif self._is_set_freely:
            made.__dict__ = attributes
        else:
            made.__dict__.update(attributes)
        return made

    def make_all(self, rows: Sequence[dict[str, Any]]) -> list[Any]:
        """`make` of each, whose calls would cost a fifth."""
        found, new, kind, known = [], self._new, self.kind, self._known
        if self._is_plain and not self._is_set_freely:
            return [self.make(row) for row in rows]
        is_plain = self._is_plain
        for row in rows:
            made = new(kind)
            setters = known.get(tuple(row))
            if setters is None:
                self._fill_new(made, row)
            elif is_plain:
                made.__dict__ = row
            else:
                for put, held in zip(setters, row.values()):  # noqa: B905 - as in `make`
                    put(made, held)
            found.append(made)
        return found

    def _fill_new(self, made: Any, attributes: dict[str, Any]) -> None:
        """`fill`, where what is stored has to be all that the object is."""
        if not self.has_dict and not self.slots and attributes and self.kind.__basicsize__ > _EMPTY_BYTES:
            raise StoredValueError(
                f"a {self.kind.__qualname__} cannot be made of fields: {sorted(attributes)}"
            )
        self.fill(made, attributes)

    def fill(self, made: Any, attributes: dict[str, Any]) -> None:
        """Give an empty object these fields, and the default of those that are missing."""
        is_complete = attributes.keys() >= self.expected(attributes)
        if is_complete and len(self._known) < _MOST_KNOWN:
            self._remember(tuple(attributes))
        self._put(made, attributes)
        if not is_complete:
            self.complete(made, attributes)

    def _remember(self, names: tuple[str, ...]) -> None:
        if self._is_plain and self.methods.isdisjoint(names):
            self._known[names] = ()
        elif self.slots.issuperset(names):
            self._known[names] = tuple(self._setters[name] for name in names)

    def complete(self, made: Any, attributes: Mapping[str, Any]) -> None:
        """Add what is missing to an object that has been given these fields."""
        missing = self.expected(attributes) - attributes.keys()
        if not missing:
            return
        kept = kept_private(self.kind, attributes.keys() - self.expected(attributes), missing)
        self._put(made, {name: attributes[old] for name, old in kept.items()})
        if self.has_dict:
            # The way back would find it there as it was now.
            for old in kept.values():
                made.__dict__.pop(old, None)
        missing -= kept.keys()
        fresh = self._fresh(attributes)
        held = {} if fresh is None else held_by(fresh, self.slots)
        for name in missing:
            if name in held:
                self._put(made, {name: held[name]})
            elif name in self._declared and not self._has_class_default(name):
                raise missing_field(self.kind, name)

    def _put(self, made: Any, attributes: Mapping[str, Any]) -> None:
        for name, held in attributes.items():
            if name in self.slots:
                # The class's own __setattr__ is for changing an object, not for making it again.
                object.__setattr__(made, name, held)
            elif self.has_dict and name not in self.methods:
                made.__dict__[name] = held

    def _has_class_default(self, name: str) -> bool:
        found = inspect.getattr_static(self.kind, name, _NOTHING)
        return found is not _NOTHING and type(found) is not MemberDescriptorType

    def _fresh(self, attributes: Mapping[str, Any]) -> Any:
        """A fresh object; None if none can be made."""
        return _fresh(self.kind, self._initial, attributes, known_first=bool(self._declared))


class Model:
    """The fields of a pydantic model: validated as the class says."""

    def __init__(self, kind: type[BaseModel], initial: Initial | None) -> None:
        self._kind = kind
        self._initial = initial
        self._private = kind.__private_attributes__.keys()
        self._takes_extra = kind.model_config.get("extra") == "allow"

    def make(self, attributes: dict[str, Any]) -> Any:
        kind, validator = self._kind, self._kind.__pydantic_validator__
        try:
            made = validator.validate_python(self._fields(attributes), by_alias=False, by_name=True)
        except ValueError as error:
            raise unfit_model(kind, error) from error
        for name in self._private & attributes.keys():
            setattr(made, name, attributes[name])
        return made

    def make_from_json(self, payload: bytes) -> Any:
        """The model of its JSON, where this does not validate as it is."""
        kind, validator = self._kind, self._kind.__pydantic_validator__
        try:
            fields = self._fields(json_by_field(kind, json.loads(payload)))
            # What a model within has lost is not its fault either.
            ignored: Any = {} if self._takes_extra else {"extra": "ignore"}
            return validator.validate_json(
                to_json(fields, by_alias=False), by_alias=False, by_name=True, **ignored
            )
        except (ValueError, TypeError, AttributeError) as error:
            raise unfit_model(kind, error) from error

    def _fields(self, attributes: dict[str, Any]) -> dict[str, Any]:
        """What the model has a place for, and what it requires."""
        declared, others = self._kind.model_fields, self._takes_extra
        return self._completed(
            {
                name: held
                for name, held in by_field(self._kind, attributes).items()
                if name in declared or (others and name not in self._private)
            }
        )

    def _completed(self, known: dict[str, Any]) -> dict[str, Any]:
        fields = self._kind.model_fields.items()
        missing = [name for name, field in fields if field.is_required() and name not in known]
        fresh = _fresh(self._kind, self._initial, {}, known_first=False) if missing else None
        if fresh is None:
            return known
        return known | {name: getattr(fresh, name) for name in missing}


def unfit_model(kind: Any, error: Exception) -> StoredValueError:
    """The error about what the validation of a model refuses."""
    return StoredValueError(f"a stored {kind.__qualname__} cannot be read: {error}")


def missing_field(kind: Any, name: str) -> StoredValueError:
    """The error about a field that nothing is known of."""
    return StoredValueError(
        f"a stored {kind.__qualname__} has no {name!r}, and the class has no default for it: give it one"
    )


def _struct_maker(kind: Any, initial: Initial | None) -> Make:
    """Structs are made by their constructor, as pickle would do."""
    names = frozenset(kind.__struct_fields__)

    def make_struct(attributes: dict[str, Any]) -> Any:
        try:
            return kind(**attributes)
        except TypeError as error:
            if not attributes.keys() <= names:
                known = by_field(kind, attributes)
                return make_struct({name: held for name, held in known.items() if name in names})
            fresh = _fresh(kind, initial, {}, known_first=False)
            if fresh is None or names <= attributes.keys():
                raise StoredValueError(f"a stored {kind.__qualname__} cannot be made: {error}") from error
            return kind(**{name: getattr(fresh, name) for name in names} | attributes)
        except ValueError as error:
            raise StoredValueError(f"a stored {kind.__qualname__} cannot be made: {error}") from error

    return make_struct


def _tuple_maker(kind: Any, initial: Initial | None) -> Make:
    names: tuple[str, ...] = kind._fields

    def make_tuple(attributes: dict[str, Any]) -> Any:
        if not attributes.keys() >= frozenset(names):
            fresh = _fresh(kind, initial, {}, known_first=False)
            others = kind._field_defaults if fresh is None else fresh._asdict()
            attributes = {**others, **attributes}
        for name in names:
            if name not in attributes:
                raise missing_field(kind, name)
        return tuple.__new__(kind, [attributes[name] for name in names])

    return make_tuple


def _fresh(kind: Any, initial: Initial | None, attributes: Mapping[str, Any], *, known_first: bool) -> Any:
    """A fresh object of a class, by the first way that works; None if none does."""

    def with_known_fields() -> Any:
        known = {}
        for name in inspect.signature(kind).parameters:
            # attrs takes the underscore off the name of a parameter.
            stored = next((each for each in (name, f"_{name}") if each in attributes), None)
            if stored is not None:
                known[name] = attributes[stored]
        return kind(**known)

    if initial is no_fresh_object:
        return None
    ways = [with_known_fields] if known_first else []
    ways += [kind if initial is None else initial, kind]

    def with_content() -> Any:
        return kind(_type_of_content(kind)())

    for way in [*ways, with_known_fields, with_content]:
        try:
            made = way()
        except Interrupt:
            raise
        except BaseException:  # noqa: S112 - whatever the user's constructor raises; the next way may do
            continue
        if type(made) is kind:
            return made
    return None


@cache
def _type_of_content(kind: Any) -> Any:
    """The built-in type that a class is called with the content of; LookupError if it is called otherwise."""
    [content] = [each for each in _CONTENTS if issubclass(kind, type(each))]
    base: Any = type(content)
    if base.__eq__(kind(content), content) is not True:
        raise LookupError(kind)
    return base


def _declared(kind: Any) -> frozenset[str]:
    """The fields that a dataclass or a class of attrs declares."""
    fields = getattr(kind, "__attrs_attrs__", None)
    if fields is not None:
        return frozenset(field.name for field in fields)
    return frozenset(field.name for field in dataclasses.fields(kind)) if is_dataclass(kind) else frozenset()


@cache
def _methods(kind: type) -> frozenset[str]:
    """The names under which the class has a method."""
    kinds = (FunctionType, staticmethod, classmethod)
    names = {name for parent in kind.__mro__[:-1] for name in vars(parent)}
    return frozenset(name for name in names if isinstance(inspect.getattr_static(kind, name), kinds))


_NOTHING, _EMPTY_BYTES = object(), object.__basicsize__

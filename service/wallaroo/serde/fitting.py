"""Objects within a pickle whose class has changed since: filled by the rule of `revive.py`, not by pickle's.

Rules for whoever edits this file:
1. A stand-in says whether what is stored fits the class. If anything does not, the slower reader is used.
2. Only classes of the application's own that leave their pickling to pickle, dataclasses, attrs or pydantic.
"""

import copyreg
import dataclasses
import inspect
import io
import pickle
import threading
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, ClassVar, NamedTuple

from pydantic import BaseModel, RootModel
from pydantic_core import PydanticUndefined

from wallaroo.errors import StoredValueError
from wallaroo.serde.old_names import aliases_of, by_field
from wallaroo.serde.revive import fields_of, is_generated, is_named_tuple, maker_of, missing_field

Find = Callable[[str, str], Callable[..., Any]]
IsOwn = Callable[[str | None], bool]

_MODEL_STATE = frozenset(
    {"__dict__", "__pydantic_extra__", "__pydantic_fields_set__", "__pydantic_private__"}
)
_LACKING = "__lacking__"
_REDUCING = ("__reduce__", "__reduce_ex__")
_CONTAINERS = (set, frozenset, Counter, OrderedDict, defaultdict, deque)
_FILLING = ("__getstate__", "__setstate__", "__reduce__", "__reduce_ex__")


class Misfits(threading.local):
    """Whether the pickle that this thread is reading holds an object that does not fit its class."""

    found = False


misfits = Misfits()


class _State(NamedTuple):
    """What pickle stored of an object: in its `__dict__`, in slots, or of a model."""

    in_dict: dict[str, Any]
    in_slots: dict[str, Any]
    is_model: bool = False


def may_change(kind: type) -> bool:
    """Whether objects of a class of the application's own are filled here if they do not fit."""
    if is_named_tuple(kind) or issubclass(kind, RootModel):
        return False
    if issubclass(kind, BaseModel):
        return all(_inherits(kind, name, BaseModel) for name in _FILLING)
    return all(_inherits(kind, name, object) for name in _FILLING) and not issubclass(kind, BaseException)


@cache
def listed_fields(kind: Any) -> tuple[str, ...] | None:
    """The fields of a class of which pickle writes the values only; None for any other class.

    These are named tuples, and dataclasses that are frozen and in slots.
    """
    if not isinstance(kind, type) or kind in copyreg.dispatch_table:
        return None
    if any(getattr(kind, name) is not getattr(object, name) for name in _REDUCING):
        return None
    named: Any = kind
    if is_named_tuple(kind):
        [made, *_] = [vars(each) for each in kind.__mro__ if "_fields" in vars(each)]
        is_usual = named.__getnewargs__ is made["__getnewargs__"] and not hasattr(kind, "__getnewargs_ex__")
        return named._fields if is_usual else None
    filling: list[Any] = [getattr(kind, name, None) for name in ("__getstate__", "__setstate__")]
    if any(getattr(each, "__module__", None) != "dataclasses" for each in filling):
        return None
    return tuple(field.name for field in dataclasses.fields(named))


def without_fields(kind: Any, state: Any) -> Any:
    """What is pickled of a model that lacks fields: their names too, to be told from an older version."""
    if type(state) is not dict or not state.keys() >= _MODEL_STATE:
        return state
    return {**state, _LACKING: sorted(kind.model_fields.keys() - state["__dict__"].keys())}


def lacks_when_empty(kind: Any) -> bool:
    """Whether an object of the application's own that pickle only makes, and never fills, lacks a field."""
    is_made_only = (kind.__reduce__, kind.__reduce_ex__) == (object.__reduce__, object.__reduce_ex__)
    if not is_made_only or not may_change(kind):
        return False
    return issubclass(kind, BaseModel) or fields_of(kind).has_any


def note_misfit(kind: type, state: Any) -> bool:
    """Whether what is stored of an object fits its class; remembered if it does not."""
    fits = _fits(kind, state)
    misfits.found = misfits.found or not fits
    return fits


class Placeholder:
    """Takes the place of an object whose class is made in another way now."""

    fields: dict[str, Any] | None

    def __new__(cls, *arguments: Any) -> "Placeholder":
        made = super().__new__(cls)
        made.fields = None if arguments else {}
        return made

    @classmethod
    def of(cls, fields: dict[str, Any]) -> "Placeholder":
        made = cls()
        made.fields = fields
        return made

    def __setstate__(self, state: Any) -> None:
        found = _state_of(state)
        self.fields = None if found is None else {**found.in_dict, **found.in_slots}


# Python's own reader, after which the one in C is made.
_Reader: Any = pickle._Unpickler  # noqa: SLF001


def load_fitting(
    data: bytes, find_stand_in: Find, find: Find, is_own: IsOwn, names: Mapping[Any, tuple[str, ...]]
) -> Any:
    """The value; `names` are, by class, its fields when its values were stored."""
    # Python's own reader may differ where pickle would not have written it: again with stand-ins.
    checked = _FittingUnpickler(data, find_stand_in, is_own)
    checked.load()
    return _FittingUnpickler(data, find, is_own, names, checked.never_filled).load()


class _FittingUnpickler(_Reader):  # type: ignore[misc]
    """Reads as pickle does, but fills objects whose class has changed."""

    dispatch: ClassVar[dict[int, Any]] = dict(_Reader.dispatch)

    def __init__(
        self,
        data: bytes,
        find: Find,
        is_own: IsOwn,
        names: Mapping[Any, tuple[str, ...]] | None = None,
        empty: frozenset[int] = frozenset(),
    ) -> None:
        super().__init__(io.BytesIO(data))
        self._find = find
        self._is_own = is_own
        self._names = names or {}
        # The how manieth objects are made and then never filled.
        self._empty = empty
        self._made = 0
        # By identity: objects that have not been filled yet, each with its number.
        self._unfilled: dict[int, tuple[int, Any]] = {}

    @property
    def never_filled(self) -> frozenset[int]:
        """The numbers of the objects that were only made, when all is read."""
        return frozenset(number for number, _ in self._unfilled.values())

    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        return self._find(module, name)

    def load_filling(self) -> None:
        """The opcode that fills an object."""
        state, filled = self.stack[-1], self.stack[-2]
        kind = type(filled)
        self._unfilled.pop(id(filled), None)
        if type(state) is list and kind in self._names:
            del self.stack[-1]
            fields = dict(zip(self._names[kind], state, strict=True))
            if kind is Placeholder:
                filled.fields = fields
            else:
                _fill(filled, kind, fields)
            return
        if not self._may_fill(kind) or _fits(kind, state):
            self.load_build()
            return
        del self.stack[-1]
        _fill(filled, kind, state)

    def load_named(self) -> None:
        """The opcode that makes an object, if need be a named tuple."""
        kind, values = self.stack[-2:]
        if not values or kind not in self._names:
            self.load_newobj()
            self._note_made(self.stack[-1])
            return
        fields = dict(zip(self._names[kind], values, strict=True))
        self.stack[-2:] = [Placeholder.of(fields) if kind is Placeholder else _named_tuple(kind, fields)]

    def _note_made(self, made: Any) -> None:
        self._made += 1
        self._unfilled[id(made)] = self._made, made
        # At once: what comes next may be a set that compares it.
        if self._made in self._empty and self._may_fill(type(made)):
            _fill(made, type(made), {})

    def _may_fill(self, kind: type) -> bool:
        is_stand_in = type(kind).__module__ == _STAND_INS
        return not is_stand_in and may_change(kind) and self._is_own(kind.__module__)

    dispatch[pickle.BUILD[0]] = load_filling
    dispatch[pickle.NEWOBJ[0]] = load_named


def _named_tuple(kind: Any, fields: dict[str, Any]) -> Any:
    if not is_named_tuple(kind):
        raise StoredValueError(
            f"a stored {kind.__qualname__} was a named tuple, which it has to stay within other values"
        )
    return maker_of(kind)(fields)


_STAND_INS = "wallaroo.serde.stand_ins"


def _inherits(kind: type, name: str, parent: type) -> bool:
    found = getattr(kind, name, None)
    if found is getattr(parent, name, None) or is_generated(found):
        return True
    # A set and the like say how they are made; what they hold beside it is filled as ever.
    return name in _REDUCING and any(found is getattr(each, name) for each in _CONTAINERS)


def _state_of(state: Any) -> _State | None:
    """None if these are no fields with names."""
    if type(state) is dict:
        if state.keys() >= _MODEL_STATE:
            held = [state["__dict__"], state["__pydantic_extra__"], state["__pydantic_private__"]]
            return _State(_merged(held), {}, is_model=True)
        return _State(state, {})
    if type(state) is tuple and len(state) == 2 and type(state[1]) is dict:  # noqa: PLR2004 - what pickle makes
        return _State(_merged([state[0]]), state[1])
    return None


def _merged(parts: Iterable[Any]) -> dict[str, Any]:
    return {name: held for part in parts if type(part) is dict for name, held in part.items()}


def _fits(kind: Any, state: Any) -> bool:
    if type(state) is list:
        return _list_fits(kind, state)
    found = _state_of(state)
    if found is None:
        return True
    names = found.in_dict.keys() | found.in_slots.keys()
    if issubclass(kind, BaseModel):
        known = names.union(state.get(_LACKING, ())) if found.is_model else names
        expected = kind.model_fields.keys() | _private_defaults(kind)
        return found.is_model and expected <= known and _has_place(kind, names)
    fields = fields_of(kind)
    is_filled_by_name = is_generated(getattr(kind, "__setstate__", None))
    if found.is_model or (found.in_dict and not fields.has_dict and not is_filled_by_name):
        return False
    is_set_freely = kind.__setattr__ is object.__setattr__
    if found.in_slots and not (is_set_freely and fields.slots.issuperset(found.in_slots)):
        return False
    has_place = fields.methods.isdisjoint(names)
    return has_place and names >= fields.expected({**found.in_dict, **found.in_slots})


def _list_fits(kind: Any, state: list[Any]) -> bool:
    names = listed_fields(kind)
    if names is not None and len(state) != len(names):
        raise StoredValueError(
            f"a stored {kind.__qualname__} has {len(state)} fields without names, and the class has "
            f"{len(names)}: let it have the stored fields, in their order"
        )
    return True


@cache
def _private_defaults(kind: Any) -> frozenset[str]:
    """The private attributes of a model that every object of it begins with."""
    declared = kind.__private_attributes__.items()
    return frozenset(
        name
        for name, field in declared
        if field.default is not PydanticUndefined or field.default_factory is not None
    )


def _has_place(kind: Any, names: Iterable[str]) -> bool:
    if kind.model_config.get("extra") == "allow":
        return True
    return all(name in kind.model_fields or name in kind.__private_attributes__ for name in names)


def _fill(filled: Any, kind: Any, state: Any) -> None:
    found = _state_of(state)
    attributes = {} if found is None else {**found.in_dict, **found.in_slots}
    if issubclass(kind, BaseModel):
        is_model = found is not None and found.is_model
        set_names = state["__pydantic_fields_set__"] if is_model else attributes
        aliases = aliases_of(kind)
        set_names = {aliases.get(name, name) for name in set_names}
        _fill_model(filled, kind, by_field(kind, attributes), set_names)
    else:
        fields_of(kind).fill(filled, attributes)


def _private_default(field: Any, fields: Mapping[str, Any]) -> Any:
    if field.default_factory is None:
        return field.get_default()
    # The older of the supported versions of pydantic take no arguments, and call the factory.
    if "call_default_factory" not in inspect.signature(type(field).get_default).parameters:
        return field.get_default()
    return field.get_default(call_default_factory=True, validated_data=dict(fields))


def _fill_model(filled: Any, kind: Any, attributes: dict[str, Any], set_names: Iterable[str]) -> None:
    """Fill a model without validation, as pickle does."""
    fields, private = {}, {}
    for name, field in kind.model_fields.items():
        if name in attributes:
            fields[name] = attributes[name]
        elif field.is_required():
            raise missing_field(kind, name)
        else:
            fields[name] = field.get_default(call_default_factory=True, validated_data=fields)
    for name, field in kind.__private_attributes__.items():
        if name in attributes:
            private[name] = attributes[name]
        elif name in _private_defaults(kind):
            private[name] = _private_default(field, fields)
    others = {name: held for name, held in attributes.items() if name not in fields and name not in private}
    takes_extra = kind.model_config.get("extra") == "allow"
    BaseModel.__setstate__(
        filled,
        {
            "__dict__": fields,
            "__pydantic_extra__": others if takes_extra else None,
            "__pydantic_fields_set__": {name for name in set_names if name in fields or takes_extra},
            "__pydantic_private__": private or None,
        },
    )

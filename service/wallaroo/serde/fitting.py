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
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, ClassVar, NamedTuple

from pydantic import BaseModel, RootModel
from pydantic_core import PydanticUndefined

from wallaroo.errors import StoredValueError
from wallaroo.serde.old_names import aliases_of, by_field
from wallaroo.serde.revive import fields_of, is_generated, is_named_tuple, maker_of, missing_field

_MODEL_STATE = frozenset(
    {"__dict__", "__pydantic_extra__", "__pydantic_fields_set__", "__pydantic_private__"}
)
_LACKING = "__lacking__"
_REDUCING = ("__reduce__", "__reduce_ex__")
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
    if issubclass(kind, tuple) or is_named_tuple(kind) or issubclass(kind, RootModel):
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


class FittingUnpickler(_Reader):  # type: ignore[misc]
    """Reads as pickle does, but fills objects whose class has changed."""

    dispatch: ClassVar[dict[int, Any]] = dict(_Reader.dispatch)

    def __init__(
        self,
        data: bytes,
        find: Callable[[str, str], Callable[..., Any]],
        names: Mapping[Any, tuple[str, ...]] | None = None,
    ) -> None:
        super().__init__(io.BytesIO(data))
        self._find = find
        # By class: its fields when its values were stored.
        self._names = names or {}

    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        return self._find(module, name)

    def load_fitting(self) -> None:
        """The opcode that fills an object."""
        state, filled = self.stack[-1], self.stack[-2]
        kind = type(filled)
        if type(state) is list and kind in self._names:
            del self.stack[-1]
            fields = dict(zip(self._names[kind], state, strict=True))
            if kind is Placeholder:
                filled.fields = fields
            else:
                _fill(filled, kind, fields)
            return
        if type(kind).__module__ == _STAND_INS or not may_change(kind) or _fits(kind, state):
            self.load_build()
            return
        del self.stack[-1]
        _fill(filled, kind, state)

    def load_named(self) -> None:
        """The opcode that makes an object, if need be a named tuple."""
        kind, values = self.stack[-2:]
        if not values or kind not in self._names:
            self.load_newobj()
            return
        fields = dict(zip(self._names[kind], values, strict=True))
        self.stack[-2:] = [Placeholder.of(fields) if kind is Placeholder else _named_tuple(kind, fields)]

    dispatch[pickle.BUILD[0]] = load_fitting
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
    return found is getattr(parent, name, None) or is_generated(found)


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
    return names >= fields.expected({**found.in_dict, **found.in_slots})


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

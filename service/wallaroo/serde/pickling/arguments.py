"""What the constructors of value types may be given: what they are given when a value of theirs is pickled.

Each rule says whether it allows these arguments, and takes what they cost from the budget.
"""

import re
from collections.abc import Callable, Sequence
from datetime import timedelta, tzinfo
from types import NoneType
from typing import Any

from wallaroo.serde.pickling.budget import Budget

Arguments = Sequence[Any]
Rule = Callable[[Arguments, Budget], bool]

# As many digits as Python reads, or less.
_FRACTION = re.compile(r"-?[0-9]{1,4300}(/[0-9]{1,4300})?")
_COPIED = frozenset({tuple, list, dict, set, frozenset})
_ATOMS = frozenset({NoneType, bool, int, float, complex, str, bytes})
# What a flag of this many bits costs, whoever has it made of a number.
_MOST_FLAGS = 4096
_OF_DATES = (timedelta, tzinfo)
_STEPS_OF_SEEDING = 1000


def whatever(_arguments: Arguments, _budget: Budget) -> bool:
    """What is given is kept, or it is looked at by the application's own code."""
    return True


def nothing(arguments: Arguments, _budget: Budget) -> bool:
    return not arguments


def never(_arguments: Arguments, _budget: Budget) -> bool:
    return False


def measured(arguments: Arguments, budget: Budget) -> bool:
    """Plain values, which another library may do with what is done in a few walks through them."""
    return all(type(each) in _ATOMS | _COPIED and budget.walk(each) for each in arguments)


def enumerated(arguments: Arguments, budget: Budget) -> bool:
    """The value of a member, which is hashed, compared, and shown if there is none."""
    if len(arguments) != 1:
        return False
    (value,) = arguments
    return bool(budget.walk(value)) and not (isinstance(value, int) and value.bit_length() > _MOST_FLAGS)


def _of(*types: type, most: int = 1) -> Rule:
    """Numbers, text and bytes."""
    allowed = frozenset(types)

    def rule(arguments: Arguments, budget: Budget) -> bool:
        if len(arguments) > most or not allowed.issuperset(map(type, arguments)):
            return False
        for each in arguments:
            budget.copy(each)
        return True

    return rule


_atoms = _of(*_ATOMS, most=9)


def _seed(arguments: Arguments, budget: Budget) -> bool:
    budget.spend(_STEPS_OF_SEEDING)
    return not arguments


def _fraction(arguments: Arguments, budget: Budget) -> bool:
    match arguments:
        case [str(text)] if type(text) is str:
            budget.spend(len(text))
            return _FRACTION.fullmatch(text) is not None
        case [one, other] if type(one) is type(other) is int:
            # The time that it takes to reduce a fraction to its lowest terms.
            budget.spend((one.bit_length() >> 9) * (other.bit_length() >> 9))
            return True
    return not arguments


def _date(arguments: Arguments, budget: Budget) -> bool:
    return _atoms([each for each in arguments if not isinstance(each, _OF_DATES)], budget)


def _copied(arguments: Arguments, budget: Budget) -> bool:
    """A container, whose items are put into another."""
    if not arguments:
        return True
    budget.copy(arguments[0])
    return len(arguments) == 1 and type(arguments[0]) in _COPIED


def _hashed(arguments: Arguments, budget: Budget) -> bool:
    """A container, whose items or keys are put into a set or a dict."""
    if not _copied(arguments, budget):
        return False
    for each in arguments:
        budget.hash_all(each, each)
    return True


def _dict(arguments: Arguments, budget: Budget) -> bool:
    return not arguments or (type(arguments[0]) is dict and _hashed(arguments, budget))


def _slice(arguments: Arguments, _budget: Budget) -> bool:
    """Slices in each other are freed by a call inside of a call."""
    slices = [each for each in arguments if type(each) is slice]
    return not any(type(part) is slice for each in slices for part in (each.start, each.stop, each.step))


def _defaultdict(arguments: Arguments, budget: Budget) -> bool:
    return not arguments or (
        (arguments[0] is None or isinstance(arguments[0], type)) and _dict(arguments[1:], budget)
    )


def _deque(arguments: Arguments, budget: Budget) -> bool:
    return _copied(arguments[:1], budget) and all(type(each) in (int, NoneType) for each in arguments[1:])


RULES: dict[str, Rule] = {
    "builtins.object.__new__": whatever,
    "builtins.object.__init__": whatever,
    "builtins.bytes.__new__": _of(bytes),
    "builtins.bytearray.__new__": whatever,
    "builtins.bytearray.__init__": _of(bytes),
    "builtins.str.__new__": _of(str),
    "builtins.int.__new__": _of(int, float),
    "builtins.float.__new__": _of(int, float),
    "builtins.complex.__new__": _of(int, float, complex, most=2),
    "builtins.range.__new__": _of(int, most=3),
    "builtins.slice.__new__": _slice,
    "builtins.tuple.__new__": _copied,
    "builtins.list.__new__": whatever,
    "builtins.list.__init__": _copied,
    "builtins.dict.__new__": whatever,
    "builtins.dict.__init__": _dict,
    "builtins.set.__new__": whatever,
    "builtins.set.__init__": _hashed,
    "builtins.frozenset.__new__": _hashed,
    "collections.deque.__new__": whatever,
    "collections.deque.__init__": _deque,
    "collections.Counter.__init__": _hashed,
    "collections.OrderedDict.__new__": whatever,
    "collections.OrderedDict.__init__": _dict,
    "collections.defaultdict.__init__": _defaultdict,
    "datetime.date.__new__": _date,
    "datetime.datetime.__new__": _date,
    "datetime.time.__new__": _date,
    "datetime.timedelta.__new__": _date,
    "datetime.timezone.__new__": _date,
    "datetime.tzinfo.__new__": whatever,
    "decimal.Decimal.__new__": _of(str),
    "fractions.Fraction.__new__": _fraction,
    "_random.Random.__new__": _seed,
    "random.Random.__init__": nothing,
    "uuid.UUID.__init__": _of(str),
    "zoneinfo.ZoneInfo.__new__": _of(str),
    "pydantic.main.BaseModel.__init__": nothing,
    "pydantic.root_model.RootModel.__init__": measured,
    "pydantic_core._pydantic_core.TzInfo.__new__": _of(int, float),
}

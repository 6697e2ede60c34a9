"""Classes of every shape that a user may keep in a state or send through a topic."""

import enum
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Generic, Literal, NamedTuple, TypeVar

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, PrivateAttr, RootModel, field_validator

T = TypeVar("T")


class Bag:
    """Any attributes."""


class WithDefaults:
    total = 0
    names = ()
    ratio = 1.5


class Derived(WithDefaults):
    extra = None


class Slots:
    __slots__ = ("a", "b")


class SlotsAndMore(Slots):
    """A __dict__ behind the slots of its parent."""


class OwnState:
    def __init__(self):
        self.value = None

    def __getstate__(self):
        return {"wrapped": [self.value]}

    def __setstate__(self, state):
        (self.value,) = state["wrapped"]


class OwnReduce:
    def __init__(self, value=None):
        self.value = value

    def __reduce__(self):
        return OwnReduce, (self.value,)


class OwnDict(dict):
    """With attributes besides its items."""


class OwnList(list):
    pass


class OwnText(str):
    __slots__ = ()


class OwnNumber(int):
    pass


class Outer:
    class Inner:
        pass


@dataclass
class Data:
    a: Any = None
    b: list = field(default_factory=list)


@dataclass(frozen=True)
class Frozen:
    a: Any = None


@dataclass(frozen=True, slots=True)
class FrozenSlots:
    a: Any = None


class Pair(NamedTuple):
    a: Any
    b: Any


class Color(enum.Enum):
    RED = "red"
    DEEP = ("deep", 2)


class Level(enum.IntEnum):
    LOW = 1


class Word(enum.StrEnum):
    YES = "yes"


class Right(enum.Flag):
    READ = 1
    WRITE = 2


class Scalars(BaseModel):
    a: int = 0
    b: float = 0
    c: str = ""
    d: bool = False
    e: int | float | None = None


class Anything(BaseModel):
    a: Any = None
    b: Any = None


class Aliased(BaseModel):
    user_name: str | None = Field(default=None, alias="userName")
    limit: float = Field(
        default=0, validation_alias=AliasChoices("limit", "max"), serialization_alias="LIMIT"
    )


class Strict(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)
    number: int | float = 0
    when: Any = None


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    a: int = 0


class Narrow(BaseModel):
    """What it validates is not always what it is changed to afterwards."""

    amount: int = Field(default=1, ge=0)
    name: str = Field(default="", max_length=3)
    kind: Literal["x", "y"] = "x"


class Doubling(BaseModel):
    """A validator that is not idempotent."""

    amount: int = 1

    @field_validator("amount")
    @classmethod
    def double(cls, amount):
        return 2 * amount


class Hidden(BaseModel):
    _secret: int = PrivateAttr(default=0)
    unseen: int = Field(default=0, exclude=True)


class Base(BaseModel):
    a: int = 0


class Extended(Base):
    b: int = 0


class Tree(BaseModel):
    """Declared with the parent, filled with the child."""

    base: Base = Base()
    bases: list[Base] = []
    pairs: dict[str, tuple[int, ...]] = {}


class Moment(BaseModel):
    at: datetime | None = None
    price: Decimal = Decimal(0)


class Numbers(RootModel[list[int]]):
    pass


class Box(BaseModel, Generic[T]):
    item: T


IntBox = Box[int]

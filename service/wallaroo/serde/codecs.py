"""Which codecs an application gets: its own module's `serialize` and `deserialize`, or else ours."""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from wallaroo.serde.object_codec import Codec, StateCodec, TopicCodec, UserCodec
from wallaroo.serde.pickle import RestrictedPickle
from wallaroo.serde.values import ValueCodec


@dataclass(frozen=True, slots=True)
class Codecs:
    """How an application's values become bytes: what crosses a topic, and the state of each stage.

    `ours` is the codec of values that an application without a `serialize` of its own would have.
    """

    values: TopicCodec
    state: Callable[[Callable[[], Any]], Codec]
    ours: TopicCodec


def codecs_of(module: ModuleType | None) -> Codecs:
    """The codecs of an application whose `application_setup` is in this module."""
    pickles = RestrictedPickle([] if module is None else [module.__name__])
    ours = ValueCodec(pickles)
    own = None if module is None else _own_codec(module)
    if own is not None:
        return Codecs(own, lambda _initial: own, ours)
    return Codecs(ours, lambda initial: StateCodec(initial, pickles), ours)


def _own_codec(module: ModuleType) -> UserCodec | None:
    serialize, deserialize = getattr(module, "serialize", None), getattr(module, "deserialize", None)
    if not callable(serialize) or not callable(deserialize):
        return None
    # `from wallaroo import *` brings the defaults along, which trust every byte.
    if _is_ours(serialize) or _is_ours(deserialize):
        return None
    return UserCodec(serialize, deserialize)


def _is_ours(function: Any) -> bool:
    return str(getattr(function, "__module__", "")).partition(".")[0] == "wallaroo"

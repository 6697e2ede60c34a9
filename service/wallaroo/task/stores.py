"""The stores of a task: one for each stage with state, one for the watermarks, or an empty one."""

from collections.abc import Callable
from typing import Any

from wallaroo.serde.object_codec import Codec
from wallaroo.state.aged import aged_format
from wallaroo.state.memory import MemoryStore
from wallaroo.state.store import KeyedStore, StoreFormat
from wallaroo.topology.model import SubTopology
from wallaroo.topology.steps import Stateful, Window
from wallaroo.windows.kinds import kind_of
from wallaroo.windows.watermark import WATERMARKS

StateCodecs = Callable[[Callable[[], Any]], Codec]


def new_stores(sub: SubTopology, state_codecs: StateCodecs) -> dict[str, KeyedStore]:
    """Empty stores for one task, by name; `state_codecs` makes a codec for what a function makes."""
    formats: dict[str, StoreFormat] = {}
    for step in sub.steps:
        if isinstance(step, Stateful):
            initial, codec = step.store.initial, state_codecs(step.store.initial)
            formats[step.store.name] = (
                kind_of(step).store_format(step, codec)
                if isinstance(step, Window)
                else aged_format(initial, codec, step.ttl)
            )
    if sub.timing is not None:
        formats[sub.timing.store.name] = WATERMARKS
    if sub.positions is not None:
        formats[sub.positions.name] = StoreFormat(sub.positions.initial, state_codecs(sub.positions.initial))
    return {name: MemoryStore(name, *each) for name, each in formats.items()}

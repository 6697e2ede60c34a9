"""The stores of one task: one for each step that keeps state, and one for watermarks."""

from collections.abc import Callable
from typing import Any

from wallaroo.serde.object_codec import Codec
from wallaroo.state.memory import MemoryStore
from wallaroo.state.store import KeyedStore, StoreFormat
from wallaroo.topology.model import SubTopology
from wallaroo.topology.steps import Stateful, Window
from wallaroo.windows.kinds import kind_of
from wallaroo.windows.watermark import WATERMARKS

StateCodecs = Callable[[Callable[[], Any]], Codec]


def new_stores(sub: SubTopology, state_codecs: StateCodecs) -> dict[str, KeyedStore]:
    """Empty stores for one task, by name; `state_codecs` makes a codec for what a function makes."""
    stateful = (step for step in sub.steps if isinstance(step, Stateful))
    formats = {step.store.name: _format(step, state_codecs) for step in stateful}
    if sub.timing is not None:
        formats[sub.timing.store.name] = WATERMARKS
    return {name: MemoryStore(name, *each) for name, each in formats.items()}


def _format(step: Stateful, state_codecs: StateCodecs) -> StoreFormat:
    codec = state_codecs(step.store.initial)
    if isinstance(step, Window):
        return kind_of(step).store_format(step, codec)
    return StoreFormat(step.store.initial, codec)

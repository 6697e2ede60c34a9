"""The stores of one task: for each kind of step its own, with the codec that goes with it."""

from collections.abc import Callable
from typing import Any

from wallaroo.serde.object_codec import Codec
from wallaroo.state.memory import MemoryStore
from wallaroo.state.store import KeyedStore
from wallaroo.topology.model import CountWindow, RangeWindow, Step, SubTopology, Update, UpdateMulti
from wallaroo.windows import contents, count
from wallaroo.windows.contents import Contents
from wallaroo.windows.count import Counted
from wallaroo.windows.grid import Grid
from wallaroo.windows.stored import ContentsCodec, CountedCodec, MarkCodec
from wallaroo.windows.watermark import NO_MARK

StateCodecs = Callable[[Callable[[], Any]], Codec]


def new_stores(sub: SubTopology, state_codecs: StateCodecs) -> dict[str, KeyedStore]:
    """Empty stores for one task, by name; `state_codecs` makes a codec for what a function makes."""
    made = (_new_store(step, state_codecs) for step in sub.steps)
    stores = [store for store in made if store is not None]
    if sub.timing is not None:
        stores.append(MemoryStore(sub.timing.store.name, lambda: NO_MARK, MarkCodec()))
    return {store.name: store for store in stores}


def grid_of(step: RangeWindow) -> Grid:
    return Grid(step.range, step.slide, step.delay)


def _new_store(step: Step, state_codecs: StateCodecs) -> KeyedStore | None:
    match step:
        case Update(store=store) | UpdateMulti(store=store):
            return MemoryStore(store.name, store.initial, state_codecs(store.initial))
        case RangeWindow(store=store):
            inner = state_codecs(store.initial)
            codec = ContentsCodec(grid_of(step), inner.encode, inner.decode)
            return MemoryStore(store.name, Contents, codec, contents.is_empty)
        case CountWindow(store=store):
            inner = state_codecs(store.initial)
            counted = CountedCodec(inner.encode, inner.decode)
            return MemoryStore(store.name, Counted, counted, count.is_empty)
        case _:
            return None

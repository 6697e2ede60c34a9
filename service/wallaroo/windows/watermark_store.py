"""WatermarkStore: what a task has on record of watermarks, its own and those of its upstreams."""

from collections.abc import Mapping

from wallaroo.state.store import KeyedStore
from wallaroo.windows.watermark import NO_MARK, Mark


class WatermarkStore:
    """The marks in one store; `own` is what the task itself has come to."""

    def __init__(self, store: KeyedStore, own: str) -> None:
        self._store = store
        self._own = own
        self._known: dict[str, Mark] = {}

    @property
    def own(self) -> Mark:
        return self._known.get(self._own, NO_MARK)

    @property
    def others(self) -> Mapping[str, Mark]:
        return {name: mark for name, mark in self._known.items() if name != self._own}

    def restore(self) -> None:
        """Know what is committed."""
        self._known = {key.decode(): self._store.peek(key) for key, _ in self._store.items()}

    def save(self, own: Mark, others: Mapping[str, Mark]) -> None:
        """Put what has changed into the store."""
        for name, mark in {**others, self._own: own}.items():
            if self._known.get(name) != mark:
                self._known[name] = mark
                self._store.put(name.encode(), mark)

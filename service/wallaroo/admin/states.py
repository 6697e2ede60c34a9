"""States of stages: which there are, their keys as text, and what is shown of them."""

from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from wallaroo.errors import SettingsError, StoredValueError, TopologyError
from wallaroo.observability.jsonable import to_jsonable
from wallaroo.state.store import KeyedStore
from wallaroo.task.keys import partition_of
from wallaroo.topology.model import SubTopology, Topology
from wallaroo.topology.names import slug
from wallaroo.topology.steps import Store

# In front of a key that is no text one could type.
BASE64 = "base64:"


@dataclass(frozen=True, slots=True)
class Kept:
    """A stage with state: its sub-topology and its store.

    `has_keys` says that the store holds states of keys; that of the watermarks does not.
    """

    sub: SubTopology
    store: Store
    has_keys: bool

    def partition(self, key: bytes, count: int) -> int | None:
        """The partition of a key out of so many; None where whoever writes the source has chosen it."""
        return partition_of(key, count) if self.has_keys and not self.sub.input.is_source else None


@dataclass(frozen=True, slots=True)
class Entry:
    """The state of one key: as it is stored, and as pages show it; `problem` is why it cannot be read."""

    key: bytes
    partition: int
    stored: bytes
    value: Any
    problem: str = ""


def kept_by(topology: Topology, stage: str) -> Kept:
    """The stage of that name, or of that slug; SettingsError, with those that there are, if there is none."""
    names = [store.name for store in topology.stores]
    there_are = f"stages with state are {', '.join(names)}" if names else "no stage has state"
    try:
        name = slug(stage)
    except TopologyError as error:
        raise SettingsError(f"there is no stage {stage!r}; {there_are}") from error
    for sub in topology.sub_topologies:
        for store in sub.stores:
            if store.name == name and store is not sub.positions:
                return Kept(sub, store, has_keys=name in sub.stages)
    others = {slug(step.name) for sub in topology.sub_topologies for step in sub.steps}
    what = f"the stage {stage!r} keeps no state" if name in others else f"there is no stage {stage!r}"
    raise SettingsError(f"{what}; {there_are}")


def key_text(key: bytes) -> str:
    """A key as text that `key_of` understands: itself, if a person can type it, else in base64."""
    try:
        text = key.decode()
    except UnicodeDecodeError:
        text = ""
    if text and text.isprintable() and not text.startswith((BASE64, "-")):
        return text
    return BASE64 + b64encode(key).decode()


def key_of(text: str) -> bytes:
    """The key that a text stands for; SettingsError if it is said to be base64, and is not."""
    if not text.startswith(BASE64):
        # What a shell passes on need not be UTF-8.
        return text.encode("utf-8", "surrogateescape")
    try:
        return b64decode(text.removeprefix(BASE64), validate=True)
    except (NotBase64, ValueError) as error:
        raise SettingsError(f"the key {text!r} is no base64: {error}; give the bytes in it") from error


def entries_of(stores: Mapping[int, KeyedStore], prefix: bytes = b"") -> Iterator[Entry]:
    """The states of stores, by partition, whose keys begin so: in the order of the keys."""
    found = ((key, number) for number, store in stores.items() for key, _ in store.items())
    for key, number in sorted(each for each in found if each[0].startswith(prefix)):
        stored = stores[number].get(key)
        if stored is not None:
            yield entry_of(stores[number], key, number, stored)


def entry_of(store: KeyedStore, key: bytes, number: int, stored: bytes) -> Entry:
    """What is stored of a key, decoded by its store."""
    try:
        return Entry(key, number, stored, to_jsonable(store.peek(key)))
    except StoredValueError as error:
        return Entry(key, number, stored, None, str(error))

"""Files of states: a line of JSON for each key, with the bytes as they are stored.

    {"key": "rex", "partition": 2, "partitions": 4, "value": {"total": 10}, "stored": "MUp7InRvdGFsIjoxMH0="}

`value` is for people, and not read. `partitions` is how many there were, for a stage whose keys are where
others have put them.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass

from wallaroo.admin.states import Entry, Kept, key_of, key_text
from wallaroo.errors import SettingsError, StoredValueError
from wallaroo.observability.jsonable import to_json
from wallaroo.serde.formats import is_foreign
from wallaroo.state.store import END_KEY, POSITION_KEY, KeyedStore
from wallaroo.task.keys import java_partition


@dataclass(frozen=True, slots=True)
class Line:
    """One key of a file; `number` is that of its line."""

    number: int
    key: bytes
    stored: bytes
    partition: int
    partitions: int


def exported_line(entry: Entry, partitions: int) -> str:
    """The line of one key out of a changelog with so many partitions."""
    fields = {
        "key": key_text(entry.key),
        "partition": entry.partition,
        "partitions": partitions,
        "value": entry.value,
    }
    problem = {"problem": entry.problem} if entry.problem else {}
    return to_json({**fields, **problem, "stored": b64encode(entry.stored).decode()})


def read_lines(texts: Iterable[str], store: KeyedStore) -> list[Line]:
    """The keys of a file, each of which the stage can read.

    `store` is an empty one of the stage. Raises SettingsError that names the first line that is wrong.
    """
    lines = []
    for number, text in enumerate(texts, 1):
        if text.strip():
            try:
                line = _read(number, text)
                store.restore(line.key, line.stored)
                store.peek(line.key)
            except (ValueError, KeyError, TypeError) as error:
                raise _wrong(number, f"is no line of an export: {error!r}") from error
            except (StoredValueError, SettingsError) as error:
                raise _wrong(number, f"cannot be read by this stage: {error}") from error
            lines.append(line)
    return lines


def place(line: Line, kept: Kept, count: int) -> int:
    """The partition out of `count` in which the records of this key come.

    Raises SettingsError for what is not of a key, if the number of partitions has changed.
    """
    chosen = kept.partition(line.key, count)
    if chosen is not None:
        return chosen
    # Whoever writes the source has chosen it, and chooses so again.
    if line.partitions == count:
        return line.partition
    if kept.has_keys:
        return java_partition(line.key, count)
    what = f"is of partition {line.partition} out of {line.partitions}, and there are {count} now"
    raise _wrong(line.number, f"{what}: the state of {kept.store.name!r} is not of keys, and cannot move")


def _read(number: int, text: str) -> Line:
    fields = json.loads(text)
    key, stored = key_of(fields["key"]), b64decode(fields["stored"], validate=True)
    partition, partitions = int(fields["partition"]), int(fields["partitions"])
    if not 0 <= partition < partitions:
        raise ValueError(f"there is no partition {partition} out of {partitions}")
    if key in (POSITION_KEY, END_KEY):
        raise ValueError(f"the key {key!r} is none of a state")
    if is_foreign(stored):
        raise ValueError(f"what is stored is no state: {stored[:80]!r}")
    return Line(number, key, stored, partition, partitions)


def _wrong(number: int, what: str) -> SettingsError:
    return SettingsError(f"line {number} {what}; nothing has been written")

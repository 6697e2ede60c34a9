"""What the engine keeps for a key of state beyond the user's own object: resident bytes, a process each."""

import gc
import json
import subprocess
import sys
from pathlib import Path

from topologies import alerts_stateful
from wallaroo.serde.codecs import codecs_of
from wallaroo.state.memory import MemoryStore

KEYS = 1_000_000
KEYS_A_COMMIT = 50_000
_PAGE_BYTES = 4096

Total = alerts_stateful.TransactionTotal


def measure() -> dict[str, float]:
    """Bytes a key: of the objects alone, of the store with the objects in it, and the difference."""
    objects, store = (_in_a_process(of) for of in ("objects", "store"))
    return {
        "object_bytes": round(objects),
        "with_store_bytes": round(store),
        "beyond_object_bytes": round(store - objects),
    }


def _in_a_process(of: str) -> float:
    command = [sys.executable, "-m", "benchmarks.memory", of]
    return float(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def _objects() -> float:
    kept: list[Total | None] = [None] * KEYS
    before = _resident_bytes()
    for number in range(KEYS):
        kept[number] = Total()
        kept[number].total = number + 0.5
    return (_resident_bytes() - before) / KEYS


def _store() -> float:
    store = MemoryStore("totals", Total, codecs_of(alerts_stateful).state(Total))
    before = _resident_bytes()
    for first in range(0, KEYS, KEYS_A_COMMIT):
        for number in range(first, first + KEYS_A_COMMIT):
            store.touch(b"user-%06d" % number).total += number + 0.5
        store.collect()
        store.commit()
    gc.collect()
    return (_resident_bytes() - before) / KEYS


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES


if __name__ == "__main__":
    print(_objects() if sys.argv[1] == "objects" else _store())

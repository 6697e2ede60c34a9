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
    """Bytes a key: after a restore, of the objects alone, of the store with the objects in it, the rest."""
    objects, store, restored = (_in_a_process(of) for of in ("objects", "store", "restored"))
    return {
        "restored_bytes": round(restored),
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


def _restored() -> float:
    """Of a store whose objects nobody has asked for yet."""
    codec = codecs_of(alerts_stateful).state(Total)
    store, total = MemoryStore("totals", Total, codec), Total()
    before = _resident_bytes()
    for number in range(KEYS):
        total.total = number + 0.5
        store.restore(b"user-%06d" % number, codec.encode(total))
    return (_resident_bytes() - before) / KEYS


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES


if __name__ == "__main__":
    print({"objects": _objects, "store": _store, "restored": _restored}[sys.argv[1]]())

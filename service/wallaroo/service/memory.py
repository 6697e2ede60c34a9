"""The memory of processes, as the system says it: Linux alone does so without another package."""

import os
from contextlib import suppress
from pathlib import Path

from wallaroo.observability import metrics
from wallaroo.observability.measurements import Measurements, Snapshot

_PROCESSES = Path("/proc")
# Control groups of version 2, as a container sees its own, and of version 1.
_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def memory_of(pid: int | None) -> Snapshot:
    """The resident memory of a process; nothing if it has ended, or where the system does not say."""
    measured = Measurements()
    resident = None if pid is None else resident_bytes(pid)
    if resident is not None:
        measured.set(metrics.RESIDENT_MEMORY, resident)
    return measured.snapshot()


def memory_limit() -> Snapshot:
    """How much all processes of this service together may use."""
    measured = Measurements()
    limit = limit_bytes()
    if limit is not None:
        measured.set(metrics.MEMORY_LIMIT, limit)
    return measured.snapshot()


def resident_bytes(pid: int, processes: Path = _PROCESSES) -> int | None:
    """The resident memory of a process; None if it has ended, or where the system does not say."""
    try:
        pages = (processes / str(pid) / "statm").read_text().split()[1]
    except (OSError, IndexError):
        return None
    # A process that has ended and was not waited for has none.
    return int(pages) * os.sysconf("SC_PAGE_SIZE") or None


def limit_bytes(limits: tuple[Path, ...] = _LIMITS) -> int | None:
    """What the container may use, or else what the machine has."""
    try:
        machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        machine = None
    for path in limits:
        # Without a limit there is a word, or a number beyond all memory.
        with suppress(OSError, ValueError):
            limit = int(path.read_text())
            return limit if machine is None else min(limit, machine)
    return machine

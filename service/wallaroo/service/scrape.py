"""What a scrape of /metrics finds: what workers have measured, and how much memory processes have.

Memory is as the system says it: Linux alone does so without another package.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from wallaroo.observability import metrics
from wallaroo.observability.console.snapshot import Identity
from wallaroo.observability.exposition import SnapshotCollector
from wallaroo.observability.measurements import Measurements, Snapshot
from wallaroo.service.supervisor import SUPERVISOR, Supervisor

_PROCESSES = Path("/proc")
# Control groups of version 2, as a container sees its own, and of version 1.
_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def metrics_page(supervisor: Supervisor, identity: Identity) -> Callable[[str], tuple[str, bytes]]:
    """Answers what a scrape accepts with a content type and a body."""
    collector = SnapshotCollector(
        application=identity.application, version=identity.version, librdkafka=identity.librdkafka
    )

    def scrape(accept: str) -> tuple[str, bytes]:
        supervisor.refresh()
        for worker in supervisor.workers:
            collector.set_restarts(worker.spec.index, worker.restarts)
            collector.set_answer_age(worker.spec.index, worker.answer_age_seconds)
        memory = {str(worker.spec.index): memory_of(worker.process.pid) for worker in supervisor.workers}
        memory[SUPERVISOR] = {**memory_of(os.getpid()), **memory_limit()}
        for name, measured in supervisor.measured():
            collector.update(name, {**measured, **memory.get(name, {})})
        return collector.render(accept)

    return scrape


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

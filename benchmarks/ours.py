"""`make bench`: alerts_stateful on a real broker, beside bare loops; writes results/ours.json.

One worker, exactly once, commits every 100 ms, 4 partitions, 100,000 users by Zipf's law. CPU is that of the
worker process, all threads, user and system, from its first commit on; the broker's is left out. What a task
does is split up by a process of its own, without a clock per record.
"""

import argparse
import contextlib
import itertools
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import latency, memory
from benchmarks.transactions import TOPIC, fill
from benchmarks.watched_worker import FILE_VARIABLE
from scripts.kafka.broker import KafkaBroker

RESULTS = Path(__file__).with_name("results") / "ours.json"
RUN_SECONDS = 180
APPLICATION = "topologies.alerts_stateful"
LOOPS = {
    "bare_loop": "bare",
    "bare_loop_with_pydantic": "validated",
    "bare_loop_with_the_users_functions": "with_functions",
}

Run = Callable[[], dict[str, Any]]


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--count", type=int, default=2_000_000)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--latency-count", type=int, default=4_000)
    arguments.add_argument("--out", type=Path, default=RESULTS)
    given = arguments.parse_args()
    with _broker() as servers:
        fill(servers, given.count)
        results = {"machine": _machine(), "records": given.count, **_measured(servers, given)}
    given.out.parent.mkdir(exist_ok=True)
    given.out.write_text(json.dumps(results, indent=2) + "\n")
    print(json.dumps(results, indent=2))
    return 0


def _measured(servers: str, given: argparse.Namespace) -> dict[str, Any]:
    return {
        **_beside_each_other(servers, given),
        "cpu_us_per_record_in_a_task": _printed("benchmarks.split", servers),
        "memory_per_key": memory.measure(),
        "latency_at_200_records_a_second": {
            "bare_loop": _bare_latency(servers, given.latency_count),
            "partitioned_by_user": _latency(servers, given.latency_count, "--partitioned-by-user"),
            "with_repartition": _latency(servers, given.latency_count),
        },
    }


def _beside_each_other(servers: str, given: argparse.Namespace) -> dict[str, Any]:
    """Every loop and both of ours in turn: the median run of each, and the medians of the ratios."""
    runs: dict[str, Run] = {
        name: partial(_printed, "benchmarks.floor", servers, str(given.count), kind)
        for name, kind in LOOPS.items()
    }
    ours: dict[str, Run] = {
        "partitioned_by_user": partial(_throughput, servers, given.count, "--partitioned-by-user"),
        "with_repartition": partial(_throughput, servers, given.count),
    }
    rounds = [{name: run() for name, run in (runs | ours).items()} for _ in range(given.rounds)]
    found = {
        name: sorted((made[name] for made in rounds), key=_cost)[given.rounds // 2] for name in rounds[0]
    }
    for name, loop in itertools.product(ours, runs):
        ratios = [_cost(made[name]) / _cost(made[loop]) for made in rounds]
        found[name][f"times_the_{loop}"] = round(statistics.median(ratios), 2)
    return {"rounds": given.rounds, **found}


def _cost(result: dict[str, Any]) -> float:
    cost: float = result["cpu_us_per_record"]
    return cost


@contextlib.contextmanager
def _broker() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        # All of its heap at once: a small young generation makes it pause for 10 ms twice a second.
        broker = KafkaBroker(Path(folder), initial_heap="1g")
        broker.start()
        try:
            yield broker.bootstrap_servers
        finally:
            broker.stop()


def _printed(module: str, *arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", module, *arguments]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=RUN_SECONDS).stdout
    result: dict[str, Any] = json.loads(printed.splitlines()[-1])
    return result


def _throughput(servers: str, count: int, *options: str) -> dict[str, Any]:
    with tempfile.NamedTemporaryFile("r") as notes, _service(servers, notes.name, *options):
        return _summary(_follow(notes, count))


def _follow(file: Any, count: int) -> list[dict[str, Any]]:
    """The notes of every commit, until the last sub-topology has done all records."""
    notes: list[dict[str, Any]] = []
    deadline = time.monotonic() + RUN_SECONDS
    last = line = ""
    done: dict[str, int] = {}
    while time.monotonic() < deadline:
        line += file.readline()
        if not line.endswith("\n"):
            time.sleep(0.05)
            continue
        note, line = json.loads(line), ""
        notes.append(note)
        done[note["topic"]] = done.get(note["topic"], 0) + note["records"]
        last = note["topic"] if note["changes"] else last
        if done.get(last, 0) >= count:
            return notes
    raise RuntimeError(f"not done after {RUN_SECONDS} s: {done}")


def _summary(notes: list[dict[str, Any]]) -> dict[str, Any]:
    first, last = notes[0], notes[-1]
    records = sum(note["records"] for note in notes if note["topic"] == last["topic"])
    counted = records - (first["records"] if first["topic"] == last["topic"] else 0)
    wall = last["wall_seconds"] - first["wall_seconds"]
    cpu = last["cpu_seconds"] - first["cpu_seconds"]
    phases = {
        name: round((seconds - first["phases"].get(name, 0.0)) / counted * 1e6, 3)
        for name, seconds in last["phases"].items()
    }
    return {
        "records_per_second": round(counted / wall),
        "cpu_us_per_record": round(cpu / counted * 1e6, 3),
        "peak_mib": round(last["peak_mib"]),
        "commits": len(notes),
        "changelog_records": sum(note["changes"] for note in notes),
        "outputs": sum(note["outputs"] for note in notes),
        "cpu_us_per_record_by_phase": phases,
    }


def _latency(servers: str, count: int, *options: str) -> dict[str, float]:
    latest = (*options, "--auto-offset-reset", "latest")
    with tempfile.NamedTemporaryFile("r") as notes, _service(servers, notes.name, *latest):
        return latency.measure(servers, count)


def _bare_latency(servers: str, count: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.floor_latency", servers]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            return latency.measure(servers, count)
        finally:
            process.terminate()


@contextlib.contextmanager
def _service(servers: str, notes: str, *options: str) -> Iterator[None]:
    """A service of its own application id, ready, on the given brokers."""
    command = [sys.executable, "-m", "benchmarks.service", APPLICATION, "--bootstrap-servers", servers]
    command += ["--application-id", f"bench-{time.time_ns()}", "--http-port", "0", *options]
    with tempfile.NamedTemporaryFile("r") as log:
        environment = {**os.environ, FILE_VARIABLE: notes}
        with open(log.name, "w") as output:
            process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
        try:
            _wait_until_ready(log.name)
            yield
        finally:
            process.terminate()
            process.wait(60)


def _wait_until_ready(log: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = re.search(r"http=(\S+)", Path(log).read_text())
        if found:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{found[1]}/readyz", timeout=5):
                return
        time.sleep(0.1)
    raise RuntimeError(f"the service is not ready:\n{Path(log).read_text()}")


def _machine() -> dict[str, Any]:
    return {"cores": os.cpu_count(), "python": platform.python_version(), "topic": TOPIC}


if __name__ == "__main__":
    raise SystemExit(main())

"""A real service under test: `wallaroo run` in a session of its own, killed and restarted at will.

It does not outlive its test, not even where that is ended for hanging.
"""

import json
import os
import random
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from scripts.kafka.process import dismiss, guard
from tests.kafka.cluster import wait_until

ROOT = Path(__file__).parents[2]
COMMAND = (str(Path(sys.executable).with_name("wallaroo")), "run")
FAULTY = (sys.executable, "-m", "tests.kafka.faulty_service")
READY_SECONDS = 40
EXIT_SECONDS = 30
NO_HEADERS: Mapping[str, str] = MappingProxyType({})
_STARTED = re.compile(r"service started .*http=(http://\S+)")


class ServiceProcess:
    """One supervisor with its workers; `log` collects what all of them say, over restarts."""

    def __init__(
        self,
        arguments: Sequence[str],
        log: Path,
        environment: Mapping[str, str] | None = None,
        command: Sequence[str] = COMMAND,
    ) -> None:
        any_port = [] if any(each.startswith("--http-port=") for each in arguments) else ["--http-port=0"]
        self._command = [*command, *arguments, *any_port]
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        self._environment = {**os.environ, "PYTHONPATH": path, **(environment or {})}
        self.log = log
        self.headers = NO_HEADERS
        self._guard: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Return at once; see `wait_ready`."""
        self._skip = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._unguard()
        self._guard = guard(["kill", "-KILL", f"-{self._process.pid}"])

    def wait_ready(self, timeout_seconds: float = READY_SECONDS) -> "ServiceProcess":
        """Return when /readyz says so; AssertionError when the service has ended meanwhile."""
        wait_until(self._is_ready, timeout_seconds)
        return self

    def status(self, path: str) -> int:
        return self.get(path)[0]

    def get(self, path: str) -> tuple[int, str]:
        """Status and body; 0 where nobody listens yet."""
        url = self._url()
        return (0, "") if url is None else get(url + path, self.headers)

    def get_json(self, path: str) -> Any:
        return json.loads(self.get(path)[1])

    def metric(self, name: str, **labels: str) -> float:
        """The sum of all series of that name that carry these labels."""
        series = [line for line in self.get("/metrics")[1].splitlines() if line.startswith(f"{name}{{")]
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        return sum(float(line.rsplit(" ", 1)[1]) for line in series if all(w in line for w in wanted))

    def words(self) -> str:
        """What has been logged since the last start."""
        return self.log.read_bytes()[self._skip :].decode(errors="replace")

    def worker_pids(self) -> list[int]:
        """The living workers, in the order of their start."""
        return sorted(pid for pid in children_of(self._process.pid) if _is_worker(pid))

    def kill_worker(self, rng: random.Random) -> int:
        """SIGKILL one, as soon as there is one; returns its pid."""
        pid = rng.choice(wait_until(self.worker_pids))
        os.kill(pid, signal.SIGKILL)
        return pid

    def kill_supervisor(self) -> None:
        self._process.kill()
        self._process.wait()

    def kill_all(self) -> None:
        """SIGKILL supervisor and workers at one stroke."""
        if self.session_lives():
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._unguard()

    def session_lives(self) -> bool:
        """Whether any process of ours is left, workers without a supervisor included."""
        try:
            os.killpg(self._process.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def terminate(self) -> None:
        """SIGTERM, and return at once."""
        self._process.terminate()

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        self.terminate()
        return self.wait()

    def wait(self, timeout_seconds: float = EXIT_SECONDS) -> int:
        """The exit code, once it has ended by itself."""
        return self._process.wait(timeout_seconds)

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def _unguard(self) -> None:
        if self._guard is not None:
            dismiss(self._guard)
            self._guard = None

    def _is_ready(self) -> bool:
        ready = self.status("/readyz") == 200
        assert ready or self.running, f"the service has ended before it was ready:\n{self.words()}"
        return ready

    def _url(self) -> str | None:
        found = _STARTED.findall(self.words())
        assert self.running or found, f"the service has ended before it began:\n{self.words()}"
        return found[-1] if found else None


def children_of(parent: int) -> list[int]:
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if _parent(pid) == parent]


def _parent(pid: int) -> int:
    try:
        # The name, in parentheses, may hold anything.
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def _is_worker(pid: int) -> bool:
    try:
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


def get(url: str, headers: Mapping[str, str] = NO_HEADERS) -> tuple[int, str]:
    """Status and body; 0 where nobody listens."""
    request = urllib.request.Request(url, headers=dict(headers))  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - loopback
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return 0, ""

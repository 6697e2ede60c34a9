"""The service of a demo: `wallaroo run` in a process of its own, its log in a file."""

import http.client
import json
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from wallaroo.cli import run
from wallaroo.errors import KafkaSetupError

_READY_SECONDS = 45.0
_STOP_SECONDS = 35.0
_LOOK_SECONDS = 0.1
_LAST_EVENTS = 15

_processes = multiprocessing.get_context("spawn")


@dataclass(frozen=True, slots=True)
class DemoService:
    """A running service as its demo sees it."""

    process: SpawnProcess
    log: Path

    def wait_until_ready(self) -> str:
        """The address of its HTTP pages; KafkaSetupError where it ends, or is not ready in time."""
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline:
            self.check()
            address = self._address()
            if address is not None and _status(address, "/readyz") == http.HTTPStatus.OK:
                return address
            time.sleep(_LOOK_SECONDS)
        raise KafkaSetupError(
            f"the service was not ready within {_READY_SECONDS:.0f} seconds\n{self.events()}"
        )

    def check(self) -> None:
        """KafkaSetupError where the service has ended."""
        if not self.process.is_alive():
            raise KafkaSetupError(
                f"the service ended with exit code {self.process.exitcode}\n{self.events()}"
            )

    def stop(self) -> None:
        """Stop as an operator would: SIGTERM, commit, leave; kill it where that takes too long."""
        self.process.terminate()
        self.process.join(_STOP_SECONDS)
        self.process.kill()
        self.process.join()

    def events(self) -> str:
        """The last lines of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-_LAST_EVENTS:])

    def _address(self) -> str | None:
        """Taken from the log: the port is whichever was free."""
        for text in self.log.read_text(errors="replace").splitlines():
            event = _event(text)
            if event.get("event") == "service started":
                return str(event["http"]).removeprefix("http://")
        return None


@contextmanager
def demo_service(options: Sequence[str], folder: Path) -> Iterator[DemoService]:
    """Run `wallaroo run` with these options; it ends with the context, or with this process."""
    log = folder / "service.log"
    log.touch()
    ours, theirs = _processes.Pipe()
    process = _processes.Process(target=_serve, args=(list(options), str(log), theirs), name="wallaroo-demo")
    process.start()
    theirs.close()
    service = DemoService(process, log)
    try:
        yield service
    finally:
        service.stop()
        ours.close()


def _serve(options: list[str], log: str, parent: Connection) -> None:
    file = os.open(log, os.O_WRONLY | os.O_APPEND)
    os.dup2(file, sys.stdout.fileno())
    os.dup2(file, sys.stderr.fileno())
    # A demo is the same everywhere, whatever the environment sets for real services.
    for name in [name for name in os.environ if name.startswith("WALLAROO_")]:
        del os.environ[name]
    threading.Thread(target=_end_with, args=(parent,), name="parent", daemon=True).start()
    sys.exit(run.main(options))


def _end_with(parent: Connection) -> None:
    try:
        parent.poll(None)
    finally:
        os.kill(os.getpid(), signal.SIGTERM)


def _status(address: str, path: str) -> int:
    connection = http.client.HTTPConnection(address, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def _event(text: str) -> dict[str, Any]:
    try:
        event = json.loads(text)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}

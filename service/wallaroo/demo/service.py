"""The service of a demo: `wallaroo run` in a process of its own, its log in a file."""

import http.client
import json
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from wallaroo.demo.embedded import interrupts_blocked
from wallaroo.errors import KafkaSetupError

_READY_SECONDS = 45.0
_STOP_SECONDS = 35.0
_POLL_SECONDS = 0.1
_LAST_EVENTS = 10
_TROUBLE_LEVELS = ("WARNING", "ERROR", "CRITICAL")
_DETAILS = ("loop", "error", "reason", "worker", "exit_code")

_processes = multiprocessing.get_context("spawn")

# `wallaroo run`: takes its options, returns the exit code.
Run = Callable[[Sequence[str]], int]


@dataclass(frozen=True, slots=True)
class DemoService:
    """A running service as its demo sees it."""

    process: SpawnProcess
    log: Path

    def wait_until_ready(self) -> str:
        """The address of its HTTP pages; KafkaSetupError if it ends, or is not ready in time."""
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline:
            self.check()
            address = self._address()
            if address is not None and _is_ready(address):
                return address
            time.sleep(_POLL_SECONDS)
        raise KafkaSetupError(
            f"the service was not ready within {_READY_SECONDS:.0f} seconds{self.troubles()}"
        )

    def check(self) -> None:
        """Raise KafkaSetupError if the service has ended."""
        if not self.process.is_alive():
            raise KafkaSetupError(
                f"the service ended with exit code {self.process.exitcode}{self.troubles()}"
            )

    def stop(self) -> None:
        """Stop as an operator would: SIGTERM, commit, leave; kill it if that takes too long."""
        if self.process.pid is None:
            # Ctrl-C came first.
            return
        self.process.terminate()
        self.process.join(_STOP_SECONDS)
        self.process.kill()
        self.process.join()

    def troubles(self) -> str:
        """Warnings and errors of its log, or else its last events; a line break before each."""
        events = self._events()
        troubles = [event for event in events if event["level"] in _TROUBLE_LEVELS]
        lines: dict[str, None] = {}
        for event in troubles or events:
            details = [f"{name}={event[name]}" for name in _DETAILS if name in event]
            lines[" ".join([event["event"], *details])] = None
        return "".join(f"\n  {text}" for text in list(lines)[-_LAST_EVENTS:])

    def _address(self) -> str | None:
        """Taken from the log: the port is whichever was free."""
        urls = (str(event["http"]) for event in self._events() if event["event"] == "service started")
        return next((url.removeprefix("http://") for url in urls), None)

    def _events(self) -> list[dict[str, Any]]:
        return [_event(text) for text in self.log.read_text("utf-8", "replace").splitlines()]


@contextmanager
def demo_service(run: Run, options: Sequence[str], folder: Path) -> Iterator[DemoService]:
    """Run a service with these options; it ends with the context, or with this process."""
    log = folder / "service.log"
    log.touch()
    ours, theirs = _processes.Pipe()
    process = _processes.Process(
        target=_serve, args=(run, list(options), str(log), theirs), name="wallaroo-demo"
    )
    service = DemoService(process, log)
    with closing(ours):
        try:
            with interrupts_blocked():
                process.start()
                theirs.close()
            yield service
        finally:
            service.stop()


def _serve(run: Run, options: list[str], log: str, parent: Connection) -> None:
    file = os.open(log, os.O_WRONLY | os.O_APPEND)
    os.dup2(file, sys.stdout.fileno())
    os.dup2(file, sys.stderr.fileno())
    # A demo is the same everywhere, whatever the environment sets for real services.
    for name in [name for name in os.environ if name.startswith("WALLAROO_")]:
        del os.environ[name]
    threading.Thread(target=_end_with, args=(parent,), name="parent", daemon=True).start()
    sys.exit(run(options))


def _end_with(parent: Connection) -> None:
    try:
        parent.poll(None)
    finally:
        os.kill(os.getpid(), signal.SIGTERM)


def _is_ready(address: str) -> bool:
    with closing(http.client.HTTPConnection(address, timeout=2)) as connection:
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == http.HTTPStatus.OK
        except OSError:
            return False


def _event(text: str) -> dict[str, Any]:
    """A line of the log as an event; one that no logger wrote becomes an error."""
    try:
        event = json.loads(text)
    except ValueError:
        event = None
    return event if isinstance(event, dict) else {"level": "ERROR", "event": text}

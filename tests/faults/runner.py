"""Runner: gives each plan a process of its own, some at a time, and reads what it has written down."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from itertools import islice
from pathlib import Path

from scripts.kafka.process import dismiss, guard
from tests.faults.one import NO_BROKER, OUTCOME, SKIPPED, STACKS
from tests.faults.outcome import Outcome
from tests.faults.plan import Plan

FOLDER = Path("build/faults").resolve()
# A process that its own limit does not end; and one that is asked to end.
GRACE_SECONDS = 60


class Runner:
    """Runs plans in processes that do not outlive this one; at the end none is left."""

    def __init__(self, jobs: int, tries: int) -> None:
        self._jobs, self._tries = jobs, tries
        self._processes: set[subprocess.Popen[bytes]] = set()

    def outcomes(self, planned: Iterator[Plan]) -> Iterator[Outcome]:
        """What comes of them, in the order in which they end; those that cannot be run here are left out."""
        pending: set[Future[Outcome | None]] = set()
        with ThreadPoolExecutor(self._jobs) as pool:
            try:
                while True:
                    more = islice(planned, self._jobs - len(pending))
                    pending |= {pool.submit(self._tried, plan) for plan in more}
                    if not pending:
                        return
                    done, pending = wait(pending, return_when=FIRST_COMPLETED)
                    yield from (outcome for each in done if (outcome := each.result()) is not None)
            except BaseException:
                self._tries = 1
                self._end_all()
                raise

    def _end_all(self) -> None:
        """Ask them to end, and insist where one does not."""
        left = list(self._processes)
        for process in left:
            process.terminate()
        for process in left:
            try:
                process.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()

    def _tried(self, plan: Plan) -> Outcome | None:
        """The outcome of a run, or of another one where the machine was to blame."""
        for _ in range(self._tries - 1):
            outcome = self._run(plan)
            if outcome is None or not outcome.may_be_tried_again:
                return outcome
            print(f"once more: {outcome}", flush=True)
        return self._run(plan)

    def _run(self, plan: Plan) -> Outcome | None:
        folder = folder_of(plan.kind, plan.seed)
        _clear(folder)
        said = folder / "harness.log"
        code = self._end_of(plan, folder, said)
        if (folder / OUTCOME).exists():
            return Outcome(**json.loads((folder / OUTCOME).read_text()))
        last = said.read_text(errors="replace").strip().rpartition("\n")[2]
        if code == SKIPPED:
            print(f"{plan.kind} seed {plan.seed}: skipped, {last}", flush=True)
            return None
        return Outcome(plan.seed, plan.kind, str(plan.variant), ended=_words(plan, folder, code, last))

    def _end_of(self, plan: Plan, folder: Path, said: Path) -> int:
        """Run it to its end; returns the exit code."""
        temporary = folder / "tmp"
        temporary.mkdir()
        arguments = [plan.kind, str(plan.seed), str(plan.seconds), str(folder)]
        with said.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.one", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "TMPDIR": str(temporary)},
                start_new_session=True,  # Ctrl-C is for whoever started us
            )
        guarding = guard(["kill", "-TERM", str(process.pid)])
        self._processes.add(process)
        try:
            return process.wait(plan.limit_seconds + GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()
        finally:
            # Services and brokers have guards; tools that it was waiting for have not.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            dismiss(guarding)
            self._processes.discard(process)
            shutil.rmtree(temporary, ignore_errors=True)


def folder_of(kind: str, seed: int) -> Path:
    return FOLDER / f"{kind}-{seed}"


def _clear(folder: Path) -> None:
    """Logs stay until the same plan is run again."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _words(plan: Plan, folder: Path, code: int, last: str) -> str:
    if code == NO_BROKER:
        return f"no broker: {last}"
    stacks = folder / STACKS
    if stacks.exists() and stacks.stat().st_size:
        return f"hung: not ended within {plan.limit_seconds:.0f} s; {stacks} says where"
    return f"failed: the run ended with exit code {code}: {last}"

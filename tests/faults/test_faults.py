"""What `make faults` refuses, what it does with a run that hangs, and a short plan that it gets right."""

import json
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.faults.kinds import all_kinds
from tests.faults.outcome import Outcome
from tests.faults.plan import plan_of
from tests.faults.runner import Runner, folder_of
from tests.kafka.cluster import wait_until

KIND = all_kinds()["worker-kill"]


@pytest.mark.kafka
@pytest.mark.slow
def test_a_short_plan_of_faults_changes_nothing(kafka_broker, tmp_path):
    written = tmp_path / "results.json"
    options = ["--seed=1", "--runs=1", "--kinds=worker-kill", "--length=short", f"--results={written}"]
    done = started(options)
    assert done.returncode == 0, done.stdout + done.stderr
    [row] = json.loads(written.read_text())
    assert Outcome(**row).is_right
    assert row["faults"] > 0


def test_a_run_that_hangs_is_ended_at_its_limit_and_said_to_hang(tmp_path, monkeypatch):
    hanging = tmp_path / "java"
    hanging.write_text("#!/bin/sh\nexec sleep 600\n")
    hanging.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    plan = plan_of(1, KIND, seconds=-12.0)
    [outcome] = Runner(1, 1).outcomes(iter([plan]))
    assert outcome.ended.startswith("hung: not ended within 6 s")
    assert outcome.may_be_tried_again
    assert "tests/faults/one.py" in Path(outcome.ended.split("; ")[1].split()[0]).read_text()


@pytest.mark.parametrize(
    ("ended", "lost", "again"),
    [("settled", 1, False), ("hung: x", 0, True), ("hung: x", 1, False), ("failed: x", 0, False)],
)
def test_only_what_a_slow_machine_can_do_is_tried_again(ended, lost, again):
    assert Outcome(1, "cut", "", lost=lost, ended=ended).may_be_tried_again is again


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--kinds=earthquake"], "no kind of fault is called 'earthquake'; there are "),
        (["--seed=many"], "SEED='many' is no whole number"),
        (["--runs=0"], "RUNS=0 is less than 1"),
    ],
)
def test_what_cannot_be_run_is_one_clear_line(options, said):
    done = started(options)
    assert done.returncode == 2
    assert done.stderr.startswith(f"make faults: {said}")
    assert len(done.stderr.splitlines()) == 1


def test_a_machine_without_java_is_told_so():
    done = started(["--seed=1"], {"PATH": "/nowhere", "PYTHONPATH": ":".join(sys.path)})
    assert done.returncode == 2
    assert done.stderr == "make faults: no java found; install Java 17 or newer\n"


@pytest.mark.kafka
@pytest.mark.slow
def test_ended_in_the_middle_of_a_run_it_leaves_no_process_behind(kafka_broker, tmp_path):
    folder = folder_of(KIND.name, 3)
    shutil.rmtree(folder, ignore_errors=True)
    options = ["--seed=3", "--runs=1", f"--kinds={KIND.name}", "--length=short"]
    command = [sys.executable, "-m", "tests.faults", *options, f"--results={tmp_path / 'results.json'}"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as harness:
        wait_until((folder / "service-0.log").exists, 120)
        assert processes_about(folder.name)
        harness.terminate()
        assert harness.communicate(timeout=120)[1].endswith("what it had started has been stopped\n")
    assert harness.returncode == 130
    wait_until(lambda: not processes_about(folder.name))


def processes_about(name):
    """Command lines that have this name in them: of the broker, the service, and the run itself."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.append(entry.read_text(errors="replace"))
    return [line for line in found if name in line]


def started(options, environment=None):
    command = [sys.executable, "-m", "tests.faults", *options]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)

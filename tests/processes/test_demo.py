"""`wallaroo demo` as a new user runs it."""

import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from wallaroo.cli import main

ROOT = Path(__file__).parents[2]
WALLAROO = (sys.executable, "-c", "import sys; from wallaroo.cli import main; sys.exit(main())")


@contextmanager
def demo(*options, cwd=ROOT):
    """A demo in a session of its own, as a terminal would start it."""
    with subprocess.Popen(
        [*WALLAROO, "demo", *options],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    ) as process:
        yield process


def test_it_ends_well_with_a_summary():
    with demo("--records", "4000") as process:
        shown = process.communicate(timeout=120)[0]
    assert process.returncode == 0, shown
    assert "no basis for exactly-once" in shown
    assert "Alert for" in shown
    assert "transactions     4,000 in" in shown
    assert "dead letters     2 for 2 malformed transactions" in shown
    assert "The alerts match the model" in shown
    assert "\x1b" not in shown
    assert "Traceback" not in shown


def test_ctrl_c_ends_it_cleanly():
    with demo() as process:
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=120)[0]
    assert first.startswith("Wallaroo on Kafka")
    assert process.returncode == 130, rest
    assert rest.endswith("Stopped before the end.\n")
    assert "Traceback" not in rest


def test_it_runs_its_own_application_wherever_it_is_started(tmp_path):
    # A stranger's modules of the same names do not come between.
    for name in ("topologies", "schemas"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    with demo("--records", "500", cwd=tmp_path) as process:
        shown = process.communicate(timeout=120)[0]
    assert process.returncode == 0, shown
    assert "The alerts match the model" in shown


@pytest.mark.parametrize(("option", "value"), [("--records", "0"), ("--records", "100001"), ("--rate", "0")])
def test_numbers_that_make_no_sense_are_refused(option, value, capsys):
    assert main(["demo", option, value]) == 2
    assert f"wallaroo: Invalid value for '{option}'" in capsys.readouterr().err

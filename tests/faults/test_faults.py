"""A short plan of every kind: nothing lost, doubled or out of order, and what `make faults` refuses."""

import random
import subprocess
import sys
from contextlib import nullcontext

import pytest

from tests.faults.kinds import all_kinds
from tests.faults.nodes import three_nodes
from tests.faults.plan import plan_of
from tests.faults.run import Run, Site

KINDS = all_kinds()
SHORT_SECONDS = 4


@pytest.fixture
def site(kafka_broker, kafka_proxy) -> Site:
    return Site((kafka_broker,), kafka_proxy)


@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_short_plan_of_faults_changes_nothing(kind, site, tmp_path):
    seed = random.randrange(10**6)  # noqa: S311 - chance, not secrets
    plan = plan_of(seed, kind, SHORT_SECONDS)
    with three_nodes() if kind.nodes > 1 else nullcontext(site.brokers) as brokers:
        outcome = Run(plan, kind, Site(brokers, site.proxy), tmp_path)()
    print(f"again, and longer: make faults SEED={seed} RUNS=1 KINDS={kind.name}", outcome)
    for log in tmp_path.glob("*.log"):
        print(f"--- {log.name} ---\n{log.read_text(errors='replace')}")
    assert outcome.is_right, outcome
    assert outcome.faults > 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--kinds=earthquake"], "no kind of fault is called 'earthquake'; there are "),
        (["--seed=many"], "SEED='many' is no whole number"),
        (["--runs=0"], "RUNS=0 is less than 1"),
    ],
)
def test_what_cannot_be_run_is_one_clear_line(options, said):
    done = refused(options)
    assert done.returncode == 2
    assert done.stderr.startswith(f"make faults: {said}")
    assert len(done.stderr.splitlines()) == 1


def test_a_machine_without_java_is_told_so():
    done = refused(["--seed=1"], {"PATH": "/nowhere", "PYTHONPATH": ":".join(sys.path)})
    assert done.returncode == 2
    assert done.stderr == "make faults: no java found; install Java 17 or newer\n"


def refused(options, environment=None):
    command = [sys.executable, "-m", "tests.faults", *options]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)

"""Schedules in memory: what the seeds choose leaves results, states and dead letters as the models say."""

import pytest

from tests.simulation import found
from tests.simulation.__main__ import main
from tests.simulation.mutations import MENDED, MUTATIONS, applied, found_after
from tests.simulation.run import run, shrunk, simulate
from tests.simulation.schedule import plan_of
from tests.simulation.world import quiet

ONCE_WRONG = sorted(found.FOLDER.glob("*.json"))
CAUSES = {
    "an-aborted-first-commit": "an aborted first commit is taken for records",
    "a-task-made-busy-by-a-commit": "nobody looks at a task that a commit makes busy",
}
# Each is found much sooner; the table in docs/reliability.md says when.
MOST_SEEDS = 1_000

pytestmark = pytest.mark.usefixtures("silent")


@pytest.fixture
def silent():
    with quiet():
        yield


@pytest.mark.parametrize("first", range(0, 300, 100))
def test_whatever_a_schedule_does_nothing_is_lost_doubled_or_out_of_order(first):
    assert [failure for failure in simulate(first, 100) if failure is not None] == []


@pytest.mark.parametrize("file", ONCE_WRONG, ids=lambda file: file.stem)
def test_a_schedule_that_was_wrong_once_is_right(file):
    assert run(found.read(file)) is None


@pytest.mark.parametrize(("name", "cause"), CAUSES.items())
def test_it_is_wrong_again_with_the_error_that_it_has_found(name, cause):
    with applied(MENDED[cause]):
        assert run(found.read(found.FOLDER / f"{name}.json")) is not None


@pytest.mark.parametrize("name", MUTATIONS)
def test_code_that_is_broken_on_purpose_is_found(name):
    assert found_after(name, 0, MOST_SEEDS) is not None


def test_a_seed_does_the_same_whenever_it_is_run():
    first, second = [], []
    run(plan_of(11), first.append)
    run(plan_of(11), second.append)
    assert first == second != []


def test_a_wrong_schedule_is_made_shorter_and_can_be_kept_as_a_file(tmp_path):
    name = "an abort leaves states as they are"
    _, failure = found_after(name, 0, MOST_SEEDS)
    with applied(MUTATIONS[name]):
        short = shrunk(failure)
        (tmp_path / "short.json").write_text(found.as_json(short.plan))
        again = run(found.read(tmp_path / "short.json"))
    assert again is not None
    assert len(short.plan.steps) < len(failure.plan.steps) / 2


def test_a_wrong_schedule_is_told_step_by_step_with_the_command_that_repeats_it(
    capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    with applied(MUTATIONS["a dead letter is written twice"]):
        assert main(["--seeds", "20"]) == 1
    told = capsys.readouterr().out
    assert "worker 0 starts" in told
    assert "WRONG: dead letters of in[" in told
    assert "make simulate SEED=" in told


def test_seeds_that_are_right_are_counted(capsys):
    assert main(["--seeds", "3", "--seed", "5"]) == 0
    assert "3 schedules, all right" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--seeds", "abc"], "SEEDS='abc' is no whole number"),
        (["--seeds", "0"], "SEEDS=0 is less than 1"),
        (["--seed", "-1"], "SEED=-1 is less than 0"),
        (["--mutations", "nonsense"], "there is no mutation 'nonsense'"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused_in_a_line(capsys, options, why):
    assert main(options) == 2
    assert capsys.readouterr().err.startswith(f"make simulate: {why}")

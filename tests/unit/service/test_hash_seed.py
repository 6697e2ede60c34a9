"""`hash` of a text is the same in all workers of an application, unless its operator wants otherwise."""

import os
import subprocess
import sys

import pytest

from wallaroo.service import handle
from wallaroo.service.protocol import WorkerSpec
from wallaroo.settings import Settings


def spec(index=0, application="bank"):
    return WorkerSpec(index, "one", "app", (), application, Settings(), {})


def environment():
    """What a process that is started now would get."""
    with handle._environment(handle._environment_of(spec())):
        return dict(os.environ)


def hash_in(environment):
    code = "print(hash('rex'), hash(('a', b'b')))"
    return subprocess.check_output([sys.executable, "-c", code], env=environment)


@pytest.fixture(autouse=True)
def _no_seed_of_this_machine(monkeypatch):
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)


def test_a_text_has_one_hash_in_all_processes():
    assert hash_in(environment()) == hash_in(environment())


def test_the_seed_is_that_of_the_application_in_every_worker():
    seeds = [handle._environment_of(each)["PYTHONHASHSEED"] for each in (spec(0), spec(7))]
    assert seeds == [handle.hash_seed_of("bank")] * 2
    assert handle.hash_seed_of("bank") != handle.hash_seed_of("shop")
    assert 0 <= int(handle.hash_seed_of("")) < 2**32


@pytest.mark.parametrize("chosen", ["7", "random"])
def test_a_seed_that_the_operator_has_chosen_stays(monkeypatch, chosen):
    monkeypatch.setenv("PYTHONHASHSEED", chosen)
    assert environment()["PYTHONHASHSEED"] == chosen


def test_the_supervisor_itself_is_as_before():
    before = dict(os.environ)
    environment()
    assert dict(os.environ) == before

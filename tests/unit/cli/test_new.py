"""`wallaroo new`: a project that runs and tests itself."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from wallaroo.cli import main

PACKAGE = Path(__file__).parents[3] / "service"


@pytest.fixture
def project(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["new", "shop"]) == 0
    return tmp_path / "shop"


def ended(project, *argv):
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE)}
    return subprocess.run(
        [sys.executable, "-m", *argv],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_new_project_passes_its_own_tests(project):
    done = ended(project, "pytest", "-q", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout


def test_a_new_project_is_an_application(project):
    done = ended(project, "wallaroo", "describe", "application.py")
    assert done.stdout.startswith("Topology shop (shop)"), done.stderr
    assert "shop-payments" in done.stdout


def test_a_new_project_has_its_name_everywhere(project):
    texts = [file.read_text() for file in project.iterdir() if file.is_file()]
    assert len(texts) == 8
    assert not any("NAME" in text for text in texts)


@pytest.mark.parametrize("name", ["Shop", "my shop", "../shop", "", "5"])
def test_a_name_that_is_none_is_refused(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["new", name]) == 2
    assert "cannot name a project" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_not_overwritten(project, capsys):
    assert main(["new", "shop"]) == 2
    assert "there is 'shop' already" in capsys.readouterr().err

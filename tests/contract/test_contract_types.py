"""What checkers of types say of applications: stages that do not fit are errors, unannotated code is none."""

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "tests/contract/typed"
FITS, UNANNOTATED, MISFITS = (SAMPLES / f"{name}.py" for name in ("fits", "unannotated", "misfits"))
PYRIGHT = ROOT / "build/pyright/package/index.js"

pytestmark = pytest.mark.slow


def refused_by_mypy(tmp_path, *arguments):
    """The lines that mypy refuses."""
    environment = {**os.environ, "MYPYPATH": f"{ROOT / 'service'}:{ROOT}", "MYPY_CACHE_DIR": str(tmp_path)}
    result = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file=", "--explicit-package-bases", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode in (0, 1), result.stdout + result.stderr
    refused = re.findall(r"^(\S+):(\d+): error", result.stdout, re.MULTILINE)
    return {(Path(file).name, int(line)) for file, line in refused}


def refused_by_pyright(*samples):
    """The lines that pyright refuses."""
    node = shutil.which("node")
    if node is None or not PYRIGHT.exists():
        pytest.skip("no pyright: make check-tools, and node")
    result = subprocess.run(
        [node, PYRIGHT, "--pythonpath", sys.executable, "--outputjson", *samples],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'service'}:{ROOT}"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    said = json.loads(result.stdout)
    assert said["summary"]["filesAnalyzed"] == len(samples)
    errors = [each for each in said["generalDiagnostics"] if each["severity"] == "error"]
    return {(Path(each["file"]).name, each["range"]["start"]["line"] + 1) for each in errors}


def marked(sample):
    lines = enumerate(sample.read_text().splitlines(), start=1)
    return {(sample.name, number) for number, line in lines if line.endswith("# misfit")}


def test_the_samples_have_misfits():
    assert len(marked(MISFITS)) >= 14


def test_mypy_refuses_stages_that_do_not_fit_and_nothing_else(tmp_path):
    assert refused_by_mypy(tmp_path, "--strict", FITS, MISFITS) == marked(MISFITS)


def test_mypy_has_nothing_to_say_of_an_application_without_annotations(tmp_path):
    assert refused_by_mypy(tmp_path, "--check-untyped-defs", UNANNOTATED) == set()


def test_pyright_refuses_the_same_lines():
    assert refused_by_pyright(FITS, UNANNOTATED, MISFITS) == marked(MISFITS)


def test_checkers_are_told_that_the_package_has_types():
    assert files("wallaroo").joinpath("py.typed").is_file()

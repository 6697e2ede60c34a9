"""`make setup` finds the Python that it is told of."""

import os
import subprocess
from pathlib import Path

SETUP = Path(__file__).parents[2] / "scripts" / "setup.sh"
# Makes an environment that holds itself, and says so instead of installing anything.
PYTHON = """#!/bin/sh
echo "$0 $*" >> "$CALLS"
if [ "$2" = venv ]; then mkdir -p .venv/bin && cp "$0" .venv/bin/python; fi
"""


def test_a_python_whose_path_has_a_blank_is_taken(tmp_path):
    python = tmp_path / "a folder" / "python"
    python.parent.mkdir()
    python.write_text(PYTHON)
    python.chmod(0o755)
    calls = tmp_path / "calls"
    environment = {**os.environ, "PYTHON": str(python), "CALLS": str(calls)}
    folder = tmp_path / "a checkout"
    folder.mkdir()
    subprocess.run(["/bin/sh", str(SETUP)], cwd=folder, env=environment, check=True)
    assert f"{python} -m venv --clear .venv\n" in calls.read_text()
    assert ".venv/bin/python -m pip install" in calls.read_text()

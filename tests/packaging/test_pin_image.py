"""scripts/docker/pin-image.sh, with a `docker` that says what a registry would."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IMAGE = re.search(r"ARG PYTHON_IMAGE=(\S+)", (ROOT / "Dockerfile").read_text())[1]
DIGEST = f"sha256:{'5e' * 32}"


@pytest.fixture
def pin(tmp_path):
    """A function that runs the script beside a Dockerfile, with a `docker` of these lines of shell."""
    (tmp_path / "deploy").mkdir()
    (tmp_path / "scripts/docker").mkdir(parents=True)
    shutil.copy(ROOT / "Dockerfile", tmp_path)
    script = shutil.copy(ROOT / "scripts/docker/pin-image.sh", tmp_path / "scripts/docker")
    docker = tmp_path / "bin/docker"
    docker.parent.mkdir()

    def run(lines):
        docker.write_text(f"#!/bin/sh\n{lines}\n")
        docker.chmod(0o700)
        environment = {**os.environ, "PATH": f"{docker.parent}:{os.environ['PATH']}"}
        return subprocess.run([str(script)], env=environment, capture_output=True, text=True, check=False)

    return run


def test_the_digest_of_the_registry_is_written_behind_the_tag(pin, tmp_path):
    done = pin(f'[ "$1" = pull ] || echo "python@{DIGEST}"')
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "deploy/python-image").read_text() == f"{IMAGE}@{DIGEST}\n"


@pytest.mark.parametrize("docker", ['[ "$1" != pull ]', "true"])
def test_without_a_registry_no_digest_is_written(pin, tmp_path, docker):
    done = pin(docker)
    assert (done.returncode, IMAGE in done.stderr) == (1, True)
    assert not (tmp_path / "deploy/python-image").exists()

"""scripts/standin-images/build.sh, on a machine where Docker has and can pull nothing."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GRAFANA = re.search(r"grafana/grafana:\S+", (ROOT / "docker-compose.yml").read_text())[0]


@pytest.fixture
def build(tmp_path):
    """A function that runs the script in a folder of its own, with a `docker` that only says its version."""
    shutil.copytree(ROOT / "scripts/standin-images", tmp_path / "scripts/standin-images")
    docker = tmp_path / "bin/docker"
    docker.parent.mkdir()
    docker.write_text('#!/bin/sh\n[ "$1" = "${DOCKER_CAN-version}" ]\n')
    docker.chmod(0o700)
    path = f"{docker.parent}:{os.environ['PATH']}"

    def run(image, **environment):
        command = [str(tmp_path / "scripts/standin-images/build.sh"), image]
        environment = {**os.environ, "PATH": path, **environment}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    return run


def test_grafana_is_left_out_of_what_comes_up(build, tmp_path):
    assert build(GRAFANA).returncode == 0
    override = (tmp_path / "docker-compose.override.yml").read_text()
    assert override.endswith("services:\n  grafana:\n    profiles: [grafana]\n")


def test_an_override_of_ones_own_stays_as_it_is(build, tmp_path):
    override = tmp_path / "docker-compose.override.yml"
    override.write_text("services: {}\n")
    done = build(GRAFANA)
    assert "stays as it is" in done.stderr
    assert override.read_text() == "services: {}\n"


def test_an_image_that_nobody_knows_is_refused(build):
    done = build("somebody/something:1")
    assert (done.returncode, "somebody/something:1 has no stand-in" in done.stderr) == (1, True)


def test_without_a_daemon_nothing_is_begun(build, tmp_path):
    done = build(GRAFANA, DOCKER_CAN="nothing")
    assert (done.returncode, "no Docker daemon answers" in done.stderr) == (1, True)
    assert not (tmp_path / "docker-compose.override.yml").exists()

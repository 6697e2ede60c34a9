"""Where images come from: they are here, or a registry has them, or packages make stand-ins for them."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
OURS = "wallaroo-kafka"
ANSWER_SECONDS = 60
BUILD_SECONDS = 600


class NoContainersError(Exception):
    """This machine cannot run these tests: the message says what is missing."""


def docker(*arguments: str, timeout_seconds: float = 120) -> str:
    """What a docker command prints; CalledProcessError, with its complaint as a note, when it fails."""
    command = ["docker", *arguments]
    try:
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=timeout_seconds, check=True
        )
    except subprocess.CalledProcessError as error:
        error.add_note(error.stderr)
        raise
    return done.stdout.strip()


def require_docker() -> None:
    """NoContainersError where there is no daemon, or no Compose of version 2."""
    if not _succeeds("docker", "version"):
        raise NoContainersError("no Docker daemon answers; start one, or run scripts/docker/with-daemon.sh")
    if not _succeeds("docker", "compose", "version"):
        raise NoContainersError("`docker compose` is missing; scripts/docker/install-compose.sh has it")


def named_images() -> list[str]:
    """What the Dockerfile and the compose file name; without Grafana, for which there is no stand-in."""
    text = (ROOT / "Dockerfile").read_text() + (ROOT / "docker-compose.yml").read_text()
    return sorted(set(re.findall(r"(?:ARG PYTHON_IMAGE=|image: )((?!grafana)\S+:\S+)", text)))


def obtain(image: str) -> None:
    """Have the image here, real wherever a registry can be reached; NoContainersError otherwise."""
    command = [str(ROOT / "scripts/standin-images/build.sh"), image]
    done = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False)
    if done.returncode:
        raise NoContainersError(f"{image} can be neither pulled nor built here:\n{done.stderr[-2000:]}")


def build_ours() -> None:
    docker("build", "--quiet", "--tag", OURS, str(ROOT), timeout_seconds=BUILD_SECONDS)


def size_bytes(image: str) -> int:
    return int(docker("image", "inspect", "--format", "{{.Size}}", image))


def _succeeds(*command: str) -> bool:
    try:
        done = subprocess.run(command, capture_output=True, timeout=ANSWER_SECONDS, check=False)
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0

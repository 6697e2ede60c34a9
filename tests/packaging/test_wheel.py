"""A wheel in an environment of its own, used from a folder that is no checkout."""

import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.kafka.cluster import wait_until
from wallaroo.demo.embedded import embedded_broker

ROOT = Path(__file__).parents[2]
VERSION = "9.8.7"
# As for one who has installed the package: no checkout on the path, and no settings.
FOREIGN = ("PYTHONPATH", "WALLAROO_")
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
APPLICATION = """
import wallaroo


@wallaroo.decoder()
def decode(value):
    return value.decode()


@wallaroo.computation(name="shout")
def shout(text):
    return text.upper()


@wallaroo.encoder
def encode(text):
    return text.encode()


def application_setup(args):
    words = wallaroo.source("words", wallaroo.KafkaSourceConfig("words", decoder=decode))
    shouts = wallaroo.KafkaSinkConfig("shouts", encoder=encode)
    return wallaroo.build_application("shouts", words.to(shout).to_sink(shouts))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The `bin` of an environment that holds the wheel; its dependencies are those of this environment."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip"]
    quietly = ["--quiet", "--disable-pip-version-check", "--no-index", "--no-deps"]
    build = [*pip, "wheel", *quietly, "--no-build-isolation", "--wheel-dir", folder, ROOT]
    subprocess.run(build, env={**ENVIRONMENT, "SETUPTOOLS_SCM_PRETEND_VERSION": VERSION}, check=True)
    (wheel,) = folder.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    python = folder / "venv/bin/python"
    subprocess.run([*pip, f"--python={python}", "install", *quietly, wheel], env=ENVIRONMENT, check=True)
    # Behind the wheel's own; the line that makes this environment's install editable is not followed there.
    (site,) = (folder / "venv/lib").glob("python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return python.parent


@pytest.fixture
def wallaroo(installed, tmp_path):
    """A function that runs the command in a folder with nothing but a user's application."""
    (tmp_path / "shouts.py").write_text(APPLICATION)

    def run(*arguments, command=("wallaroo",)):
        program, *rest = command
        command = [installed / program, *rest, *arguments]
        return subprocess.run(
            command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, timeout=120, check=False
        )

    return run


@pytest.mark.parametrize("command", [("wallaroo",), ("python", "-m", "wallaroo")], ids=" ".join)
def test_it_says_the_version_that_it_was_built_with(wallaroo, command):
    assert wallaroo("--version", command=command).stdout == f"wallaroo {VERSION}\n"


def test_the_package_says_its_version_and_where_it_is(wallaroo, installed):
    code = "import wallaroo; print(wallaroo.__version__, wallaroo.__file__)"
    version, file = wallaroo("-c", code, command=("python",)).stdout.split()
    assert (version, Path(file).is_relative_to(installed.parent)) == (VERSION, True)


def test_the_console_is_in_it(wallaroo):
    code = """
from importlib.resources import files
print(*sorted(each.name for each in (files("wallaroo.observability.console") / "static").iterdir()))
"""
    found = wallaroo("-c", code, command=("python",)).stdout.split()
    static = ROOT / "service" / "wallaroo" / "observability" / "console" / "static"
    assert found == sorted(each.name for each in static.iterdir())


def test_who_does_not_ask_for_the_version_does_not_wait_for_it(wallaroo):
    code = "import sys, wallaroo; print('importlib.metadata' in sys.modules)"
    assert wallaroo("-c", code, command=("python",)).stdout == "False\n"


def test_the_demo_needs_no_checkout(wallaroo):
    done = wallaroo("demo", "--records", "500")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The alerts match the model" in done.stdout


@pytest.mark.parametrize("name", ["shouts", "shouts.py"])
def test_a_users_file_is_described(wallaroo, name):
    done = wallaroo("describe", name, "--format=json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["application_id"] == "shouts"


def test_a_users_file_is_run_until_sigterm(installed, tmp_path):
    (tmp_path / "shouts.py").write_text(APPLICATION)
    log = tmp_path / "log"
    with embedded_broker() as broker, log.open("wb") as out:
        options = ["--embedded-broker", "--processing-guarantee=at_least_once", "--group-protocol=consumer"]
        options += [f"--bootstrap-servers={broker}", "--http-port=0", "--log-format=json"]
        command = [installed / "wallaroo", "run", "shouts.py", *options]
        with subprocess.Popen(command, cwd=tmp_path, env=ENVIRONMENT, stdout=out, stderr=out) as service:
            try:
                wait_until(lambda: "service started" in log.read_text() or service.poll() is not None, 60)
                service.send_signal(signal.SIGTERM)
                code = service.wait(60)
            finally:
                service.kill()
    assert (code, "service started" in log.read_text()) == (0, True), log.read_text()


def version_of(folder):
    command = [sys.executable, "-m", "hatchling", "version"]
    done = subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_without_git_there_is_a_version_that_no_release_has(tmp_path):
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    assert version_of(tmp_path) == "0.1.dev0"


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_the_version_is_that_of_the_tag(tmp_path):
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    git = ["git", "-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "commit.gpgsign=false"]
    for arguments in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "."], ["tag", "v3.2.1"]):
        subprocess.run([*git, *arguments], cwd=tmp_path, check=True)
    assert version_of(tmp_path) == "3.2.1"

"""Starts that are refused or end at once, as processes: what they show, and that they end."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WALLAROO = (sys.executable, "-c", "import sys; from wallaroo.cli import main; sys.exit(main())")
APPLICATION = "topologies.alerts_stateful"
BAD = "no such protocol"
SECRETS = {
    "sasl.password": "s3cret-one",
    "ssl.key.password": "s3cret-two",
    "ssl.key.pem": "-----BEGIN PRIVATE KEY-----\ns3cret-three\n-----END PRIVATE KEY-----",
    "ssl.keystore.password": "s3cret-four",
    "sasl.oauthbearer.client.secret": "s3cret-five",
    "sasl.oauthbearer.config": "principal=me s3cret-six",
}


def run(*options, environment=None, verb="run", application=APPLICATION, cwd=ROOT):
    """What a command says, on both outputs, and its exit code; it must end by itself."""
    return subprocess.run(
        [*WALLAROO, verb, str(application), *options],
        capture_output=True,
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        encoding="utf-8",
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("way", ["option", "variable", "json", "file", "of another cluster"])
def test_a_refused_start_shows_no_secret(name, way, tmp_path):
    given = {name: SECRETS[name], "security.protocol": BAD}
    options, environment = [], {}
    if way == "option":
        options = [word for item in given.items() for word in ("--kafka", "=".join(item))]
    elif way == "variable":
        environment = {f"WALLAROO_KAFKA__{key.replace('.', '_').upper()}": given[key] for key in given}
    elif way == "json":
        environment = {"WALLAROO_KAFKA": str(given)}
    elif way == "file":
        file = tmp_path / "settings.toml"
        file.write_text("[kafka]\n" + "".join(f'"{key}" = """{given[key]}"""\n' for key in given))
        options = ["--config", str(file)]
    else:
        options = ["--delivery", f"{name}={SECRETS[name]}", "--workers", "many"]
    ended = run("--http-port", "0", *options, environment=environment)
    assert ended.returncode == 2
    assert "s3cret" not in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr


def test_describe_shows_no_secret():
    variables = {f"WALLAROO_KAFKA__{name.upper().replace('.', '_')}": SECRETS[name] for name in SECRETS}
    ended = run(environment=variables, verb="describe")
    assert ended.returncode == 0
    assert "s3cret" not in ended.stdout + ended.stderr


@pytest.mark.parametrize("name", ["calendar.py", "my-app.py", "wallaroo.py"])
def test_an_application_s_file_may_have_any_name(name, tmp_path):
    file = tmp_path / "folder" / name
    file.parent.mkdir()
    file.write_text((ROOT / "topologies" / "alerts_stateless.py").read_text())
    ended = run(
        verb="describe", application=f"folder/{name}", cwd=tmp_path, environment={"PYTHONPATH": _path()}
    )
    assert ended.stdout.startswith("Topology alerts-stateless"), ended.stderr


def test_a_thread_of_the_application_does_not_keep_a_command_from_ending(tmp_path):
    file = tmp_path / "threads.py"
    source = (ROOT / "topologies" / "alerts_stateless.py").read_text()
    thread = "import threading, time\nthreading.Thread(target=time.sleep, args=(10_000,)).start()\n"
    file.write_text(source + thread)
    ended = run(verb="describe", application=file, environment={"PYTHONPATH": _path()})
    assert (ended.returncode, ended.stdout[:8]) == (0, "Topology")


def _path():
    return os.pathsep.join([str(ROOT / "service"), str(ROOT)])

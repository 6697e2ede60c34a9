"""deploy/systemd, judged by systemd itself."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from wallaroo.service.protocol import Exit

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "deploy/systemd/wallaroo@.service"
COMPOSE = (ROOT / "docker-compose.yml").read_text()
LINES = re.findall(r"^([A-Z]\w+)=(.*)$", UNIT.read_text(), re.MULTILINE)
# Out of 10; systemd calls 2 and less "OK", where a unit without hardening has 9.6.
MOST_EXPOSED = 2.0


def values(name):
    return [value for key, value in LINES if key == name]


def analyzed(tmp_path, *verb):
    """What systemd says of an instance of the unit, whose program and folder this machine need not have."""
    path = shutil.which("systemd-analyze")
    if path is None:
        pytest.skip("systemd-analyze is not installed: apt-get install systemd")
    text = UNIT.read_text().replace("/opt/wallaroo/bin/wallaroo", "/bin/true").replace("/srv/wallaroo", "/")
    unit = tmp_path / "wallaroo@topologies.alerts_stateful.service"
    unit.write_text(text)
    return subprocess.run([path, *verb, unit], capture_output=True, text=True, timeout=60, check=False)


def test_systemd_has_nothing_to_say_of_the_unit(tmp_path):
    result = analyzed(tmp_path, "verify")
    assert (result.returncode, result.stderr) == (0, "")


def test_systemd_would_say_so_if_a_line_were_wrong(tmp_path, monkeypatch):
    mistaken = tmp_path / "mistaken"
    mistaken.write_text(UNIT.read_text().replace("KillMode=", "KilMode="))
    monkeypatch.setattr("tests.packaging.test_systemd.UNIT", mistaken)
    assert "KilMode" in analyzed(tmp_path, "verify").stderr


def test_the_service_can_do_little_harm(tmp_path):
    result = analyzed(tmp_path, "security", "--offline=true", f"--threshold={int(MOST_EXPOSED * 10)}")
    assert result.returncode == 0, result.stdout


def test_what_a_restart_does_not_mend_is_not_restarted():
    assert values("Restart") == ["on-failure"]
    (prevented,) = values("RestartPreventExitStatus")
    assert {*map(int, prevented.split())} == {Exit.REFUSED, Exit.STOPPED}


def test_the_service_has_as_long_to_stop_as_a_container():
    (seconds,) = values("TimeoutStopSec")
    assert f"stop_grace_period: {seconds}s" in COMPOSE
    assert (values("KillSignal"), values("KillMode"), values("Type")) == (["SIGTERM"], ["mixed"], ["exec"])


def test_a_secret_is_a_credential_and_never_a_variable():
    names = {value.partition(":")[0] for value in values("LoadCredential")}
    variables = [value.partition("=") for value in values("Environment") if value.startswith("WALLAROO_")]
    assert {value.removeprefix("%d/") for _, _, value in variables} == names
    assert [name for name, _, _ in variables if not name.endswith("_FILE")] == []

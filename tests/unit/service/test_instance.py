"""An instance name belongs to one running service, and to the same one after a restart."""

import platform
import stat

import pytest

from wallaroo.errors import SettingsError
from wallaroo.service.instance import claim_instance


@pytest.fixture
def claim(tmp_path):
    """Claims in a folder of their own, released at the end."""
    locks = []

    def claim(application="app", wanted=None):
        locks.append(claim_instance(application, wanted, tmp_path))
        return locks[-1]

    yield claim
    for lock in locks:
        lock.release()


@pytest.fixture
def host(monkeypatch):
    monkeypatch.setattr(platform, "node", lambda: "big host!")
    return "big-host-"


def test_the_first_service_has_the_name_of_its_host(claim, host):
    assert claim().name == host


def test_further_services_on_one_host_have_numbers(claim, host):
    assert [claim().name for _ in range(3)] == [host, f"{host}-2", f"{host}-3"]


def test_another_application_is_no_obstacle(claim, host):
    claim("app")
    assert claim("other").name == host


def test_a_name_is_free_again_when_its_service_has_ended(claim, host):
    claim()
    second = claim()
    second.release()
    assert claim().name == f"{host}-2"


def test_a_name_of_ones_own_is_taken_as_it_is(claim):
    assert claim(wanted="blue").name == "blue"


def test_a_name_of_ones_own_that_is_running_already_is_refused(claim):
    claim(wanted="blue")
    with pytest.raises(
        SettingsError, match="the instance 'blue' of 'app' is already running on this host; stop it"
    ):
        claim(wanted="blue")


def test_a_host_without_a_name_is_local(claim, monkeypatch):
    monkeypatch.setattr(platform, "node", lambda: "")
    assert claim().name == "localhost"


def test_the_locks_of_a_user_are_nobody_elses(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    lock = claim_instance("app", "blue")
    (folder,) = tmp_path.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    lock.release()


def test_without_a_folder_that_can_be_written_a_service_starts_and_says_what_to_set(monkeypatch, caplog):
    monkeypatch.setattr("tempfile.gettempdir", raises_no_folder)
    lock = claim_instance("app", "blue")
    assert lock.name == "blue"
    [warning] = caplog.records
    assert "TMPDIR" in warning.advice
    lock.release()


def raises_no_folder():
    raise FileNotFoundError(2, "No usable temporary directory found")


def test_a_folder_of_somebody_else_is_no_place_for_locks(monkeypatch, tmp_path, caplog):
    monkeypatch.setattr("os.access", lambda *_: False)
    claim_instance("app", "blue", tmp_path).release()
    assert "no file can be written" in caplog.records[0].reason

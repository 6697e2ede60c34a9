"""What one instance is told by another, over a real port."""

import pytest

from wallaroo.observability.answers import NoSuchKey, StateFound, StateHidden, StateUnavailable
from wallaroo.observability.forward import ask_instance, ask_progress
from wallaroo.observability.health import HealthReport
from wallaroo.observability.http import PageSources, build_app
from wallaroo.observability.server import HttpServer

METRICS = b"""# HELP wallaroo_restore_remaining_records left
wallaroo_restore_remaining_records{store="add",partition="0"} 1200.0
wallaroo_restore_remaining_records{store="add",partition="1"} 34.0
"""
STAGE, KEY, SECONDS = "add up/合計", b"a/\n%\xff", 5.0
ANSWERS = {
    frozenset({1}): StateFound(1, 3, {"total": [5, None]}, "i2"),
    frozenset({2}): NoSuchKey(),
    frozenset({3}): StateHidden(),
    frozenset({4, 5}): StateUnavailable("being restored"),
}


@pytest.fixture(scope="module")
def url():
    def own_state(stage, key, among):
        assert (stage, key) == (STAGE, KEY)
        return ANSWERS[among]

    def must_not_be_asked(_stage, _key):
        raise AssertionError("an instance that is asked asks nobody else")

    pages = PageSources(
        lambda _: ("", METRICS),
        lambda: HealthReport(True),
        lambda: HealthReport(False, ("worker 0: restoring",)),
        str,
        must_not_be_asked,
        own_state,
        "i2",
    )
    server = HttpServer(build_app(pages), "127.0.0.1", 0)
    server.start()
    yield f"http://127.0.0.1:{server.port}"
    server.stop()


def ask(url, *partitions, instance="i2"):
    return ask_instance(None, url, instance, STAGE, KEY, partitions)


def test_a_state_comes_back_as_it_is(url):
    assert ask(url, 1) == ANSWERS[frozenset({1})]
    assert ask(f"{url}/", 1) == ANSWERS[frozenset({1})]


def test_that_there_is_none_comes_back(url):
    assert ask(url, 2) == NoSuchKey()


def test_what_the_other_instance_says_is_passed_on(url):
    assert "state is not shown" in ask(url, 3).reason
    assert ask(url, 5, 4).reason == f"instance 'i2' at {url} owns the key, and says: being restored"


def test_another_instance_at_that_address_is_not_believed(url):
    answer = ask(url, 2, instance="i3")
    assert isinstance(answer, StateUnavailable)
    assert "'i2' answers there; see its setting advertised_http" in answer.reason


@pytest.mark.parametrize(
    "nowhere", ["http://127.0.0.1:1", "http://no-such-host.invalid:1", "http://[", "http://h:x"]
)
def test_an_address_at_which_nobody_answers_is_named(nowhere):
    answer = ask(nowhere, 1)
    assert isinstance(answer, StateUnavailable)
    assert nowhere in answer.reason
    assert "does not answer" in answer.reason


def test_a_page_that_is_not_ours_is_not_believed(url):
    assert isinstance(ask(f"{url}/elsewhere", 2), StateUnavailable)


def test_an_instance_says_whether_it_is_ready_and_how_much_is_left_to_restore(url):
    assert ask_progress(url, SECONDS) == ["not ready", "worker 0: restoring", "1,234 records to restore"]


@pytest.mark.parametrize("nowhere", ["http://127.0.0.1:1", "http://[", "no address", "file:///etc/hostname"])
def test_an_instance_that_does_not_answer_is_said_not_to(nowhere):
    [said] = ask_progress(nowhere, SECONDS)
    assert said.startswith("does not answer: ")

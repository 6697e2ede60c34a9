"""Dead letters and results as the console of a running service reads and handles them."""

import httpx
import pytest

from tests.kafka.cluster import wait_until
from tests.kafka.model import transaction
from tests.kafka.test_dead_letter_verbs import bank, with_failures
from wallaroo.admin.dead_letters import REPLAY_COUNT

__all__ = ["bank"]
AT = "/console/dead-letters"


def answer(service, path, json=None):
    url = service._url() + path
    found = httpx.get(url, timeout=60) if json is None else httpx.post(url, json=json, timeout=60)
    assert found.is_success, found.text
    return found.json()


def is_over(service):
    work = answer(service, f"{AT}/progress")
    return work if work["is_over"] else None


@pytest.fixture
def failed(bank):
    """A service that has made three dead letters, which wait."""
    return with_failures(bank, 3, key="k", partition=2)


def test_dead_letters_are_replayed_once_after_a_look_at_what_will_be_sent(bank, failed):
    listed = answer(failed, f"{AT}?stage=add+up")["letters"]
    places = [each["place"] for each in listed]
    assert [each["became"] for each in listed] == [None] * 3
    planned = answer(failed, f"{AT}/plan", {"verb": "replay", "places": places})
    assert [each["to"] for each in planned["sendings"]] == [f"{bank.in_topic}[2]@{n}" for n in range(3)]
    assert len(bank.source()) == 3
    answer(failed, f"{AT}/begin", {"verb": "replay", "places": places[:2]})
    work = wait_until(lambda: is_over(failed), 60)
    assert (work["done"], work["problem"]) == (2, "")
    assert [dict(each.headers() or ()).get(REPLAY_COUNT) for each in bank.source()][3:] == [b"1", b"1"]
    answer(failed, f"{AT}/begin", {"verb": "replay", "places": places[:2]})
    assert wait_until(lambda: is_over(failed), 60)["done"] == 0
    assert len(bank.source()) == 5


def test_a_dead_letter_is_shown_whole_and_dropped(failed):
    place = answer(failed, AT)["letters"][0]["place"]
    shown = answer(failed, f"{AT}/at/{place}")
    assert shown["content"]["kind"] == "json"
    assert '"user":"faulty-1"' in shown["content"]["text"]
    assert dict(shown["headers"])["__streams.errors.stage"] == "add up"
    answer(failed, f"{AT}/begin", {"verb": "drop", "places": [place]})
    assert wait_until(lambda: is_over(failed), 60)["done"] == 1
    assert answer(failed, AT)["letters"][0]["became"] == "dropped"
    assert answer(failed, f"{AT}/plan", {"verb": "replay", "places": [place]})["sendings"] == []


def test_the_newest_results_are_those_at_the_end_of_their_topic(scenario):
    service = scenario.start()
    scenario.send([transaction("rex", 1500 + n) for n in range(30)])
    scenario.settle()
    found = wait_until(lambda: answer(service, "/console/results")["results"], 30)
    assert 0 < len(found) <= 20
    assert {each["topic"] for each in found} == {scenario.out_topic}
    assert all("rex" in each["content"]["text"] for each in found)

"""Versions of an application one after the other: states are read, or a refusal says which cannot be."""

import json
import re

import pytest

from tests.kafka.cluster import Sent, produce, read_topic, wait_until
from tests.kafka.scenario import Scenario


class Versions(Scenario):
    """Payments of one user to one version after the other."""

    def pay(self, *amounts):
        paid = [json.dumps({"user": "rex", "amount": amount}) for amount in amounts]
        produce(self.servers, self.in_topic, [Sent(b"rex", each, 2, 1_000) for each in paid])

    def totals(self):
        return [json.loads(m.value())["total"] for m in read_topic(self.servers, self.out_topic)]

    def start_version(self, version, **settings):
        self.arguments = ("--version", version)
        return self.launch(**settings)

    def run_version(self, version, amount, **settings):
        """One version that takes one payment; returns all totals so far."""
        known = len(self.totals())
        service = self.start_version(version, **settings).wait_ready()
        self.pay(amount)
        wait_until(lambda: len(self.totals()) > known, 60)
        assert service.stop() == 0
        return self.totals()


@pytest.fixture
def versions(bootstrap_servers, application_id, tmp_path):
    made = Versions(bootstrap_servers, application_id, tmp_path, application="tests.kafka.versions")
    made.create_topics()
    yield made
    made.dispose()


@pytest.mark.slow
def test_states_follow_their_class_through_its_forms_and_back(versions):
    for version in ("slots", "fewer slots", "plain", "model", "slots"):
        found = versions.run_version(version, 10)
    assert found == [10, 20, 30, 40, 50]


@pytest.mark.slow
def test_a_state_that_cannot_be_read_ends_the_service_once_and_names_its_place_and_can_be_put_aside(versions):
    assert versions.run_version("plain", 10) == [10]
    assert versions.run_version("plain", 10) == [10, 20]
    refused = versions.start_version("strict")
    versions.pay(5)
    assert refused.wait(60) == 2
    words = refused.words()
    place = re.escape(versions.changelog_of("add")) + r"\[2\]@\d+"
    assert re.search(rf"the state of 'add' for key b'rex', in {place}, cannot be read", words)
    assert words.count("loop failed") == 1
    assert "worker died" not in words
    assert "Traceback" not in words
    assert versions.run_version("strict", 1, on_unreadable_state="dead_letter") == [10, 20, 5, 6]
    (letter,) = read_topic(versions.servers, versions.dead_letters)
    assert (letter.key(), letter.value()) == (b"rex", b'1J{"total":20,"bonus":0}')
    assert dict(letter.headers())["__streams.errors.topic"] == versions.changelog_of("add").encode()


@pytest.mark.slow
def test_windows_of_another_range_end_the_service_once_and_name_the_stage_and_the_way_out(versions):
    stored = versions.changelog_of("sum")
    service = versions.start_version("hours").wait_ready()
    versions.pay(10)
    wait_until(lambda: any(m.key() == b"rex" for m in read_topic(versions.servers, stored)), 60)
    assert service.stop() == 0
    refused = versions.start_version("days")
    assert refused.wait(60) == 2
    words = refused.words()
    assert re.search(rf"the state of 'Sum' for key b'rex', in {re.escape(stored)}\[2\]@\d+", words)
    assert "have another range or slide" in words
    assert "give the stage a new name" in words
    assert "worker died" not in words
    service = versions.start_version("hours").wait_ready()
    assert service.stop() == 0

"""`wallaroo dead-letters` on a real Kafka, beside a real service: what is listed, sent once more, dropped."""

import json
import time

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.kafka.cluster import TIMEOUT_SECONDS, Sent, create_topic, produce, read_topic, wait_until
from tests.kafka.model import totals_in
from tests.kafka.scenario import Scenario
from wallaroo.admin import replay as replaying
from wallaroo.admin.cluster import reach
from wallaroo.admin.dead_letter_topic import read_letters
from wallaroo.admin.dead_letters import REPLAY_COUNT, REPLAY_OF, Wanted
from wallaroo.cli import main
from wallaroo.cli.options import parse
from wallaroo.errors import KafkaSetupError


class Bank(Scenario):
    """Payments of users; those of a user on the blocklist raise until the list is emptied."""

    def verb(self, *words):
        """Run `wallaroo dead-letters WORD MODULE ...` and return its exit code."""
        word, *rest = words
        return main(["dead-letters", word, self.application, *rest, *self._options()])

    def _options(self):
        return self._command_line({})[1:]

    def dead_letters_read(self):
        """The cluster, the topology and its dead letters, as the verbs read them."""
        command = parse([self.application, *self._options()])
        topology = command.load().topology
        cluster = reach(command.settings, "test")
        return cluster, topology, read_letters(cluster, topology, Wanted())

    def totals_now(self):
        return totals_in(self.tail(self.changelog).read())

    def truncate(self, topic, number, offset):
        admin = AdminClient({"bootstrap.servers": self.servers})
        place = TopicPartition(topic, number, offset)
        admin.delete_records([place])[place].result(TIMEOUT_SECONDS)

    def pay(self, *payments, **more):
        """Each a pair of user and amount."""
        produce(self.servers, self.in_topic, [sent(user, amount, **more) for user, amount in payments])

    def source(self):
        return list(read_topic(self.servers, self.in_topic))

    def await_dead(self, number):
        wait_until(lambda: len(self.dead()) >= number, 60)


def sent(user, amount, key=None, partition=-1, timestamp_ms=0, headers=()):
    value = json.dumps({"user": user, "amount": amount})
    return Sent(key, value, partition, timestamp_ms, headers)


@pytest.fixture
def bank(bootstrap_servers, application_id, tmp_path):
    made = Bank(bootstrap_servers, application_id, tmp_path)
    made.create_topics()
    yield made
    made.dispose()


def listed(bank, capsys, *options):
    capsys.readouterr()
    assert bank.verb("list", "--json", *options) == 0
    return json.loads(capsys.readouterr().out)


def with_failures(bank, number, **more):
    """A service that has made dead letters of so many payments of `faulty`, behind the hop."""
    service = bank.start()
    bank.pay(*[("faulty-1", n) for n in range(number)], **more)
    bank.await_dead(number)
    return service


def test_a_replay_sends_the_record_as_it_came_once_and_marked(bank, capsys):
    trace = (("trace", b"abc"),)
    service = with_failures(bank, 3, key="k", partition=2, timestamp_ms=1_234_567, headers=trace)
    assert service.stop() == 0
    before = bank.source()
    assert bank.verb("replay", "--yes") == 0
    assert "3 records sent" in capsys.readouterr().out
    again = bank.source()[len(before) :]
    assert [m.value() for m in again] == [m.value() for m in before]
    assert {(m.key(), m.partition(), m.timestamp()[1]) for m in again} == {(b"k", 2, 1_234_567)}
    place = listed(bank, capsys)[0]["place"]
    partition, _, offset = place.partition("@")
    of = f"{bank.dead_letters}[{partition}]@{offset}".encode()
    assert again[0].headers() == [*trace, (REPLAY_OF, of), (REPLAY_COUNT, b"1")]
    assert {each["became"] for each in listed(bank, capsys)} == {"replayed"}
    assert bank.verb("replay", "--yes") == 0
    assert len(bank.source()) == 6


def test_what_failed_is_processed_once_when_the_stage_is_mended(bank, capsys):
    service = with_failures(bank, 5)
    assert service.stop() == 0
    bank.arguments = ("--mended",)
    bank.start()
    assert bank.verb("replay", "--stage", "add up", "--yes") == 0
    wait_until(lambda: bank.totals_now().get(b"faulty-1") == 0 + 1 + 2 + 3 + 4, 60)
    assert bank.verb("replay", "--yes") == 0
    bank.pay(("faulty-1", 90))
    wait_until(lambda: bank.totals_now().get(b"faulty-1") == 100, 60)
    bank.stop_all()


def test_a_record_that_fails_again_says_how_often_it_was_sent(bank, capsys):
    with_failures(bank, 1)
    assert bank.verb("replay", "--yes") == 0
    bank.await_dead(2)
    assert [(each["became"], each["replays"]) for each in listed(bank, capsys)] == [
        ("replayed", 0),
        (None, 1),
    ]
    assert bank.verb("replay", "--yes") == 0
    bank.await_dead(3)
    assert [each["replays"] for each in listed(bank, capsys)] == [0, 1, 2]
    counts = [dict(m.headers() or ()).get(REPLAY_COUNT) for m in bank.source()]
    assert sorted(counts, key=lambda count: count or b"") == [None, b"1", b"2"]
    bank.stop_all()


def test_a_dry_run_sends_nothing_and_says_what_would_be_sent(bank, capsys):
    with_failures(bank, 2).stop()
    assert bank.verb("replay", "--dry-run") == 0
    said = capsys.readouterr().out
    assert all(f"{bank.in_topic}[{m.partition()}]@{m.offset()}" in said for m in bank.source())
    assert "nothing was sent" in said
    assert len(bank.source()) == 2
    assert {each["became"] for each in listed(bank, capsys)} == {None}


def test_without_a_terminal_nothing_is_done_unless_yes_is_given(bank, capsys):
    with_failures(bank, 1).stop()
    assert bank.verb("replay") == 2
    assert bank.verb("drop") == 2
    assert capsys.readouterr().err.count("give --yes") == 2
    assert len(bank.source()) == 1


def test_a_replay_that_was_interrupted_goes_on_where_it_was(bank, capsys, monkeypatch):
    with_failures(bank, 7, partition=1).stop()
    monkeypatch.setattr(replaying, "PORTION", 2)
    cluster, topology, letters = bank.dead_letters_read()

    def interrupt(sent):
        if sent == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replaying.replay(cluster, topology, letters, lambda: 1, after_portion=interrupt)
    assert len(bank.source()) == 11
    assert bank.verb("replay", "--yes") == 0
    assert "3 records sent" in capsys.readouterr().out
    amounts = [json.loads(m.value())["amount"] for m in bank.source()]
    assert amounts == [*range(7), *range(7)]


def test_what_a_replay_left_in_an_open_transaction_is_as_if_never_sent(bank, capsys):
    with_failures(bank, 2, partition=1).stop()
    config = {"bootstrap.servers": bank.servers, "transactional.id": f"{bank.application_id}-dead-letters"}
    left = Producer(config)
    left.init_transactions(20)
    left.begin_transaction()
    left.produce(bank.in_topic, b"half", partition=1)
    left.flush(20)
    assert bank.verb("replay", "--yes") == 0
    assert [m.value() for m in bank.source()].count(b"half") == 0
    assert len(bank.source()) == 4


def test_one_of_two_replays_at_the_same_time_sends_a_record(bank, capsys, monkeypatch):
    with_failures(bank, 4, partition=1).stop()
    monkeypatch.setattr(replaying, "PORTION", 2)
    cluster, topology, letters = bank.dead_letters_read()

    def another(sent):
        if sent == 2:
            assert bank.verb("replay", "--yes") == 0

    with pytest.raises(KafkaSetupError, match="somebody else has begun"):
        replaying.replay(cluster, topology, letters, lambda: 1, after_portion=another)
    amounts = [json.loads(m.value())["amount"] for m in bank.source()]
    assert amounts == [*range(4), *range(4)]


def test_filters_choose_and_what_is_dropped_is_replayed_no_more(bank, capsys):
    service = bank.start()
    bank.pay(("faulty-1", 1), ("faulty-2", 2), ("faulty-3", 3))
    produce(bank.servers, bank.in_topic, [Sent("raw", b"not json")])
    bank.await_dead(4)
    assert service.stop() == 0
    assert [e["key"] for e in listed(bank, capsys, "--key", "faulty-2")] == ["faulty-2"]
    assert [e["key"] for e in listed(bank, capsys, "--error", "validationerror")] == ["raw"]
    assert [e["stage"] for e in listed(bank, capsys, "--stage", "transactions")] == ["transactions"]
    assert listed(bank, capsys, "--since", "1h", "--limit", "1") == listed(bank, capsys)[-1:]
    assert listed(bank, capsys, "--until", "1h") == []
    assert bank.verb("drop", "--key", "faulty-1", "--yes") == 0
    place = listed(bank, capsys, "--key", "faulty-2")[0]["place"]
    assert bank.verb("drop", f"--at={place}", "--yes") == 0
    assert len(listed(bank, capsys, "--open")) == 2
    assert bank.verb("replay", "--yes") == 0
    assert sorted(m.value() for m in bank.source())[-2:] == [b'{"user": "faulty-3", "amount": 3}'] * 2
    assert len(bank.source()) == 6


def test_without_the_source_a_record_is_sent_only_where_the_dead_letter_is_all_of_it(bank, capsys):
    service = bank.start()
    bank.pay(("faulty-1", 1), partition=1)
    produce(bank.servers, bank.in_topic, [Sent(None, b"not json", 1, 1_234_567)])
    bank.await_dead(2)
    assert service.stop() == 0
    bank.truncate(bank.in_topic, 1, 2)
    assert bank.verb("replay", "--yes") == 0
    said = capsys.readouterr().out
    assert f"{bank.in_topic}[1]@0 holds the record no longer" in said
    [again] = bank.source()
    assert (again.key(), again.value(), again.timestamp()[1]) == (None, b"not json", 1_234_567)


def test_one_dead_letter_is_shown_whole(bank, capsys):
    with_failures(bank, 1).stop()
    place = listed(bank, capsys)[0]["place"]
    assert bank.verb("show", place) == 0
    shown = capsys.readouterr().out
    assert '"amount": 0' in shown
    assert "ValueError: faulty-1 is not welcome" in shown
    assert bank.verb("show", place, "--json") == 0
    assert json.loads(capsys.readouterr().out)["content"] == {"user": "faulty-1", "amount": 0}


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("show", "9"), "is no place of a dead letter"),
        (("show", "0@999"), "there is no such dead letter"),
        (("show", "other-dlq[0]@0"), "is a place in other-dlq"),
        (("replay", "--at=0@999", "--yes"), "there is no such dead letter"),
        (("list", "--since", "yesterday"), "--since takes a time"),
        (("list", "--until", "2026-12-01T08:00:00"), "--until takes a time with its zone"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(bank, capsys, words, text):
    create_topic(bank.servers, bank.dead_letters, 2)
    assert bank.verb(*words) == 2
    said = capsys.readouterr().err
    assert text in said
    assert said.count("\n") == 1


def test_an_application_that_has_never_run_has_no_dead_letters(bank, capsys):
    assert bank.verb("list") == 2
    assert f"there is no topic {bank.dead_letters}" in capsys.readouterr().err


def test_a_generated_record_goes_back_to_the_ingest_topic(bank, capsys):
    bank.application, bank.arguments = "tests.kafka.counting", ("--end=9", "--refused=7")
    service = bank.start()
    bank.await_dead(1)
    assert service.stop() == 0
    bank.arguments = ("--end=9",)
    assert bank.verb("replay", "--yes") == 0
    assert f"1 record sent to {bank.application_id}-numbers-ingest" in capsys.readouterr().out
    bank.start()
    wait_until(lambda: len(bank.tail(bank.out_topic).read()) >= 9, 60)
    bank.stop_all()
    assert sorted(int(m.value()) for m in read_topic(bank.servers, bank.out_topic)) == list(range(0, 18, 2))


@pytest.mark.parametrize(
    "verb", ["dead-letters list", "dead-letters replay --yes", "reset --to-earliest --yes"]
)
def test_while_kafka_is_away_a_verb_says_so_within_ten_seconds(verb, capfd):
    first, *rest = verb.split()
    word, options = ([rest[0]], rest[1:]) if first == "dead-letters" else ([], rest)
    topics = ["--in-topic=i", "--out-topic=o", "--bootstrap-servers=127.0.0.1:9"]
    began = time.monotonic()
    assert main([first, *word, "tests.kafka.apps", *options, *topics]) == 2
    assert time.monotonic() - began < 10
    said = capfd.readouterr().err
    assert said.startswith("wallaroo: Kafka cannot be reached at 127.0.0.1:9: ")
    assert said.count("\n") == 1

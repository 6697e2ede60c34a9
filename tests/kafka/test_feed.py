"""`wallaroo produce` and `wallaroo receive` on topics."""

import json

import pytest

from tests.kafka.cluster import create_topic
from wallaroo.cli import main


@pytest.fixture
def on(bootstrap_servers):
    return ["--bootstrap-servers", bootstrap_servers]


@pytest.fixture
def topic(bootstrap_servers, application_id):
    create_topic(bootstrap_servers, application_id, 3)
    return application_id


@pytest.fixture
def payments(tmp_path):
    file = tmp_path / "payments.jsonl"
    file.write_text("".join(f'{{"user": "{user}", "n": {n}}}\n' for n, user in enumerate("abcab")))
    return str(file)


def received(capsys, *argv):
    assert main(["receive", "--until-end", "--json", *argv]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_records_go_to_the_partition_of_their_key_in_order(on, topic, payments, capsys):
    assert main(["produce", payments, "--topic", topic, "--key", "user", *on]) == 0
    assert f"5 records sent to {topic}" in capsys.readouterr().err
    shown = received(capsys, "--topic", topic, *on)
    by_key = {key: [each for each in shown if each["key"] == key] for key in "abc"}
    assert {key: [json.loads(each["value"])["n"] for each in by_key[key]] for key in "abc"} == {
        "a": [0, 3],
        "b": [1, 4],
        "c": [2],
    }
    assert all(len({each["partition"] for each in by_key[key]}) == 1 for key in "abc")


def test_a_file_that_is_received_can_be_produced_again(on, topic, payments, tmp_path, capsys):
    output = tmp_path / "received"
    assert main(["produce", payments, "--topic", topic, "--count", "2", *on]) == 0
    received_to = ["--framing", "u32", "--output", str(output)]
    assert main(["receive", "--topic", topic, "--count", "2", *received_to, *on]) == 0
    assert main(["produce", str(output), "--framing", "u32", "--topic", topic, *on]) == 0
    values = [each["value"] for each in received(capsys, "--topic", topic, *on)]
    assert sorted(values) == sorted(['{"user": "a", "n": 0}', '{"user": "b", "n": 1}'] * 2)


@pytest.mark.parametrize("verb", ["produce", "receive"])
def test_a_topic_that_there_is_not_is_named(verb, on, application_id, payments, capsys):
    file = [payments] if verb == "produce" else []
    assert main([verb, *file, "--topic", application_id, *on]) == 2
    assert f"there is no topic {application_id!r}" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["produce", "receive"])
def test_a_broker_that_is_away_is_told_in_one_line(verb, payments, capfd):
    file = [payments] if verb == "produce" else []
    assert main([verb, *file, "--topic", "t", "--bootstrap-servers", "127.0.0.1:9"]) == 2
    said = capfd.readouterr().err
    assert said.startswith("wallaroo: Kafka cannot be reached at 127.0.0.1:9: ")
    assert said.count("\n") == 1

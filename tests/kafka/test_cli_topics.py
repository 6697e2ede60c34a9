"""`wallaroo topics`: what a start would do, in its own words, and the same without a start."""

import json

import pytest

from scripts.kafka.process import free_port
from tests.kafka.cluster import alter_topic, create_topic, topic_config
from tests.kafka.command import run
from tests.kafka.scenario import PARTITIONS
from wallaroo.cli import main


def plan(scenario, capsys):
    assert run(scenario, "topics", "plan", "MODULE", "--json") == 0
    return {topic["name"]: topic for topic in json.loads(capsys.readouterr().out)["topics"]}


def test_a_plan_says_what_run_would_create_and_what_is_there_and_changes_nothing(scenario, capsys):
    first, second = plan(scenario, capsys), plan(scenario, capsys)
    assert first == second
    assert {topic["action"] for name, topic in first.items() if name.endswith(("-in", "-out"))} == {"nothing"}
    assert first[scenario.in_topic]["found"]["partitions"] == PARTITIONS
    changelog = first[scenario.changelog]
    assert (changelog["action"], changelog["found"], changelog["partitions"]) == ("create", None, PARTITIONS)
    assert changelog["properties"]["cleanup.policy"] == "compact"


def test_what_is_created_is_what_was_planned_and_checks_well(scenario, capsys):
    wanted = plan(scenario, capsys)[scenario.changelog]
    assert run(scenario, "topics", "check", "MODULE") == 1
    assert "these topics are missing: " in capsys.readouterr().out
    assert run(scenario, "topics", "create", "MODULE", **{"create-topics": "false"}) == 2
    capsys.readouterr()
    assert run(scenario, "topics", "create", "MODULE") == 0
    assert f"create: {scenario.changelog} (changelog, {PARTITIONS} partitions)" in capsys.readouterr().out
    assert wanted["properties"].items() <= topic_config(scenario.servers, scenario.changelog).items()
    made = plan(scenario, capsys)[scenario.changelog]
    assert made["action"] == "nothing"
    assert made["found"]["properties"] == wanted["properties"]
    assert run(scenario, "topics", "create", "MODULE") == 0
    assert capsys.readouterr().out == "all topics are there\n"
    assert run(scenario, "topics", "check", "MODULE") == 0
    assert capsys.readouterr().out == "6 topics are as they are needed\n"


def test_what_a_start_would_refuse_is_told_in_its_words(scenario, capsys):
    create_topic(scenario.servers, scenario.changelog, PARTITIONS + 1, {"cleanup.policy": "compact"})
    create_topic(scenario.servers, scenario.repartition, PARTITIONS, {"cleanup.policy": "compact"})
    assert run(scenario, "topics", "check", "MODULE") == 1
    told = capsys.readouterr().out
    assert f"{scenario.changelog} has {PARTITIONS + 1} partitions, but its input has {PARTITIONS}" in told
    assert f"{scenario.repartition} has cleanup.policy=compact: records would be lost" in told
    assert run(scenario, "topics", "create", "MODULE") == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"{scenario.changelog} has {PARTITIONS + 1} partitions" in said
    assert run(scenario, "topics", "plan", "MODULE") == 0
    shown = capsys.readouterr()
    assert "refuse" in shown.out
    assert f"{scenario.changelog} has {PARTITIONS + 1} partitions" in shown.err


def test_a_topic_that_would_be_altered_does_not_check_well(scenario, capsys):
    assert run(scenario, "topics", "create", "MODULE") == 0
    alter_topic(scenario.servers, scenario.repartition, {"message.timestamp.after.max.ms": "1000"})
    capsys.readouterr()
    # What is set on the topic itself is an operator's word.
    assert run(scenario, "topics", "check", "MODULE") == 0


@pytest.mark.parametrize("verb", ["plan", "create", "check"])
def test_a_broker_that_is_away_is_told_within_seconds_in_one_line(verb, capsys):
    servers = f"127.0.0.1:{free_port()}"
    topics = ["--in-topic=a", "--out-topic=b"]
    assert main(["topics", verb, "tests.kafka.apps", "--bootstrap-servers", servers, *topics]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"Kafka cannot be reached at {servers}" in said

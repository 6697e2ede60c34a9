"""`wallaroo status`: members, offsets, lag and open transactions, beside a service and without one."""

import json
import os
import pty
import signal
import subprocess

import pytest
from confluent_kafka import Producer

from scripts.kafka.process import free_port
from tests.kafka.cluster import Sent, wait_until
from tests.kafka.command import options_of, run
from tests.kafka.model import transaction
from tests.kafka.scenario import PARTITIONS
from tests.kafka.service import COMMAND
from wallaroo.cli import main

USERS = [f"user{n}" for n in range(12)]


def status(scenario, capsys, *words):
    """The status, and its groups by name."""
    assert run(scenario, "status", "MODULE", "--json", *words) == 0
    found = json.loads(capsys.readouterr().out)
    return found, {group["name"]: group for group in found["groups"]}


def test_with_nothing_running_it_says_what_is_missing_and_that_nobody_is_there(scenario, capsys):
    found, groups = status(scenario, capsys)
    assert scenario.changelog in found["missing_topics"]
    assert scenario.in_topic not in found["missing_topics"]
    assert [(group["members"], group["state"]) for group in groups.values()] == [([], "none")] * 2
    assert {each["committed"] for each in groups["transactions"]["partitions"]} == {None}
    assert run(scenario, "status", "MODULE") == 0
    assert "no members" in capsys.readouterr().out


def test_beside_a_service_every_partition_has_an_owner_and_a_lag(scenario, capsys):
    service = scenario.start(workers=2, instance="i1")
    scenario.send([*(transaction(user, 10) for user in USERS), Sent("rex", b"no JSON"), Sent("ann", b"no")])
    scenario.settle()

    def caught_up():
        _, groups = status(scenario, capsys)
        return groups if {group["lag"] for group in groups.values()} == {0} else None

    groups = wait_until(caught_up)
    for group in groups.values():
        assert group["state"] == "stable"
        assert {(each["instance"], each["worker"]) for each in group["members"]} == {("i1", "0"), ("i1", "1")}
        assert {each["owner"] for each in group["partitions"]} == {"i1/0", "i1/1"}
        assert len(group["partitions"]) == PARTITIONS
    url = f"--url={wait_until(service._url)}"
    found, _ = status(scenario, capsys, url)
    assert found["dead_letters"] == 2
    assert found["missing_topics"] == []
    assert list(found["instances"].values()) == [["ready"]]
    assert run(scenario, "status", "MODULE", url) == 0
    assert "i1/1" in capsys.readouterr().out


def test_what_waits_for_a_stopped_service_is_its_lag_in_records_behind_a_hop_too(scenario, capsys):
    assert run(scenario, "topics", "create", "MODULE") == 0
    scenario.send([transaction(user, 10) for user in USERS])
    capsys.readouterr()
    _, groups = status(scenario, capsys)
    assert groups["transactions"]["lag"] == len(USERS)
    assert groups["extract-user"]["lag"] == 0


def test_a_transaction_that_does_not_end_is_shown_with_its_place_and_age(scenario, capsys):
    producer = Producer({"bootstrap.servers": scenario.servers, "transactional.id": scenario.application_id})
    producer.init_transactions()
    producer.begin_transaction()
    producer.produce(scenario.in_topic, b"{}", b"rex", 1)
    producer.flush()
    _, groups = status(scenario, capsys)
    producer.abort_transaction()
    rows = {row["partition"]: row for row in groups["transactions"]["partitions"]}
    assert (rows[1]["open_at"], rows[0]["open_at"]) == (0, None)
    assert rows[1]["open_seconds"] >= 1


def test_a_watch_prints_lines_where_no_terminal_is_and_ends_well_by_ctrl_c(scenario):
    words = [COMMAND[0], "status", scenario.application, "--watch", "--every", "0.2", *options_of(scenario)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watch:
        lines = [watch.stdout.readline() for _ in range(12)]
        watch.send_signal(signal.SIGINT)
        _, said = watch.communicate(timeout=20)
    assert watch.returncode == 0
    assert said == ""
    group = f" {scenario.application_id}-transactions state=none members=0 lag=0 offsets_per_second=-\n"
    assert sum(line.endswith(group) for line in lines) >= 2


_MUCH = 1_000_000


def test_a_watch_on_a_terminal_refreshes_its_tables_and_ends_well_by_ctrl_c(scenario):
    words = [COMMAND[0], "status", scenario.application, "--watch", "--every", "0.2", *options_of(scenario)]
    ours, theirs = pty.openpty()
    terminal = {**os.environ, "TERM": "xterm", "LINES": "100", "COLUMNS": "200"}
    with subprocess.Popen(words, stdout=theirs, stderr=theirs, env=terminal) as watch:
        os.close(theirs)
        seen = b""
        while seen.count(b"dead letters in") < 3 and len(seen) < _MUCH:
            seen += os.read(ours, 65_536)
        watch.send_signal(signal.SIGINT)
        while left := read_left(ours):
            seen += left
        assert watch.wait(20) == 0
    os.close(ours)
    assert b"Traceback" not in seen
    assert seen.count(b"dead letters in") >= 3
    # The cursor goes up again to write over what was there.
    assert b"\x1b[1A" in seen


def read_left(terminal):
    """What else has been written to a terminal; nothing once nobody holds its other side."""
    try:
        return os.read(terminal, 65_536)
    except OSError:
        return b""


def test_a_broker_that_is_away_is_told_within_seconds_in_one_line(capsys):
    servers = f"127.0.0.1:{free_port()}"
    topics = ["--in-topic=a", "--out-topic=b"]
    assert main(["status", "tests.kafka.apps", "--watch", "--bootstrap-servers", servers, *topics]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"Kafka cannot be reached at {servers}" in said


@pytest.mark.parametrize("module", ["no.such.module", "tests/kafka/no_such_file.py"])
def test_an_application_that_does_not_load_is_told_in_one_line(module, capsys):
    assert main(["status", module]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"{module!r}" in said

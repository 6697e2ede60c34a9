"""`wallaroo state`: what the changelog holds, beside a real service and without one."""

import json
import subprocess

import pytest
from confluent_kafka import Producer

from scripts.kafka.process import free_port
from tests.kafka.cluster import Sent, create_topic, produce, read_topic, wait_until
from tests.kafka.command import options_of, run
from tests.kafka.model import transaction
from tests.kafka.scenario import PARTITIONS
from tests.kafka.service import COMMAND
from wallaroo.admin.changelogs import ChangelogReader
from wallaroo.admin.cluster import asking
from wallaroo.admin.state_files import Line
from wallaroo.admin.state_import import StateImport
from wallaroo.admin.states import kept_by, key_text
from wallaroo.cli import main
from wallaroo.cli.options import parse
from wallaroo.state.store import POSITION_KEY
from wallaroo.task.keys import partition_of
from wallaroo.task.position import ChangelogOrigin, Position

KEYS = [b"rex", b"ann", "käfer/狗".encode(), b"-5", b"base64:rex", b"tab\t", b"\xff"]


def stored(key, total, partition=None):
    """A record of the changelog, where the key belongs."""
    at = partition_of(key, PARTITIONS) if partition is None else partition
    return Sent(key, b'1J{"total":%d}' % total, at)


@pytest.fixture
def kept(scenario):
    """States in the changelog of an application that does not run: each key with its place as the total."""
    create_topic(scenario.servers, scenario.changelog, PARTITIONS, {"cleanup.policy": "compact"})
    old = [stored(b"rex", 99), stored(b"gone", 99), Sent(b"gone", None, partition_of(b"gone", PARTITIONS))]
    states = [stored(key, total) for total, key in enumerate(KEYS)]
    produce(scenario.servers, scenario.changelog, [*old, *states])
    return scenario


def shown(capsys):
    return json.loads(capsys.readouterr().out)


def listed(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_beside_a_service_a_state_is_what_its_page_shows(scenario, capsys):
    service = scenario.start()
    scenario.send([transaction("rex", 10), transaction("ann", 10), transaction("rex", 10)])
    scenario.settle()
    wait_until(lambda: service.status("/state/add-up/rex") == 200)
    page = service.get_json("/state/add-up/rex")
    assert run(scenario, "state", "get", "MODULE", "add up", "rex") == 0
    assert shown(capsys) == {"stage": "add up", "key": "rex", **{n: page[n] for n in ("partition", "value")}}


def test_every_key_is_listed_with_its_last_state_and_can_be_given_back(kept, capsys):
    assert run(kept, "state", "list", "MODULE", "add-up", "--json") == 0
    rows = listed(capsys)
    assert {row["key"]: row["value"]["total"] for row in rows} == {
        key_text(key): total for total, key in enumerate(KEYS)
    }
    assert [run(kept, "state", "get", "MODULE", "add-up", row["key"]) for row in rows] == [0] * len(KEYS)


def test_a_list_is_cut_at_its_limit_and_says_so(kept, capsys):
    assert run(kept, "state", "list", "MODULE", "add-up", "--limit", "2") == 0
    said = capsys.readouterr()
    assert "5 more keys have state; see --limit" in said.err
    assert said.out.count("total") == 2


def test_a_list_of_a_prefix_has_only_keys_that_begin_so(kept, capsys):
    assert run(kept, "state", "list", "MODULE", "add-up", "--prefix", "re", "--json") == 0
    assert [row["key"] for row in listed(capsys)] == ["rex"]


@pytest.mark.parametrize("key", ["nobody", "gone"])
def test_a_key_without_state_is_exit_code_1(kept, key, capsys):
    assert run(kept, "state", "get", "MODULE", "add-up", key) == 1
    assert f"no state for the key {key!r}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("no such", "rex"), "there is no stage 'no such'; stages with state are add-up"),
        (("?", "rex"), "there is no stage '?'"),
        (("add-up", "base64:?"), "the key 'base64:?' is no base64"),
    ],
)
def test_what_cannot_be_asked_for_is_named_in_one_line(scenario, words, says, capsys):
    assert run(scenario, "state", "get", "MODULE", *words) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert says in said


def test_a_changelog_that_is_not_there_is_named(scenario, capsys):
    assert run(scenario, "state", "list", "MODULE", "add-up") == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"the topic {scenario.changelog} is not there at {scenario.servers}" in said


def test_what_is_not_committed_is_not_shown(kept, capsys):
    producer = Producer({"bootstrap.servers": kept.servers, "transactional.id": kept.application_id})
    producer.init_transactions()
    producer.begin_transaction()
    producer.produce(kept.changelog, b'1J{"total":99}', b"rex", partition_of(b"rex", PARTITIONS))
    producer.flush()
    producer.abort_transaction()
    assert run(kept, "state", "get", "MODULE", "add-up", "rex") == 0
    assert shown(capsys)["value"] == {"total": 0}


def test_what_others_have_written_to_a_changelog_is_left_out(kept, capsys):
    produce(kept.servers, kept.changelog, [Sent("rex", b"not ours", partition_of(b"rex", PARTITIONS))])
    assert run(kept, "state", "get", "MODULE", "add-up", "rex") == 0
    assert shown(capsys)["value"] == {"total": 0}


def test_a_state_that_cannot_be_read_is_said_to_be_that(kept, capsys):
    produce(kept.servers, kept.changelog, [Sent("rex", b"1J{", partition_of(b"rex", PARTITIONS))])
    assert run(kept, "state", "list", "MODULE", "add-up", "--json") == 0
    [row] = [row for row in listed(capsys) if row["key"] == "rex"]
    assert row["value"] is None
    assert row["problem"]
    assert run(kept, "state", "get", "MODULE", "add-up", "rex") == 2
    assert "cannot be read: " in capsys.readouterr().err


def test_what_is_exported_comes_back_exactly(kept, tmp_path, capsys):
    file = tmp_path / "states.jsonl"
    assert run(kept, "state", "export", "MODULE", "add-up", "--output", str(file)) == 0
    before = {(m.partition(), m.key()): m.value() for m in read_topic(kept.servers, kept.changelog)}
    tombstones = [Sent(key, None, partition_of(key, PARTITIONS)) for key in KEYS]
    produce(kept.servers, kept.changelog, tombstones)
    create_topic(kept.servers, kept.repartition, PARTITIONS)
    assert run(kept, "state", "import", "MODULE", "add-up", str(file)) == 0
    assert "7 keys in 1 transaction: " in capsys.readouterr().out
    after = {(m.partition(), m.key()): m.value() for m in read_topic(kept.servers, kept.changelog)}
    states = {place: value for place, value in after.items() if place[1] != POSITION_KEY}
    assert states == before


def test_every_portion_of_an_import_keeps_the_positions(kept):
    create_topic(kept.servers, kept.repartition, PARTITIONS)
    loaded, settings = parse([kept.application, *options_of(kept)]).load_for_cluster()
    stage = kept_by(loaded.topology, "add-up")
    produce(kept.servers, kept.changelog, [Sent(POSITION_KEY, position(kept), n) for n in range(PARTITIONS)])
    lines = [Line(n, b"key%d" % n, b'1J{"total":1}', 0, 1) for n in range(7)]
    with asking(settings) as admin:
        done = StateImport(
            stage, loaded.topology, ChangelogReader(admin, settings, loaded.codecs.state)
        ).write(lines, portion_keys=2)
    assert (sum(done.keys.values()), done.transactions) == (7, 4)
    last = {message.partition(): message for message in read_topic(kept.servers, kept.changelog)}
    assert {message.value() for message in last.values()} == {position(kept)}
    assert {message.key() for message in last.values()} == {POSITION_KEY}


def position(kept):
    origins = {kept.changelog: ChangelogOrigin(None)}
    return Position(kept.repartition, None, 5, 7, kept.changelog, origins).encode()


def test_whoever_has_read_enough_of_a_list_ends_it_without_an_error(kept):
    produce(kept.servers, kept.changelog, [stored(b"key%d" % n, n) for n in range(3_000)])
    words = [COMMAND[0], "state", "export", kept.application, "add-up", *options_of(kept)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as export:
        assert export.stdout.readline().startswith('{"key":')
        export.stdout.close()
        said = export.stderr.read()
        assert export.wait(20) == 1
    assert said == ""


def test_an_import_goes_on_where_the_application_was(scenario, tmp_path, capsys):
    service = scenario.start(session_timeout_ms=6_000)
    scenario.send([transaction("rex", 10), transaction("ann", 10)])
    scenario.settle()
    file = tmp_path / "states.jsonl"
    assert run(scenario, "state", "export", "MODULE", "add-up", "--output", str(file)) == 0
    assert run(scenario, "state", "import", "MODULE", "add-up", str(file)) == 2
    assert "has members: instance " in capsys.readouterr().err
    scenario.send([transaction("rex", 10)])
    scenario.settle()
    assert service.stop() == 0
    wait_until(lambda: run(scenario, "state", "import", "MODULE", "add-up", str(file)) == 0)
    # What is in the changelog now is older than the group's offset: the import is the operator's word.
    scenario.send([transaction("rex", 1), transaction("ann", 1)])
    scenario.expected.totals.update({b"rex": 11, b"ann": 11})
    again = scenario.start()
    scenario.settle()
    assert again.stop() == 0


def test_an_application_that_has_never_run_starts_with_what_was_imported(scenario, tmp_path):
    file = tmp_path / "states.jsonl"
    file.write_text(
        '{"key":"rex","partition":0,"partitions":1,"stored":"MUp7InRvdGFsIjo1fQ=="}\n\n', encoding="utf-8"
    )
    create_topic(scenario.servers, scenario.changelog, PARTITIONS, {"cleanup.policy": "compact"})
    create_topic(scenario.servers, scenario.repartition, PARTITIONS)
    assert run(scenario, "state", "import", "MODULE", "add-up", str(file)) == 0
    scenario.send([transaction("rex", 10), transaction("ann", 10)])
    scenario.expected.totals[b"rex"] = 15
    service = scenario.start()
    scenario.settle()
    assert service.stop() == 0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{}", "line 1 is no line of an export: KeyError('key')"),
        ("nothing", "line 1 is no line of an export"),
        ('{"key":"a","partition":0,"partitions":1,"stored":"MUp7"}', "line 1 cannot be read by this stage"),
        ('{"key":"a","partition":0,"partitions":1,"stored":"bm90"}', "what is stored is no state"),
    ],
)
def test_a_file_that_is_wrong_writes_nothing(kept, text, says, tmp_path, capsys):
    file = tmp_path / "states.jsonl"
    file.write_text(text, encoding="utf-8")
    assert run(kept, "state", "import", "MODULE", "add-up", str(file)) == 2
    assert says in capsys.readouterr().err
    assert len(read_topic(kept.servers, kept.changelog)) == len(KEYS) + 3


def test_a_file_that_is_not_there_is_named(kept, capsys):
    assert run(kept, "state", "import", "MODULE", "add-up", "/no/such/file") == 2
    assert "/no/such/file cannot be read" in capsys.readouterr().err


def test_a_broker_that_is_away_is_told_within_seconds_in_one_line(capsys):
    servers = f"127.0.0.1:{free_port()}"
    topics = ["--in-topic=a", "--out-topic=b"]
    code = main(["state", "list", "tests.kafka.apps", "add-up", "--bootstrap-servers", servers, *topics])
    said = capsys.readouterr().err
    assert code == 2
    assert said.count("\n") == 1
    assert f"Kafka cannot be reached at {servers}" in said

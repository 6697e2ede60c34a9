"""Keys as text, the stages that have state, and the lines of an export."""

import pytest
from hypothesis import example, given
from hypothesis.strategies import binary, integers, text

import wallaroo
from tests.samples import Total, extract_user
from wallaroo.admin.state_files import Line, exported_line, place, read_lines
from wallaroo.admin.state_import import portions
from wallaroo.admin.states import entries_of, kept_by, key_of, key_text
from wallaroo.errors import SettingsError
from wallaroo.serde.codecs import codecs_of
from wallaroo.state.store import END_KEY, POSITION_KEY
from wallaroo.task.keys import java_partition, partition_of
from wallaroo.task.stores import new_stores
from wallaroo.topology.compile import compile_topology

OURS = [POSITION_KEY, END_KEY]


@wallaroo.decoder()
def decode(data):
    return data


@wallaroo.encoder
def encode(message):
    return message


@wallaroo.computation(name="double")
def double(message):
    return message


@wallaroo.state_computation(name="Add up", state=Total)
def add_up(message, state):
    return message


def kept(partitioned=False, stage="Add up"):
    by = extract_user if partitioned else None
    source = wallaroo.KafkaSourceConfig("in", decoder=decode, partitioned_by=by)
    made = wallaroo.source("in", source).to(double).key_by(extract_user).to(add_up)
    application = wallaroo.build_application(
        "app", made.to_sink(wallaroo.KafkaSinkConfig("out", encoder=encode))
    )
    return kept_by(compile_topology(application, None, ["app"], None), stage)


def new_store():
    stage = kept()
    return new_stores(stage.sub, codecs_of(None).state)[stage.store.name]


def line(key=b"rex", partition=1, partitions=4):
    return Line(1, key, b'1J{"total":1}', partition, partitions)


@given(binary())
@example(b"")
@example(b"base64:rex")
@example(b"--limit")
@example("käfer/狗 ".encode())
def test_every_key_is_given_back_by_its_text(key):
    shown = key_text(key)
    assert key_of(shown) == key
    assert shown.isprintable()
    assert not shown.startswith("-")


@given(text(alphabet="abc def/ä狗", min_size=1))
def test_what_a_person_can_type_is_shown_as_it_is(key):
    assert key_text(key.encode()) == key


@pytest.mark.parametrize("name", ["Add up", "add-up"])
def test_a_stage_is_found_by_its_name_and_by_the_short_one(name):
    assert kept(stage=name).store.name == "add-up"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("double", "the stage 'double' keeps no state; stages with state are add-up"),
        ("nothing", "there is no stage 'nothing'; stages with state are add-up"),
        ("in-positions", "there is no stage 'in-positions'"),
        ("", "there is no stage ''"),
    ],
)
def test_a_stage_without_state_is_refused_with_those_that_have_it(name, says):
    with pytest.raises(SettingsError, match=says):
        kept(stage=name)


@given(binary(min_size=1).filter(lambda key: key not in OURS), integers(0, 2**40))
def test_a_line_of_an_export_comes_back_exactly(key, total):
    store, stored = new_store(), b'1J{"total":%d}' % total
    store.restore(key, stored)
    [entry] = entries_of({2: store})
    assert read_lines([exported_line(entry, 4)], new_store()) == [Line(1, key, stored, 2, 4)]


@pytest.mark.parametrize("key", OURS)
def test_what_is_no_key_of_a_state_is_not_imported(key):
    text = f'{{"key":"{key_text(key)}","partition":0,"partitions":1,"stored":"MUp7fQ=="}}'
    with pytest.raises(SettingsError, match="is none of a state"):
        read_lines([text], new_store())


def test_a_partition_that_there_is_not_is_refused():
    with pytest.raises(SettingsError, match="there is no partition 4 out of 4"):
        read_lines(['{"key":"a","partition":4,"partitions":4,"stored":"MUp7InRvdGFsIjoxfQ=="}'], new_store())


@given(binary(), integers(1, 9))
def test_behind_a_hop_the_key_decides_where_a_state_goes(key, count):
    assert place(line(key), kept(), count) == partition_of(key, count)


def test_at_a_source_a_state_stays_where_its_records_have_come():
    assert place(line(partition=3), kept(partitioned=True), 4) == 3


def test_at_a_source_with_other_partitions_it_goes_where_producers_put_its_key():
    assert place(line(b"rex"), kept(partitioned=True), 7) == java_partition(b"rex", 7)


# From the tests of Kafka's own clients.
HASHES = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize(("key", "hashed"), HASHES.items())
def test_the_partition_of_a_key_is_that_of_javas_producers(key, hashed):
    assert java_partition(key, 1_000_003) == (hashed & 0x7FFFFFFF) % 1_000_003


def test_of_a_key_that_is_there_twice_the_last_line_counts_and_portions_keep_the_order():
    lines = [(1, line(b"a")), (0, line(b"b")), (1, Line(3, b"a", b"new", 0, 1))]
    assert list(portions(lines, 2)) == [
        {1: {b"a": line().stored}, 0: {b"b": line().stored}},
        {1: {b"a": b"new"}},
    ]

"""A context on the driver: what it says at every place that can take one, in front of a hop and behind it."""

import json
import pickle

import pytest

import wallaroo
from wallaroo.testing import ApplicationDriver, context

HEADERS = [("trace", b"7"), ("empty", None), ("trace", b"8")]


class Count:
    def __init__(self):
        self.count = 0


@wallaroo.decoder()
def decode(bs):
    return bs.decode()


@wallaroo.encoder
def encode(text):
    return text


@wallaroo.key_extractor
def first_letter(text):
    return text[0]


def said(given):
    """All that a context says, as text."""
    place = f"{given.topic}[{given.partition}]@{given.offset}"
    return f"{given.key} {given.event_time} {given.headers} {place} {given.watermark} {given.final}"


def source(**rest):
    return wallaroo.source("in", wallaroo.KafkaSourceConfig("in", **{"decoder": decode, **rest}))


def outputs(pipeline, *values, encoder=encode, **rest):
    """What comes out of a source of one partition, each record a millisecond after the other."""
    driver = driven(pipeline, *values, encoder=encoder, **rest)
    assert driver.dead_letters() == []
    return driver.read("out")


def driven(pipeline, *values, encoder=encode, **rest):
    finished = pipeline.to_sink(wallaroo.KafkaSinkConfig("out", encoder=encoder))
    driver = ApplicationDriver(wallaroo.build_application("app", finished), 1, **rest)
    for number, value in enumerate(values):
        driver.send("in", value, f"k{number}", timestamp_ms=1_000 + number, headers=HEADERS)
    driver.run()
    return driver


def at(number, key, event_time=None):
    time = 1_000_000_000 + number * 1_000_000 if event_time is None else event_time
    return f"{key} {time} {tuple(HEADERS)} in[0]@{number} None True"


@wallaroo.computation("say")
def say(text, context):
    return said(context)


@wallaroo.computation_multi("say twice")
def say_twice(text, context):
    return [said(context)] * 2


@wallaroo.state_computation("count", state=Count)
def count(text, state, context):
    state.count += 1
    return f"{state.count}: {said(context)}"


@wallaroo.state_computation_multi("count twice", state=Count)
def count_twice(text, state, context):
    state.count += 1
    return [f"{state.count}: {said(context)}"] * 2


def test_a_computation_gets_a_context():
    assert outputs(source().to(say), "a", "b") == [at(0, "k0").encode(), at(1, "k1").encode()]


def test_a_computation_of_several_gets_a_context():
    assert outputs(source().to(say_twice), "a") == [at(0, "k0").encode()] * 2


def test_stages_with_state_get_a_context_behind_a_hop():
    keyed = source().key_by(first_letter)
    assert outputs(keyed.to(count), "ab", "ac") == [
        f"1: {at(0, 'a')}".encode(),
        f"2: {at(1, 'a')}".encode(),
    ]
    assert outputs(keyed.to(count_twice), "ab") == [f"1: {at(0, 'a')}".encode()] * 2


def test_behind_two_hops_it_says_the_same():
    twice = source().key_by(first_letter).to(count).key_by(first_letter).to(say)
    assert outputs(twice, "ab") == [at(0, "1").encode()]


def test_an_event_time_in_nanoseconds_is_the_same_behind_hops():
    timed = source(event_time=lambda text: 5_000_000_007)
    twice = timed.to(say).key_by(first_letter).to(count).key_by(first_letter)
    once = timed.key_by(first_letter)
    assert outputs(once.to(say), "ab") == [at(0, "a", 5_000_000_007).encode()]
    again = wallaroo.computation("again")(lambda text, context: f"{context.event_time} {text}")
    (text,) = outputs(twice.to(again), "ab")
    assert text == f"5000000007 1: {at(0, 'k', 5_000_000_007)}".encode()


def test_a_decoder_gets_a_context():
    @wallaroo.decoder()
    def decode_with_place(bs, context):
        return said(context)

    assert outputs(source(decoder=decode_with_place), "a", "b") == [
        at(0, "k0").encode(),
        at(1, "k1").encode(),
    ]


def test_an_encoder_gets_a_context():
    @wallaroo.encoder
    def encode_with_place(text, context):
        return said(context), context.key

    assert outputs(source(), "a", encoder=encode_with_place) == [at(0, "k0").encode()]


def test_a_key_extractor_gets_a_context():
    @wallaroo.key_extractor
    def by_old_key(text, context):
        return context.key.upper()

    assert outputs(source().key_by(by_old_key).to(count), "a") == [f"1: {at(0, 'K0')}".encode()]


def test_an_extractor_that_the_source_is_partitioned_by_gets_a_context():
    @wallaroo.key_extractor
    def by_header(text, context):
        return context.key

    promised = source(partitioned_by=by_header).key_by(by_header).to(count)
    assert outputs(promised, "a") == [f"1: {at(0, 'k0')}".encode()]


def test_a_failing_record_is_replayed_with_a_context():
    @wallaroo.decoder()
    def decode_or_fail(bs, context):
        if bs == b"bad":
            raise ValueError(context.offset)
        return said(context)

    @wallaroo.computation("fail")
    def fail(text, context):
        if context.offset == 2:
            raise ValueError(context.key)
        return text

    driver = driven(source(decoder=decode_or_fail).to(fail), "a", "bad", "c", "d")
    assert driver.read("out") == [at(0, "k0").encode(), at(3, "k3").encode()]
    assert [letter.message for letter in driver.dead_letters()] == ["1", "k2"]


class Sum(wallaroo.Aggregation):
    def initial_accumulator(self):
        return [0]

    def update(self, text, acc):
        acc[0] += 1

    def combine(self, one, other):
        return [one[0] + other[0]]

    def output(self, key, acc):
        return f"{key} has {acc[0]}"


@wallaroo.computation("say of window")
def say_of_window(text, context):
    return f"{text}: {said(context)}"


def test_the_result_of_a_window_over_time_has_no_record():
    windows = wallaroo.range_windows(wallaroo.seconds(1)).over(Sum)
    results = source(carry_headers=("trace",)).key_by(first_letter).to(windows).to(say_of_window)
    driver = driven(results, "ab", "ac")
    driver.advance(3_600_000)
    driver.run()
    (record,) = driver.records("out")
    text, _, watermark_and_final = record.value.decode().rpartition("None]@None ")
    assert text == "a has 2: a 1999999999 () None["
    assert watermark_and_final.endswith(" True")
    assert record.headers == ()


def test_the_result_of_a_count_window_has_the_record_that_completed_it():
    windows = wallaroo.count_windows(2).over(Sum)
    results = source().key_by(first_letter).to(windows).to(say_of_window)
    assert outputs(results, "ab", "ac") == [f"a has 2: {at(1, 'a')}".encode()]


def test_the_watermark_is_that_before_the_record():
    windows = wallaroo.range_windows(wallaroo.seconds(1)).over(Sum)
    seen = []

    @wallaroo.computation("note")
    def note(text, context):
        seen.append(context.watermark)
        return text

    driven(source().to(note).key_by(first_letter).to(windows), "a", "a", "a")
    assert seen == [None, 1_000_000_000, 1_001_000_000]


kept = []


@wallaroo.computation("keep")
def keep(text, context):
    kept.append(context)
    return text


def test_a_context_that_is_kept_raises_when_it_is_used():
    kept.clear()
    outputs(source().to(keep), "a")
    (ended,) = kept
    for name in ("key", "event_time", "headers", "topic", "partition", "offset", "watermark", "final"):
        with pytest.raises(wallaroo.WallarooError, match="this context has ended"):
            getattr(ended, name)
    with pytest.raises(wallaroo.WallarooError, match="this context has ended"):
        ended.delete()
    assert repr(ended) == "<Context that has ended>"


def test_a_context_ends_with_a_function_that_fails_too():
    kept.clear()

    @wallaroo.computation("keep and fail")
    def keep_and_fail(text, context):
        kept.append(context)
        raise ValueError(text)

    driven(source().to(keep_and_fail), "a")
    assert {repr(each) for each in kept} == {"<Context that has ended>"}


def test_a_context_in_a_state_makes_a_dead_letter():
    @wallaroo.state_computation("hoard", state=Count)
    def hoard(text, state, context):
        state.count = [context]
        return text

    driver = driven(source().to(hoard), "a")
    (letter,) = driver.dead_letters()
    assert "a context cannot be stored" in letter.message


def test_a_context_is_read_only():
    given = context(key="a")
    for name in ("key", "headers", "anything"):
        with pytest.raises(AttributeError):
            setattr(given, name, 1)
    with pytest.raises(wallaroo.WallarooError, match="cannot be stored"):
        pickle.dumps(given)
    assert repr(given) == "<Context of key 'a'>"


def test_without_a_state_there_is_nothing_to_delete():
    @wallaroo.computation("delete")
    def delete(text, context):
        context.delete()
        return text

    (letter,) = driven(source().to(delete), "a").dead_letters()
    assert letter.message.startswith("the stage 'delete' keeps no state that context.delete() could delete")


@wallaroo.state_computation("until", state=Count)
def until(text, state, context):
    state.count += 1
    if text.endswith("."):
        context.delete()
        state.count += 100
    return f"{text} {state.count}"


def test_a_deleted_state_begins_anew_and_leaves_a_tombstone():
    driver = driven(source().key_by(first_letter).to(until), "a", "a.", "a", "b", "b.")
    assert driver.read("out") == [b"a 1", b"a. 102", b"a 1", b"b 1", b"b. 102"]
    assert driver.state("until", "a").count == 1
    assert driver.state("until", "b") is None
    driver.send("in", "a.")
    driver.run()
    assert driver.records("app-until-changelog")[-1].value is None
    driver.crash()
    driver.send("in", "a")
    driver.run()
    assert driver.read("out")[-1] == b"a 1"


def test_carried_headers_come_out_behind_two_hops():
    hops = (
        source(carry_headers=["trace", "missing"])
        .key_by(first_letter)
        .to(plain)
        .key_by(first_letter)
        .to(more)
    )
    driver = driven(hops, "ab")
    (record,) = driver.records("out")
    assert record.headers == (("trace", b"7"), ("trace", b"8"))
    carried = [each["headers"] for sub in topology(driver) for each in sub["writes"]]
    assert carried == [["trace", "missing"]] * 3


@wallaroo.state_computation("plain", state=Count)
def plain(text, state):
    return text


@wallaroo.state_computation("more", state=Count)
def more(text, state):
    return text


def test_without_a_hop_they_come_out_too():
    (record,) = driven(source(carry_headers=["empty"]), "ab").records("out")
    assert record.headers == (("empty", None),)


def test_nothing_is_carried_that_nobody_asks_for():
    driver = driven(source().to(say).key_by(first_letter).to(plain), "ab")
    assert [each for sub in topology(driver) for each in sub["writes"] if "headers" in each] == []
    assert driver.records("out")[0].headers == ()


def test_where_a_later_stage_takes_a_context_all_headers_are_carried():
    driver = driven(source().key_by(first_letter).to(until).key_by(first_letter).to(count), "ab")
    carried = [each.get("headers") for sub in topology(driver) for each in sub["writes"]]
    assert carried == ["all", "all", None]
    assert "carries headers: all" in driver.describe()


def test_each_source_carries_its_own_headers_to_a_shared_sink():
    other = wallaroo.source(
        "other", wallaroo.KafkaSourceConfig("other", decoder=decode, carry_headers=["empty"])
    )
    merged = source(carry_headers=["trace"]).merge(other).key_by(first_letter).to(count)
    driver = driven(merged)
    driver.send("in", "a", headers=HEADERS)
    driver.send("other", "b", headers=HEADERS)
    driver.run()
    assert {record.value[:4]: record.headers for record in driver.records("out")} == {
        b"1: a": (("trace", b"7"), ("trace", b"8")),
        b"1: b": (("empty", None),),
    }


def topology(driver):
    return json.loads(driver.describe("json"))["sub_topologies"]


@pytest.mark.parametrize("names", ["trace", 7, [7], [""], None])
def test_names_of_headers_are_texts(names):
    with pytest.raises(wallaroo.WallarooParameterError, match="carry_headers must be names of headers"):
        source(carry_headers=names)

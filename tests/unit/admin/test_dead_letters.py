"""Dead letters as values: what they say, which are wanted, what a replay of them sends."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallaroo.admin.dead_letters import (
    REPLAY_COUNT,
    REPLAY_OF,
    Handled,
    Letter,
    Record,
    Register,
    Sending,
    Wanted,
    kept_record,
    letter_of,
    marked,
    plan_replay,
)
from wallaroo.errors import StoredValueError
from wallaroo.record import Partition
from wallaroo.serde.formats import TEXT
from wallaroo.task.dead_letters import FailureHandler, OnError
from wallaroo.task.origin import Source
from wallaroo.topology.model import Input, SubTopology, Topology

DEAD = "app-dlq"
PLACE = Source("in", 1, 5)
INPUT = Input("payments", "in", bytes)
TOPOLOGY = Topology("app", "app", DEAD, (SubTopology("a", "app-a", (INPUT,), (), ()),), ())


@dataclass(frozen=True)
class Message:
    """A record as a client returns it."""

    content: bytes | None = b"value"
    name: bytes | None = b"key"
    given: Sequence[tuple[str, bytes]] = ()
    time_ms: int = 1_000
    at: Source = PLACE

    def value(self):
        return self.content

    def key(self):
        return self.name

    def headers(self):
        return list(self.given)

    def timestamp(self):
        return 1, self.time_ms

    def topic(self):
        return self.at.topic

    def partition(self):
        return self.at.partition

    def offset(self):
        return self.at.offset


def dead(record, *, internal=False, source=None, needs_key=False):
    """The dead letter that a task makes of a record, as it is read again at app-dlq[0]@7."""
    outputs = []
    handler = FailureHandler(
        OnError.DEAD_LETTER,
        DEAD,
        Partition(record.topic(), record.partition()),
        outputs.append,
        internal=internal,
        source=lambda _record: source or record.at,
    )
    if needs_key:
        handler._needs_key = True
    handler.reject(record, "stage", ValueError("no"))
    topic, value, key, *_, headers = outputs[0]
    return Message(value, key, headers, 9_000, Source(topic, 0, 7))


def letter(offset=0, source=("in", 0, 0), place=0, **more):
    source = None if source is None else Source(source[0], source[1], offset)
    made = Letter(Source(DEAD, place, offset), 1_000, "stage", "E", "no", b"k", source, source)
    return replace(made, **more)


def empty():
    return Register(DEAD, {DEAD: "id", "in": "in-id"})


headers = st.lists(st.tuples(st.text(max_size=20), st.binary(max_size=20)), max_size=4)


@given(st.none() | st.binary(), st.none() | st.binary(), headers, st.booleans())
def test_a_record_that_failed_at_its_source_is_whole_in_its_dead_letter(value, key, given_headers, needs_key):
    record = Message(value, key, given_headers)
    message = dead(record, needs_key=needs_key)
    assert kept_record(message, letter_of(message), has_internal_format=False) == Record(
        value, key, given_headers, 1_000
    )


def test_a_record_of_another_applications_dead_letters_keeps_what_they_say():
    first = dead(Message(b"1"))
    second = dead(replace(first, at=Source("in", 1, 9)))
    found = letter_of(second)
    assert found.source == Source("in", 1, 9)
    assert kept_record(second, found, has_internal_format=False).headers == list(first.given)


def test_a_generated_record_gets_the_tag_back_that_its_dead_letter_is_without():
    record = Message(TEXT + b"text", None)
    message = dead(record, internal=True)
    assert message.value() == b"text"
    assert kept_record(message, letter_of(message), has_internal_format=True).value == TEXT + b"text"


def test_what_an_earlier_stage_made_is_not_the_record_of_the_source():
    message = dead(Message(TEXT + b"x", at=Source("hop", 0, 3)), internal=True, source=Source("in", 1, 5))
    assert kept_record(message, letter_of(message), has_internal_format=False) is None


def test_a_dead_letter_that_was_cut_is_not_all_of_its_record():
    outputs = []
    handler = FailureHandler(
        OnError.DEAD_LETTER, DEAD, Partition("in", 1), outputs.append, source=lambda _: Source("in", 1, 5)
    )
    handler._max_bytes = 2_000
    handler.reject(Message(b"x" * 5_000), "stage", ValueError("no"))
    topic, value, key, *_, given_headers = outputs[0]
    message = Message(value, key, given_headers, at=Source(topic, 0, 0))
    assert letter_of(message).truncated
    assert kept_record(message, letter_of(message), has_internal_format=False) is None


def test_a_record_that_is_no_dead_letter_is_listed_and_not_replayed():
    found = letter_of(Message(at=Source(DEAD, 0, 0)))
    assert (found.stage, found.source) == ("", None)
    [(_, why)] = plan_replay([found], empty(), TOPOLOGY).refused
    assert why == "it is no dead letter of this application"


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (None, "no single record"),
        (Source("elsewhere", 0, 0), "no source of this application"),
        (Source("in", 0, -1), "never had a place"),
    ],
)
def test_what_has_no_record_in_a_source_is_not_replayed(source, why):
    planned = plan_replay(
        [letter(3, source=None, **{}) if source is None else replace(letter(3), source=source)],
        empty(),
        TOPOLOGY,
    )
    assert planned.sendings == ()
    assert why in planned.refused[0][1]


@given(st.permutations(range(8)))
def test_a_replay_is_in_the_order_of_the_source_and_sends_a_record_once(order):
    letters = [letter(n, place=n % 3) for n in order] + [letter(n, place=4) for n in order]
    planned = plan_replay(letters, empty(), TOPOLOGY)
    assert [each.source.offset for each in planned.sendings] == list(range(8))
    assert all(len(each.letters) == 2 for each in planned.sendings)


def test_what_was_replayed_for_one_dead_letter_is_replayed_for_all_of_the_record():
    register = empty()
    first, second = letter(3, place=0), letter(3, place=1)
    sent = Source("in", 0, 40)
    register.add(register.key(first.place), Handled("replayed", 1, first.source, "in-id", sent, 1).encode())
    assert plan_replay([first, second], register, TOPOLOGY).sendings == ()
    assert register.replays(replace(letter(40), source=sent)) == 1


def test_notes_of_topics_that_were_made_anew_do_not_count():
    register = Register(DEAD, {DEAD: "id", "in": "another"})
    noted = Handled("replayed", 1, Source("in", 0, 3), "in-id", Source("in", 0, 40), 1)
    register.add(b"old/0/3", noted.encode())
    assert register.of(letter(3)) is None
    register.add(register.key(letter(4).place), noted.encode())
    assert register.of(letter(3, place=1)) is None
    assert register.of(letter(4)) == noted


@pytest.mark.parametrize("topic_id", ["id", "a/b+c", "/", "-", "1/2"])
def test_a_note_is_found_by_its_dead_letter_whatever_the_id_of_the_topic(topic_id):
    register = Register(DEAD, {DEAD: topic_id})
    noted = Handled("dropped", 1)
    register.add(register.key(letter(12, place=3).place), noted.encode())
    assert register.of(letter(12, place=3)) == noted
    assert register.of(letter(2, place=3)) is None


@pytest.mark.parametrize("key", [b"", b"id/0", b"id/0/x", b"\xff/0/1", b"/0/1"])
def test_a_note_of_no_dead_letter_is_refused(key):
    with pytest.raises(StoredValueError):
        empty().add(key, Handled("dropped", 1).encode())


@given(
    st.sampled_from(["replayed", "dropped"]),
    st.integers(0, 2**53),
    st.none() | st.builds(Source, st.text(), st.integers(0), st.integers(0)),
    st.integers(0, 1_000),
)
def test_a_note_is_read_as_it_was_written(outcome, time_ms, place, count):
    noted = Handled(outcome, time_ms, place, None if place is None else "id", place, count)
    assert Handled.decode(noted.encode()) == noted


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b'{"source":3}', b"\xff"])
def test_a_note_that_is_none_is_refused(data):
    with pytest.raises(StoredValueError):
        Handled.decode(data)


def test_a_replayed_record_says_so_and_only_once():
    record = Record(b"v", None, [("trace", b"1"), (REPLAY_OF, b"x"), (REPLAY_COUNT, b"1")], 5)
    sent = marked(record, Sending(Source("in", 0, 0), (letter(3),), 2))
    assert sent.headers == [("trace", b"1"), (REPLAY_OF, b"app-dlq[0]@3"), (REPLAY_COUNT, b"2")]


@pytest.mark.parametrize(
    ("wanted", "takes"),
    [
        (Wanted(), True),
        (Wanted(stage="stage"), True),
        (Wanted(stage="sta"), False),
        (Wanted(error="e: NO"), True),
        (Wanted(error="other"), False),
        (Wanted(since_ms=1_000, until_ms=1_001), True),
        (Wanted(since_ms=1_001), False),
        (Wanted(until_ms=1_000), False),
        (Wanted(key=b"k"), True),
        (Wanted(key=b"j"), False),
        (Wanted(places=frozenset([(0, 0)])), True),
        (Wanted(places=frozenset([(1, 0)])), False),
    ],
)
def test_a_dead_letter_is_wanted_if_all_fits(wanted, takes):
    assert wanted.takes(letter()) is takes

"""Contexts and deleted states, through crashes, aborts and records that fail: as if nothing had happened."""

from hypothesis import given
from hypothesis import strategies as st

import wallaroo
from tests.properties.samples import (
    HALFWAY,
    REFUSED,
    STATES,
    UNWRITABLE,
    decode,
    encode,
    extract_initial,
    extract_key,
    split,
)
from tests.properties.streams import (
    KEYS,
    by_key,
    failing,
    follow,
    paces,
    partitions,
    rejected,
    scripts,
    stored_totals,
    streams,
)
from wallaroo.testing import ApplicationDriver

# Not a state that cannot be stored: one that is deleted before the commit never has to be.
FAILURES = (REFUSED, HALFWAY, UNWRITABLE)


def ends(amount):
    """Whether a record deletes the state of its key."""
    return amount % 2 == 1


def deleting(state_class):
    """A running total per key, which odd amounts delete; it fails where the record says so, then, too."""

    @wallaroo.state_computation("total", state_class)
    def total(message, state, context):
        key, amount, deed = split(message)
        state.add(amount)
        if ends(amount):
            context.delete()
        if deed in (REFUSED, HALFWAY):
            raise ValueError(message)
        sent = dict(context.headers)["number"].decode()
        made = f"{key}:{amount if deed in FAILURES else state.total}:{deed}"
        assert context.key == key
        return f"{made};{sent};{context.topic}[{context.partition}]@{context.offset};{context.event_time}"

    return total


@wallaroo.encoder
def encode_with_number(said):
    message, number, place, event_time = said.split(";")
    value, key = encode.encode(message)
    return wallaroo.Output(
        value, key, {"number of the context": number, "place": place}, timestamp=int(event_time)
    )


def application(state_class):
    config = wallaroo.KafkaSourceConfig(
        "in", decoder=decode, carry_headers=("number",), event_time=lambda _message: 5_000_000_007
    )
    totals = wallaroo.source("in", config).key_by(extract_key).to(deleting(state_class))
    end = wallaroo.KafkaSinkConfig("out", encoder=encode_with_number)
    return wallaroo.build_application("app", totals.key_by(extract_initial).to(look).to_sink(end))


@wallaroo.state_computation("look", STATES[0])
def look(said, state):
    state.add(1)
    return said


def feed_numbered(driver, numbered):
    for number, record in numbered:
        driver.send("in", record.value, record.key, headers=[("number", b"%d" % number), ("else", None)])


@given(st.sampled_from(STATES), streams(FAILURES), scripts(), paces(), partitions())
def test_totals_that_some_records_delete(state_class, sent, script, pace, counts):
    driver = ApplicationDriver(application(state_class), counts, pace=pace)
    follow(driver, enumerate(sent), script, feed_numbered)
    wanted, left = model(sent)
    assert found(driver) == wanted
    assert stored_totals(driver, "total", KEYS) == left
    # Behind the second hop, a dead letter holds what the first stage made of the record.
    assert [letter.split(b";")[0] for letter in rejected(driver)] == failing(sent, FAILURES)


def found(driver):
    """By key: the totals in order, each with the number of the record that led to it."""
    made = {}
    for record in driver.records("out"):
        (number, own), (_, same), (_, place) = record.headers
        assert (number, own) == ("number", same)
        assert place.startswith(b"in[")
        assert record.timestamp_ms == 5_000
        made.setdefault(record.key.decode(), []).append((int(record.value), int(own)))
    return made


def model(sent):
    said, left, numbers = {}, {}, {id(record): number for number, record in enumerate(sent)}
    for key, records in by_key(sent).items():
        total = None
        for record in records:
            if record.deed == UNWRITABLE:
                # It fails behind a hop, where its state is done.
                total = None if ends(record.amount) else (total or 0) + record.amount
            elif record.deed not in FAILURES:
                total = (total or 0) + record.amount
                said.setdefault(key, []).append((total, numbers[id(record)]))
                total = None if ends(record.amount) else total
        if total is not None:
            left[key] = total
    return said, left

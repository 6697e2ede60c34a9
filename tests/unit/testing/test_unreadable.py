"""A state or a record of our own that cannot be read: the service stops, or it is put aside."""

import re

import pytest

from tests.properties import samples
from tests.unit.testing.drivers import driver, total
from wallaroo.errors import StoredValueError, UnreadableStateError

CHANGELOG = "app-total-changelog"


def damaged(*records, **options):
    """A driver whose state of the key rex cannot be read."""
    made = driver("rex:1", "fido:2", application=samples.partitioned(), **options)
    made.run()
    rex = next(record for record in made.records(CHANGELOG) if record.key == b"rex")
    made._logs.append((CHANGELOG, b"2Jnew", b"rex", rex.partition))
    made.crash()
    for record in records:
        made.send("in", f"{record}:fine", record.partition(":")[0])
    return made, rex.partition


def test_a_state_that_cannot_be_read_stops_with_its_stage_its_place_and_the_way_out():
    made, partition = damaged("rex:5")
    with pytest.raises(UnreadableStateError) as refusal:
        made.run()
    told = str(refusal.value)
    assert told.startswith(
        f"the state of 'total' for key b'rex', in {CHANGELOG}[{partition}], cannot be read:"
    )
    assert "on_unreadable_state=dead_letter" in told
    assert "give the stage a new name" in told


def test_the_offset_of_a_state_is_in_the_text_once_it_has_been_looked_up():
    error = UnreadableStateError("total", CHANGELOG, 3, b"rex", "why")
    error.offset = 17
    assert f"in {CHANGELOG}[3]@17, cannot be read: why;" in str(error)


def test_a_state_that_cannot_be_read_may_become_a_dead_letter_and_its_key_begins_anew():
    made, partition = damaged("rex:5", "fido:1", on_unreadable_state="dead_letter")
    made.run()
    assert (total(made, "rex"), total(made, "fido")) == (5, 3)
    (letter,) = made.dead_letters()
    assert (letter.key, letter.value, letter.stage) == (b"rex", b"2Jnew", "total")
    assert (letter.topic, letter.partition) == (CHANGELOG, partition)


def test_a_state_is_put_aside_once_though_the_service_crashes():
    made, _ = damaged("rex:5", on_unreadable_state="dead_letter")
    made.step()
    made.crash()
    made.run()
    made.crash()
    made.send("in", "rex:6:fine", "rex")
    made.run()
    assert total(made, "rex") == 11
    assert len(made.dead_letters()) == 1


def test_a_record_that_fails_leaves_the_state_that_cannot_be_read_where_it_is():
    made, _ = damaged("rex:many", on_unreadable_state="dead_letter")
    made.run()
    assert {letter.key for letter in made.dead_letters()} == {b"rex"}
    assert CHANGELOG not in {letter.topic for letter in made.dead_letters()}


def stranger(value, **options):
    made = driver("rex:1", **options)
    made.run()
    (topic,) = made.topology.repartitions
    made._logs.append((topic, value, None if value[:2] == b"1R" else b"rex", 0))
    made.send("in", "rex:2:fine", "rex")
    return made, topic


@pytest.mark.parametrize("value", [b"1Pnonsense", b"1R\x91", b"1Jtests.gone:Gone\n{}"])
def test_a_record_of_an_internal_topic_that_cannot_be_read_may_become_a_dead_letter(value):
    made, topic = stranger(value, on_unreadable_state="dead_letter")
    made.run()
    (letter,) = made.dead_letters()
    assert (letter.topic, letter.value) == (topic, value)
    assert total(made, "rex") == 3


@pytest.mark.parametrize(("value", "key"), [(b"1Pnonsense", b"rex"), (b"1R\x91", None)])
def test_a_record_of_an_internal_topic_that_cannot_be_read_names_its_place_its_key_and_the_way_on(value, key):
    made, topic = stranger(value)
    with pytest.raises(StoredValueError, match="on_unreadable_state=dead_letter") as refusal:
        made.run()
    place = re.escape(topic) + r"\[\d\]@\d+"
    assert re.search(rf"the record {place} of an internal topic cannot be read", str(refusal.value))
    assert f"(key {key!r})" in str(refusal.value)

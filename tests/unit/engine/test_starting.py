"""Where an assigned partition starts, and what the settings have to say in it."""

import logging

import pytest

from tests.simulation.broker import Broker, Log, Transaction
from tests.simulation.clients import Consumer
from wallaroo.engine.starting import Fed, StartDecider
from wallaroo.errors import KafkaSetupError
from wallaroo.kafka.group_member import Assigned
from wallaroo.settings import Settings
from wallaroo.task.position import ChangelogOrigin, Position, RestoredChangelog
from wallaroo.task.remedies import Group

POSITION = Position("in", None, 50, 60, "log", {"log": ChangelogOrigin(None)})
STATE = {"log": RestoredChangelog(records=3, position=POSITION)}


def assigned(committed, low=0, high=100, **more):
    return Assigned("in", 1, 0, committed, None, low, high, reset=low, **more)


def decider(hop=None, **settings):
    """Of tasks that feed the topic `hop`, if it is given as a log."""
    fed = None if hop is None else fed_by(hop)
    return StartDecider(Group("group", "in", "kafka:9092"), Settings(**settings), {}, fed)


def fed_by(hop):
    broker = Broker({"hop": 1}, {})
    broker.logs["hop", 0] = hop
    return Fed(["hop"], {("hop", 0): hop.end}, lambda: Consumer(broker))


def log_of(*values, aborted=False, open_behind=False):
    """A log with these values, of a transaction that has ended; another one may be open behind it."""
    log, written = Log("hop", 0), Transaction("worker", 1)
    for value in values:
        log.append(None, value, transaction=written)
    if values:
        written.is_committed = not aborted
        log.mark(written)
    if open_behind:
        log.append(None, b"open", transaction=Transaction("another worker", 2))
    return log


def test_the_group_goes_on_where_it_is():
    assert decider().decide(assigned(60), STATE).offset == 60


def test_a_group_that_has_forgotten_goes_on_with_a_warning(caplog):
    assert decider().decide(assigned(None), STATE).offset == 60
    assert [record.message for record in caplog.records] == ["group without an offset"]


def test_a_mismatch_is_refused():
    with pytest.raises(KafkaSetupError, match=r"in\[1\]: the group group is at offset 20"):
        decider().decide(assigned(20), STATE)


@pytest.mark.parametrize(("choice", "offset"), [("group", 20), ("state", 60)])
def test_a_mismatch_that_the_operator_accepts_is_an_error_in_the_log(caplog, choice, offset):
    start = decider(on_position_mismatch=choice).decide(assigned(20), STATE)
    assert (start.offset, start.commit) == (offset, True)
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_an_offset_that_the_topic_no_longer_holds_is_refused_unless_the_settings_allow_it():
    gone = assigned(60, low=70)
    with pytest.raises(KafkaSetupError, match="set on_offset_out_of_range"):
        decider().decide(gone, STATE)
    assert decider(on_offset_out_of_range="earliest").decide(gone, STATE).offset == 70


def test_a_group_without_offsets_that_has_fed_stages_is_refused():
    with pytest.raises(KafkaSetupError, match="hop holds what was read before"):
        decider(log_of(b"1", b"2")).decide(assigned(None, is_first=True), {})
    assert decider(log_of(b"1", b"2")).decide(assigned(None), {}).offset == 0
    assert decider(log_of()).decide(assigned(None, is_first=True), {}).offset == 0


def test_a_group_whose_first_commit_was_aborted_begins_as_if_it_had_never_been():
    assert decider(log_of(b"1", b"2", aborted=True)).decide(assigned(None, is_first=True), {}).offset == 0


def test_a_group_without_offsets_whose_fed_records_were_deleted_is_refused():
    log = log_of()
    log.begin = log.end = 7
    with pytest.raises(KafkaSetupError, match="hop holds what was read before"):
        decider(log).decide(assigned(None, is_first=True), {})


def test_a_group_without_offsets_is_refused_while_nobody_knows_how_a_transaction_ends():
    with pytest.raises(KafkaSetupError, match="hop holds what was read before"):
        decider(log_of(open_behind=True)).decide(assigned(None, is_first=True), {})

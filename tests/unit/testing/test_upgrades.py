"""A new version of an application starts where an old one was stopped: what happens at each kind of change.

These are the rows of the table in docs/tutorial/upgrading.md that need no broker.
"""

import pytest

import wallaroo
from tests.properties import samples
from tests.properties.samples import extract_key, look, source, totals
from tests.properties.window_samples import Counting, Gap, Gather, GatherTuples, Shape, behind_a_hop
from tests.unit.testing.drivers import driver, total
from tests.unit.testing.upgraded import upgraded
from wallaroo.errors import UnreadableStateError

TENS = Shape(10, 10)


class Renamed(samples.Plain):
    """The same state under another name."""


def run(application):
    made = driver("rex:1", "fido:2", application=application)
    made.run()
    return made


def go_on(old, application, **options):
    new = upgraded(old, application, **options)
    new.send("in", "rex:5:fine", "rex")
    new.run()
    return new


def test_a_stage_may_come_before_and_after_one_that_has_state():
    pipeline = source().to(samples.double).key_by(extract_key).to(totals("total", samples.Plain)).to(look)
    new = go_on(run(samples.hopping()), samples.finished(pipeline.to(totals("further", samples.Plain))))
    assert total(new, "rex") == 11


def test_a_stage_without_state_may_go():
    new = go_on(
        run(samples.hopping()),
        samples.finished(source().key_by(extract_key).to(totals("total", samples.Plain))),
    )
    assert total(new, "rex") == 6


def test_a_renamed_stage_begins_anew_and_leaves_its_changelog():
    renamed = samples.finished(source().to(look).key_by(extract_key).to(totals("sum", samples.Plain)))
    new = go_on(run(samples.hopping()), renamed)
    assert new.state("sum", "rex").total == 5
    assert "app-total-changelog" not in new._logs.partitions


def test_the_class_of_a_state_may_get_another_name():
    new = go_on(run(samples.hopping(samples.Plain)), samples.hopping(Renamed))
    assert total(new, "rex") == 6


def windows(declared, sent=((("a", 1, 1)), ("a", 2, 12))):
    made = wallaroo.testing.ApplicationDriver(behind_a_hop(declared, declared_time=True), partitions=1)
    for key, value, time in sent:
        made.send("in", f"{key}:{value}:{time}", key)
    made.run()
    return made


def changed(old, declared, **options):
    new = upgraded(old, behind_a_hop(declared, declared_time=True), partitions=1, **options)
    new.send("in", "a:3:13", "a")
    new.run()
    new.send("in", "b:9:95", "b")
    new.run()
    return new


@pytest.mark.parametrize(
    "new",
    [Shape(20, 20), Shape(10, 5), Shape(10, 10, offset=3), Counting(3), Gap(10)],
    ids=["range", "slide", "offset", "kind", "sessions"],
)
def test_other_windows_of_a_stage_of_that_name_are_refused_with_the_stage_and_the_way_out(new):
    old = windows(TENS.declared())
    with pytest.raises(
        UnreadableStateError, match=r"the state of 'Gather' for key b'a', in app-gather-changelog"
    ):
        changed(old, new.declared())


@pytest.mark.parametrize("new", [Gap(11), TENS, Counting(3)], ids=["gap", "range windows", "count windows"])
def test_sessions_of_another_gap_or_other_windows_are_refused(new):
    with pytest.raises(UnreadableStateError, match="the state of 'Gather' for key b'a'"):
        changed(windows(Gap(10).declared()), new.declared())


@pytest.mark.parametrize(
    "new",
    [Gap(10, delay=7), Gap(10, policy="fire-per-message"), Gap(10, early=50)],
    ids=["delay", "policy", "early"],
)
def test_the_delay_the_late_policy_and_the_early_results_of_sessions_may_change(new):
    assert b"[1, 2, 3]" in changed(
        windows(Gap(10).declared(), [("a", 1, 5), ("a", 2, 12)]), new.declared()
    ).read("out")


EARLY_TENS = Shape(10, 10, early=20)


@pytest.mark.parametrize(
    ("old", "new"),
    [(TENS, EARLY_TENS), (EARLY_TENS, TENS), (EARLY_TENS, Shape(10, 10, early=0))],
    ids=["on", "off", "another time"],
)
def test_early_results_may_be_switched_on_and_off_and_have_another_time(old, new):
    assert b"[2, 3]" in changed(windows(old.declared()), new.declared()).read("out")


def test_count_windows_do_not_become_range_windows():
    with pytest.raises(UnreadableStateError, match="the state of 'Gather' for key b'a'"):
        changed(windows(Counting(3).declared()), TENS.declared())


def test_other_windows_begin_anew_where_that_is_the_policy():
    new = changed(windows(TENS.declared()), Shape(20, 20).declared(), on_unreadable_state="dead_letter")
    assert [letter.key for letter in new.dead_letters()] == [b"a"]
    assert b"[3]" in new.read("out")


@pytest.mark.parametrize(
    "new", [Shape(10, 10, delay=7), Shape(10, 10, policy="place_in_oldest_window")], ids=["delay", "policy"]
)
def test_the_delay_and_the_late_policy_of_windows_may_change(new):
    assert b"[2, 3]" in changed(windows(TENS.declared()), new.declared()).read("out")


def test_the_range_of_windows_may_change_if_slide_and_pane_stay():
    new = changed(windows(Shape(10, 5).declared()), Shape(20, 5).declared())
    assert b"[2, 3]" in new.read("out")


def test_the_number_of_messages_in_a_count_window_may_change():
    new = changed(windows(Counting(4).declared()), Counting(3).declared())
    assert new.read("out") == [b"[1, 2, 3]"]


def test_a_state_computation_does_not_become_a_window_of_its_name():
    named = samples.finished(source().to(look).key_by(extract_key).to(totals("Gather", samples.Plain)))
    old = driver("a:1", application=named, partitions=1)
    old.run()
    with pytest.raises(UnreadableStateError, match="the state of 'Gather' for key b'a'"):
        changed(old, Counting(3).declared())


def test_an_aggregation_of_another_name_begins_anew():
    new = changed(windows(TENS.declared(Gather)), TENS.declared(GatherTuples))
    assert b"[3]" in new.read("out")

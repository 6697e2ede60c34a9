"""Where a task starts: every combination of the group's offset, the state's position and the topics' ids."""

from dataclasses import replace

import pytest

from wallaroo.task.position import (
    ChangelogOrigin,
    OffsetMetadata,
    Position,
    RestoredChangelog,
    encode_hole,
    encode_metadata,
)
from wallaroo.task.remedies import Group
from wallaroo.task.start import Facts, Mismatch, Start, compare, override

ADD, COUNT = "app-add-changelog", "app-count-changelog"
IDS = {"in": "inin" + "A" * 18, ADD: "addd" + "B" * 18, COUNT: "cnts" + "C" * 18}
OTHER_ID = "othr" + "D" * 18
GROUP = Group("app-payments", "in", "kafka:9092")
METADATA = OffsetMetadata.decode(encode_metadata("in", [ADD, COUNT], IDS))
POSITION = Position("in", IDS["in"], 50, 60, ADD, {name: ChangelogOrigin(IDS[name]) for name in (ADD, COUNT)})
REPEATS = replace(POSITION, repeats=True)
ONLY_ADD, ONLY_COUNT = (OffsetMetadata.decode(encode_metadata("in", [name], IDS)) for name in (ADD, COUNT))
ALONE = replace(POSITION, changelogs={ADD: ChangelogOrigin(IDS[ADD])})
TRUNCATED = replace(POSITION, changelogs={**POSITION.changelogs, ADD: ChangelogOrigin(IDS[ADD], 4)})
EMPTY, RECORDS = RestoredChangelog(), RestoredChangelog(records=3)
POINTER = RestoredChangelog(records=3, position=replace(POSITION, start=0, next=0))


def home(position=POSITION, **more):
    return RestoredChangelog(records=3, position=position, **more)


def facts(committed=60, metadata=METADATA, add=None, count=POINTER, ids=IDS, **more):
    """A task of two stores that was stopped cleanly at offset 60, if nothing else is said."""
    changelogs = {ADD: add or home(), COUNT: count} if count else {ADD: add or home()}
    return Facts(GROUP, 1, committed, metadata, low=0, reset=7, topic_ids=ids, changelogs=changelogs, **more)


def without_stores(committed=60, metadata=METADATA, ids=IDS):
    return Facts(GROUP, 1, committed, metadata, low=0, reset=7, topic_ids=ids)


FEEDING = replace(GROUP, keeps_history=False, feeds="app-hop")
PLACE = "app-payments-positions-changelog"
FED_IDS = {"in": IDS["in"], PLACE: "posi" + "E" * 18}
FED_METADATA = OffsetMetadata.decode(encode_metadata("in", [PLACE], FED_IDS))
HOLE = OffsetMetadata.decode(encode_hole(50))
WITHOUT_PLACE = OffsetMetadata.decode(encode_metadata("in", [], FED_IDS))
FED = Position("in", IDS["in"], 50, 60, PLACE, {PLACE: ChangelogOrigin(FED_IDS[PLACE])})


def feeding(committed=60, metadata=FED_METADATA, position=FED, ids=FED_IDS, log_start=0, **more):
    """A task without state in front of a hop, stopped cleanly at offset 60, if nothing else is said."""
    changelogs = {PLACE: RestoredChangelog(log_start, position=position)}
    return Facts(FEEDING, 1, committed, metadata, 0, 7, ids, changelogs, **more)


def starts_at(found):
    assert isinstance(found, Start), found
    return found.offset


NOTHING = {"committed": None, "metadata": None, "add": EMPTY, "count": EMPTY}

STARTS = {
    "stopped cleanly": (facts(), 60),
    "nothing was ever committed": (facts(**NOTHING), 7),
    "only the group has forgotten": (facts(committed=None, metadata=None), 60),
    "only the group has forgotten, at least once": (facts(None, None, add=home(REPEATS)), 50),
    "the same, and the start has been purged": (replace(facts(None, None, home(REPEATS)), low=55), 55),
    "the same, and more has been deleted": (replace(facts(None, None, home(REPEATS)), low=99), 60),
    "a crash between state and offset, at least once": (facts(50, add=home(REPEATS)), 50),
    "no crash, at least once": (facts(60, add=home(REPEATS)), 60),
    "an operator has set the offset where it was": (facts(metadata=None), 60),
    "a stage is new": (facts(metadata=ONLY_ADD, add=home(ALONE), count=EMPTY), 60),
    "all stages are new": (facts(metadata=ONLY_COUNT, add=EMPTY, count=None), 60),
    "state of a version without positions": (facts(metadata=None, add=RECORDS, count=None), 60),
    "such a version has gone on since": (facts(75, None, add=home(superseded=True)), 75),
    "the home's stage was taken out": (replace(facts(metadata=ONLY_COUNT), changelogs={COUNT: POINTER}), 60),
    "ids that the cluster does not tell": (facts(ids={}), 60),
    "a truncation that was accepted": (facts(add=home(TRUNCATED, log_start=4)), 60),
    "no stores": (without_stores(), 60),
    "no stores, nothing committed": (without_stores(None, None), 7),
    "no stores, an operator has moved the group": (without_stores(5, None), 5),
    "before a hop, stopped cleanly": (feeding(), 60),
    "before a hop, nothing was ever committed": (feeding(None, None, None), 7),
    "before a hop, some partitions are forgotten": (feeding(None, None), 60),
    "the same, at least once": (feeding(None, None, replace(FED, repeats=True)), 50),
    "before a hop, an operator has set the offset where it was": (feeding(60, None), 60),
    "before a hop, a version without positions": (feeding(75, WITHOUT_PLACE, None), 75),
    "before a hop, a version without metadata": (feeding(75, None, None), 75),
    "before a hop, such a version has gone on since": (feeding(75, WITHOUT_PLACE), 75),
    "before a hop, there was state meanwhile": (feeding(75, METADATA), 75),
    "before a hop, older positions were deleted": (feeding(log_start=9), 60),
    "before a hop, ids that the cluster does not tell": (feeding(60, None, ids={}), 60),
}  # fmt: skip

REFUSALS = {
    "the group was moved back": (facts(20), "counted again"),
    "the group was moved forward": (facts(80), "left out"),
    "moved back by hand": (facts(20, None), "counted again"),
    "at least once, moved back": (facts(49, add=home(REPEATS)), "counted again"),
    "at least once, moved forward": (facts(61, add=home(REPEATS)), "left out"),
    "the topic was made anew": (facts(ids={**IDS, "in": OTHER_ID}), "the topic in was deleted and made anew"),
    "the same, and the group has forgotten": (
        facts(None, None, ids={**IDS, "in": OTHER_ID}), "the topic in was deleted and made anew"),
    "the same, and the offset was set by hand": (
        facts(0, None, ids={**IDS, "in": OTHER_ID}), "the topic in was deleted and made anew"),
    "the same without stores": (without_stores(ids={"in": OTHER_ID}), "the topic in was deleted"),
    "the source was renamed": (
        facts(None, None, add=home(replace(POSITION, topic="old"))), "the state belongs to the topic old"),
    "the home's changelog was made anew": (
        facts(add=EMPTY, ids={**IDS, ADD: OTHER_ID}), f"{ADD} was deleted and made anew"),
    "the home is new, and the offset was set by hand": (
        facts(0, None, add=EMPTY, ids={**IDS, ADD: OTHER_ID}), f"{ADD} has lost its last records"),
    "the home is new, and the group has forgotten": (
        facts(None, None, add=EMPTY, ids={**IDS, ADD: OTHER_ID}), f"{ADD} has lost its last records"),
    "another changelog was made anew": (
        facts(count=EMPTY, ids={**IDS, COUNT: OTHER_ID}), f"{COUNT} was deleted"),
    "the same, known from the position alone": (
        facts(metadata=None, count=EMPTY, ids={**IDS, COUNT: OTHER_ID}), f"{COUNT} was deleted"),
    "all changelogs were made anew": (
        facts(add=EMPTY, count=EMPTY, ids={**IDS, ADD: OTHER_ID, COUNT: OTHER_ID}), f"{ADD} was deleted"),
    "a changelog is empty": (facts(add=EMPTY, count=EMPTY), f"{ADD} has lost its last records"),
    "a changelog was truncated": (facts(count=replace(POINTER, log_start=4)), f"{COUNT} begins at offset 4"),
    "the same before positions were written": (
        facts(metadata=None, add=RestoredChangelog(4, 3), count=None), f"{ADD} begins at offset 4"),
    "state without position and without group": (
        facts(None, None, add=RECORDS, count=None), "nothing says up to which record"),
    "an older version has gone on, and the group has forgotten": (
        facts(None, None, add=home(superseded=True)), "nothing says up to which record"),
    "the home's stage was taken out, and the group has forgotten": (
        replace(facts(None, None), changelogs={COUNT: POINTER}), "nothing says up to which record"),
    "only the group has forgotten, and stages behind it have state": (
        replace(without_stores(None, None), fed=["app-hop"]), "app-hop holds what was read before"),
    "the same with empty stores": (
        replace(facts(**NOTHING), fed=["app-hop"]), "app-hop holds what was read before"),
    "before a hop, moved back by hand": (
        feeding(20, None), "records that app-hop has been given would be counted again behind it"),
    "before a hop, moved forward by hand": (
        feeding(80, None), "records would be left out that app-hop has not been given"),
    "before a hop, at least once, moved back": (
        feeding(49, None, replace(FED, repeats=True)), "counted again behind it"),
    "before a hop, the topic was made anew": (
        feeding(ids={**FED_IDS, "in": OTHER_ID}), "the topic in was deleted and made anew"),
    "before a hop, another input": (
        feeding(None, None, replace(FED, topic="old")), "its position belongs to the topic old"),
    "before a hop, the positions were made anew": (
        feeding(position=None, ids={**FED_IDS, PLACE: OTHER_ID}),
        f"{PLACE} was deleted and made anew: its position is lost"),
    "before a hop, the positions are gone": (
        feeding(position=None), f"{PLACE} has lost its last records: its position is lost"),
    "before a hop, the positions and the offset's metadata are gone": (
        feeding(20, None, None, log_start=9), f"{PLACE} begins at offset 9"),
    "before a hop, positions and group are gone": (
        feeding(None, None, None, fed=["app-hop"]), "app-hop holds what was read before"),
    "results are missing, no stores": (
        without_stores(60, HOLE), "results from offset 50 on are missing"),
    "results are missing": (facts(60, HOLE), "from offset 50 on are missing"),
    "results are missing before a hop": (
        feeding(60, HOLE), "from offset 50 on are missing"),
    "a stage that was taken out is back": (facts(metadata=ONLY_ADD, add=home(ALONE)), "left behind"),
}  # fmt: skip


@pytest.mark.parametrize("case", STARTS)
def test_where_group_and_state_belong_together_the_task_goes_on(case):
    found, offset = STARTS[case]
    assert starts_at(compare(found)) == offset


@pytest.mark.parametrize("case", REFUSALS)
def test_where_state_would_be_lost_or_history_counted_twice_it_is_refused(case):
    found, text = REFUSALS[case]
    answer = compare(found)
    assert isinstance(answer, Mismatch), answer
    assert text in answer.text


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_names_the_place_both_offsets_and_commands(case):
    found, _ = REFUSALS[case]
    text = compare(found).text
    offset = "has no offset" if found.committed is None else f"is at offset {found.committed}"
    assert text.startswith(f"in[1]: the group app-payments {offset}")
    kept = "position" if found.group.feeds else "state"
    assert found.changelogs == {} or f"its {kept}" in text
    assert "--bootstrap-server kafka:9092" in text


def test_an_offset_that_the_group_does_not_know_yet_is_committed_at_once():
    assert compare(facts()).commit is False
    assert compare(facts(metadata=None)).commit
    assert compare(facts(None, None)).commit
    assert compare(facts(**NOTHING)).commit
    assert compare(facts(count=None)).commit
    assert compare(facts(metadata=ONLY_ADD, add=home(ALONE), count=EMPTY)).commit
    assert compare(facts(metadata=None, add=RECORDS, count=None)).commit


def test_going_on_where_the_state_is_comes_with_a_warning():
    warning = compare(facts(None, None)).warning
    assert "in[1]: the group app-payments has no offset, its state is at offset 60" in warning
    assert compare(facts()).warning == ""


def test_of_two_homes_the_one_that_fits_the_group_counts():
    back = replace(POSITION, home=COUNT, next=90)
    assert starts_at(compare(facts(60, count=home(back)))) == 60
    assert starts_at(compare(facts(90, count=home(back)))) == 90
    assert starts_at(compare(facts(None, None, count=home(back)))) == 90


def test_an_operator_chooses_the_offset_of_the_group_or_of_the_state():
    moved = facts(20)
    assert [override(moved, choice) for choice in ("fail", "group", "state")] == [None, 20, 60]


def test_an_offset_of_a_topic_that_is_gone_cannot_be_chosen():
    anew = facts(ids={**IDS, "in": OTHER_ID})
    assert [override(anew, choice) for choice in ("group", "state")] == [7, None]
    by_hand = replace(anew, committed=3, metadata=None)
    assert override(by_hand, "group") == 3


def test_state_without_a_position_cannot_be_chosen():
    unknown = facts(None, None, add=RECORDS, count=None)
    assert [override(unknown, choice) for choice in ("group", "state")] == [7, None]


def test_where_the_history_is_gone_a_new_beginning_is_a_new_application():
    hop = facts(20)
    hop = replace(hop, group=replace(GROUP, keeps_history=False))
    assert "--application-id" in compare(hop).text
    assert f"--delete --topic {ADD} &&" in compare(facts(20)).text


def test_a_group_without_state_is_led_back_to_its_position():
    text = compare(feeding(20, None)).text
    assert f"is at offset 20, its position is at offset 60 ({PLACE})" in text
    assert "to go on where the position is: `kafka-consumer-groups.sh" in text
    assert "--group app-payments --delete-offsets --topic in`" in text
    assert "state" not in text.replace("--on-position-mismatch", "")


def test_where_only_a_position_is_lost_the_mildest_way_is_the_offset_of_the_group():
    text = compare(feeding(position=None)).text
    assert "then to go on at the offset of the group all the same: start once with" in text
    assert "--delete --topic" not in text


def test_an_operator_chooses_between_group_and_position_without_state():
    moved = feeding(20, None)
    assert [override(moved, choice) for choice in ("fail", "group", "state")] == [None, 20, 60]


def test_missing_results_are_processed_again_or_left_out_as_the_operator_chooses():
    hole = without_stores(60, HOLE)
    assert "--reset-offsets --execute --topic in:1 --to-offset 50`" in compare(hole).text
    assert starts_at(compare(replace(hole, committed=50, metadata=None))) == 50
    assert override(hole, "group") == 60

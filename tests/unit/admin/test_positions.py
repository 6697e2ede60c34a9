"""An import never changes where a task starts, in whatever condition its group and its changelogs are."""

from dataclasses import replace

import pytest

from tests.unit.task.test_start import REFUSALS, STARTS
from wallaroo.admin.positions import kept_positions
from wallaroo.task.position import ChangelogOrigin, Position
from wallaroo.task.start import Mismatch, compare

WITH_STATE = {
    case: found
    for case, (found, _) in {**STARTS, **REFUSALS}.items()
    if found.changelogs and not found.group.feeds
}
CASES = [(case, changelog) for case, found in WITH_STATE.items() for changelog in found.changelogs]


def imported(found, changelog):
    """What a start finds after an import into one changelog."""
    at, ids, topic = found.reset, found.topic_ids, found.group.topic
    origins = {
        name: ChangelogOrigin(ids.get(name), each.log_start) for name, each in found.changelogs.items()
    }
    fresh = None if found.fed else Position(topic, ids.get(topic), at, at, next(iter(origins)), origins)
    behind = kept_positions(changelog, found.changelogs, found.committed, ids, fresh)
    before = found.changelogs[changelog]
    filled = replace(before, records=before.records + 5, superseded=before.position is not None)
    changelogs = {**found.changelogs, changelog: filled}
    written = {name: replace(changelogs[name], position=at, superseded=False) for name, at in behind.items()}
    return replace(found, changelogs={**changelogs, **written})


@pytest.mark.parametrize(("case", "changelog"), CASES)
def test_an_import_never_changes_where_a_task_starts(case, changelog):
    found = WITH_STATE[case]
    before, after = compare(found), compare(imported(found, changelog))
    assert type(after) is type(before), after
    assert isinstance(before, Mismatch) or after.offset == before.offset


@pytest.mark.parametrize(("case", "changelog"), CASES)
def test_a_second_import_changes_nothing_either(case, changelog):
    found = imported(WITH_STATE[case], changelog)
    before, after = compare(found), compare(imported(found, changelog))
    assert type(after) is type(before), after
    assert isinstance(before, Mismatch) or after.offset == before.offset

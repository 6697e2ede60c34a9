"""What an import writes behind states, so that state and position still belong together (decision 0024).

A position counts only as the last record of its changelog: what lies behind it would make it void. So it is
written once more behind what is imported. Where a task starts, an import never changes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from wallaroo.admin.changelogs import ChangelogReader
from wallaroo.admin.cluster import cluster_of
from wallaroo.admin.states import Kept
from wallaroo.engine.starting import fed_by
from wallaroo.kafka.offsets import end_offsets, log_starts
from wallaroo.kafka.topic_ids import ask_topic_ids
from wallaroo.record import Changes, Place
from wallaroo.state.store import POSITION_KEY
from wallaroo.task.position import ChangelogOrigin, Position, RestoredChangelog, TopicIds, home_of
from wallaroo.topology.model import SubTopology, Topology

_REQUEST_SECONDS = 10.0

Found = Mapping[str, RestoredChangelog]
"""What a restore has found in the changelogs of one task, by topic."""


def kept_positions(
    changelog: str, found: Found, committed: int | None, ids: TopicIds, fresh: Position | None
) -> dict[str, Position]:
    """The positions to write behind states that are imported into one changelog of a task, by changelog.

    `fresh` is where the task would begin if nothing was ever committed; None if that is not known.
    """
    homes = {
        name: each.position
        for name, each in found.items()
        if each.position is not None and each.position.home == name and not each.superseded
    }
    if not homes:
        is_new = committed is None and not any(each.position or each.records for each in found.values())
        return {fresh.home: fresh} if fresh is not None and is_new else {}
    here = {name: position for name, position in homes.items() if name == changelog}
    used = max(homes.values(), key=lambda each: (committed is not None and each.fits(committed), each.next))
    if changelog in used.changelogs or found[changelog].records:
        return here
    # A stage that is new: from now on the state consists of it as well.
    origin = ChangelogOrigin(ids.get(changelog), found[changelog].log_start)
    return {**here, used.home: replace(used, changelogs={**used.changelogs, changelog: origin})}


def positions_behind(
    kept: Kept, topology: Topology, reader: ChangelogReader, numbers: Sequence[int]
) -> dict[int, list[Changes]]:
    """By partition, what to write behind the states of a stage there.

    Raises KafkaSetupError if a topic is not there that a position names.
    """
    sub, admin = kept.sub, reader.admin
    topics = [sub.input.topic, *(store.changelog for store in sub.stores)]
    counts = {topic: reader.partitions(topic) for topic in topics}
    ids = ask_topic_ids(admin, topics)
    places = [(sub.input.topic, number) for number in range(counts[sub.input.topic])]
    committed = cluster_of(topology, reader.settings, admin).committed(sub.group, places)
    begins = _begins(sub, reader, places) if committed or not _has_fed(sub, topology, reader) else {}
    behind = {}
    for number, restoration in reader.tasks(kept, numbers).items():
        place, found = (sub.input.topic, number), restoration.changelogs
        fresh = _fresh(sub, begins[place], found, ids, reader) if place in begins else None
        chosen = kept_positions(kept.store.changelog, found, committed.get(place), ids, fresh)
        behind[number] = [Changes("", home, {POSITION_KEY: each.encode()}) for home, each in chosen.items()]
    return behind


def _begins(sub: SubTopology, reader: ChangelogReader, places: Iterable[Place]) -> dict[Place, int]:
    """Where a group begins that has never read the input."""
    is_latest = not sub.input.is_internal and reader.settings.auto_offset_reset == "latest"
    return (end_offsets if is_latest else log_starts)(reader.admin, places, _REQUEST_SECONDS)


def _fresh(
    sub: SubTopology, at: int, found: Found, ids: TopicIds, reader: ChangelogReader
) -> Position | None:
    home = home_of(sub)
    if home is None:
        return None
    topic, repeats = sub.input.topic, not reader.settings.is_exactly_once
    origins = {name: ChangelogOrigin(ids.get(name), each.log_start) for name, each in found.items()}
    return Position(topic, ids.get(topic), at, at, home.changelog, origins, repeats)


def _has_fed(sub: SubTopology, topology: Topology, reader: ChangelogReader) -> bool:
    """Whether stages behind have been given something, by nobody else than this sub-topology."""
    hops = fed_by(sub, topology)
    places = [(hop, number) for hop in hops for number in range(reader.partitions(hop))]
    return any(end_offsets(reader.admin, places, _REQUEST_SECONDS).values())

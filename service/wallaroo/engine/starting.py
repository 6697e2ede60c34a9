"""Decides at which offset an assigned partition starts, and says so where it is not the group's."""

import logging
from collections.abc import Callable, Mapping, Sequence

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from wallaroo.clock import Clock
from wallaroo.engine.restore import Restoration
from wallaroo.errors import KafkaSetupError
from wallaroo.kafka.group_member import Assigned, out_of_range
from wallaroo.kafka.offsets import Place, end_offsets, held_records
from wallaroo.kafka.topic_ids import TopicWatch, ask_topic_ids
from wallaroo.settings import Settings
from wallaroo.task.context import ApplicationContext
from wallaroo.task.position import OffsetMetadata, RestoredChangelog
from wallaroo.task.remedies import Group
from wallaroo.task.start import Facts, Mismatch, Start, compare, override
from wallaroo.topology.model import SubTopology, Topology

_log = logging.getLogger(__name__)

_REQUEST_SECONDS = 30.0
# Of a tenth of a second each: an aborted transaction may have left its end to the broker.
_MOST_POLLS = 600


class Fed:
    """Topics that only this group's tasks write, for stages behind them: whether they held records before.

    `ends`, which may be filled later, says where each partition ended before the group was joined.
    """

    def __init__(
        self, topics: Sequence[str], ends: Mapping[Place, int], open_consumer: Callable[[], Consumer]
    ) -> None:
        self._topics = topics
        self._ends = ends
        self._open_consumer = open_consumer

    def held_records(self) -> list[str]:
        """Those that did: an end alone says nothing, a first commit that was aborted leaves one behind."""
        return [topic for topic in self._topics if self._held(topic)]

    def _held(self, topic: str) -> bool:
        ends = {place: end for place, end in self._ends.items() if place[0] == topic and end}
        return bool(ends) and held_records(self._open_consumer, ends, _MOST_POLLS)


class StartDecider:
    """Compares what the group, the state and the topics say; `topic_ids` may be filled later."""

    def __init__(
        self,
        group: Group,
        settings: Settings,
        topic_ids: Mapping[str, str],
        fed: Fed | None = None,
    ) -> None:
        self._group = group
        self._fed = fed
        self._settings = settings
        self._topic_ids = topic_ids

    def decide(self, assigned: Assigned, changelogs: Mapping[str, RestoredChangelog]) -> Start:
        """Where the partition starts.

        Raises KafkaSetupError if what was found does not belong together, or if the topic no longer holds
        that offset, and the settings say to fail.
        """
        metadata = OffsetMetadata.decode(assigned.metadata)
        facts = Facts(
            self._group,
            assigned.partition,
            assigned.committed,
            metadata,
            assigned.low,
            assigned.reset,
            self._topic_ids,
            changelogs,
            self._fed.held_records() if assigned.is_first and self._fed is not None else (),
        )
        start = compare(facts)
        if isinstance(start, Mismatch):
            start = self._in_spite_of(start, facts)
        elif start.warning:
            _log.warning("group without an offset", extra={"what": start.warning})
        if assigned.low <= start.offset <= assigned.high:
            return start
        at = TopicPartition(assigned.topic, assigned.partition, start.offset)
        return Start(out_of_range(at, assigned.low, assigned.high, self._settings), commit=True)

    def decide_restored(self, restoration: Restoration) -> None:
        """Set the start of a task whose stores have been restored."""
        if restoration.assigned is not None:
            start = self.decide(restoration.assigned, restoration.changelogs)
            restoration.start, restoration.commit_start = start.offset, start.commit

    def _in_spite_of(self, mismatch: Mismatch, facts: Facts) -> Start:
        chosen = override(facts, self._settings.on_position_mismatch)
        if chosen is None:
            raise KafkaSetupError(mismatch.text)
        setting = self._settings.on_position_mismatch
        details = {"what": mismatch.text, "on_position_mismatch": setting, "chosen": chosen}
        _log.error("position mismatch", extra=details)
        return Start(chosen, commit=True)


def start_decider(
    sub: SubTopology,
    topology: Topology,
    settings: Settings,
    context: ApplicationContext,
    open_consumer: Callable[[], Consumer],
) -> StartDecider:
    """What decides where the tasks of a sub-topology start; `open_consumer` opens one outside of groups."""
    keeps_history = not sub.input.is_internal and not sub.hops
    feeds = "" if sub.positions is None else sub.hops[0]
    group = Group(sub.group, sub.input.topic, settings.bootstrap_servers, keeps_history, feeds)
    fed = Fed(fed_by(sub, topology), context.ends_before, open_consumer)
    return StartDecider(group, settings, context.topic_ids, fed)


def fed_by(sub: SubTopology, topology: Topology) -> list[str]:
    """The repartition topics that only the tasks of this sub-topology write."""
    others = [other for other in topology.sub_topologies if other.name != sub.name]
    shared = {target.topic for other in others for target in other.targets}
    return [hop for hop in sub.hops if hop not in shared]


def watch_topics(
    sub: SubTopology, context: ApplicationContext, settings: Settings, admin: AdminClient, clock: Clock
) -> TopicWatch | None:
    """Learn the ids of the topics that hold input and state, and where hops end; not if embedded."""
    if settings.embedded_broker:
        return None
    # Before the group is joined: where another worker writes already, the group has offsets by then.
    places = [(hop, number) for hop in sub.hops for number in range(context.partitions[hop])]
    context.ends_before.update(end_offsets(admin, places, _REQUEST_SECONDS))
    topics = [sub.input.topic, *(store.changelog for store in sub.stores)]
    ids = ask_topic_ids(admin, topics)
    context.topic_ids.update(ids)
    return TopicWatch(admin, {**dict.fromkeys(topics), **ids}, clock)

"""Decides at which offset an assigned partition starts, and says so where it is not the group's."""

import logging
from collections.abc import Collection, Mapping

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from wallaroo.clock import Clock
from wallaroo.engine.restore import Restoration
from wallaroo.errors import KafkaSetupError
from wallaroo.kafka.group_member import Assigned, out_of_range
from wallaroo.kafka.offsets import end_offsets
from wallaroo.kafka.topic_ids import TopicWatch, ask_topic_ids
from wallaroo.settings import Settings
from wallaroo.task.context import ApplicationContext
from wallaroo.task.position import OffsetMetadata, RestoredChangelog
from wallaroo.task.remedies import Group
from wallaroo.task.start import Facts, Mismatch, Start, compare, override
from wallaroo.topology.model import SubTopology, Topology

_log = logging.getLogger(__name__)

_REQUEST_SECONDS = 30.0


class StartDecider:
    """Compares what the group, the state and the topics say.

    `topic_ids` and `used_topics` may be filled later. `fed` are topics that only this group's tasks write,
    for stages behind them.
    """

    def __init__(
        self,
        group: Group,
        settings: Settings,
        topic_ids: Mapping[str, str],
        used_topics: Collection[str] = (),
        fed: Collection[str] = (),
    ) -> None:
        self._group = group
        self._used_topics = used_topics
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
            [topic for topic in self._fed if assigned.is_first and topic in self._used_topics],
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
    sub: SubTopology, topology: Topology, settings: Settings, context: ApplicationContext
) -> StartDecider:
    """What decides where the tasks of a sub-topology start."""
    others = [other for other in topology.sub_topologies if other.name != sub.name]
    shared = {target.topic for other in others for target in other.targets}
    keeps_history = not sub.input.is_internal and not sub.hops
    feeds = "" if sub.positions is None else sub.hops[0]
    group = Group(sub.group, sub.input.topic, settings.bootstrap_servers, keeps_history, feeds)
    fed = [hop for hop in sub.hops if hop not in shared]
    return StartDecider(group, settings, context.topic_ids, context.used_topics, fed)


def watch_topics(
    sub: SubTopology, context: ApplicationContext, settings: Settings, admin: AdminClient, clock: Clock
) -> TopicWatch | None:
    """Learn the ids of the topics that hold input and state, and what was used before; not if embedded."""
    if settings.embedded_broker:
        return None
    # Before the group is joined: where another worker writes already, the group has offsets by then.
    places = [(hop, number) for hop in sub.hops for number in range(context.partitions[hop])]
    ends = end_offsets(admin, places, _REQUEST_SECONDS)
    context.used_topics.update(topic for (topic, _), end in ends.items() if end)
    topics = [sub.input.topic, *(store.changelog for store in sub.stores)]
    ids = ask_topic_ids(admin, topics)
    context.topic_ids.update(ids)
    return TopicWatch(admin, {**dict.fromkeys(topics), **ids}, clock)

"""The one place where an application is reset: looked at as a whole, then changed, in an order that holds.

Rules for whoever edits this file:
1. First all groups are marked, with their offsets; a marked offset is refused by every start. What is deleted
   next is missed by nobody, and running the same again ends what was interrupted.
2. Topics are deleted in the phases of the plan. Kafka forgets the offsets in a topic that is deleted: a group
   that has lost its mark so has lost its state before, and begins as after the reset.
3. Last, one transaction moves all groups that read a source: they begin together, or are still marked.
4. A commit for a group with members is refused by Kafka: whoever has started meanwhile ends the reset.
"""

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]

from wallaroo.admin.cluster import Reached, topics_of
from wallaroo.admin.records import read_between
from wallaroo.admin.reset import Goal, ResetPlan, check_offsets, plan_reset
from wallaroo.errors import KafkaSetupError
from wallaroo.kafka.clients import offsets_consumer, task_transactions
from wallaroo.kafka.members import GroupMembers
from wallaroo.kafka.offsets import committed_ends, log_starts
from wallaroo.kafka.producers import ProducerTurns
from wallaroo.kafka.retry import retry
from wallaroo.record import Place
from wallaroo.task.position import encode_reset
from wallaroo.topology.model import Topology

_REQUEST_SECONDS = 10.0
_GONE_SECONDS = 30.0
_PAUSE_SECONDS = 0.1
_UNKNOWN_GROUP = (KafkaError.GROUP_ID_NOT_FOUND,)
_OF_MEMBERS = (
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError.STALE_MEMBER_EPOCH,
)

Offsets = Mapping[Place, int]


@dataclass(frozen=True, slots=True)
class Survey:
    """An application as it is, and what a reset makes of it.

    `offsets` is where each group is, None where it has no offset, `targets` where sources will be read from,
    `topics` how many offsets each topic spans that will be deleted, `undelivered` how many records wait in
    each outbox.
    """

    plan: ResetPlan
    offsets: Mapping[str, Mapping[Place, int | None]]
    targets: Offsets
    topics: Mapping[str, int]
    undelivered: Mapping[str, int]


def survey(cluster: Reached, topology: Topology, goal: Goal) -> Survey:
    """What a reset would do now.

    Raises KafkaSetupError while a group has members or a source is missing, SettingsError for offsets that
    the sources do not hold.
    """
    plan = plan_reset(topology, goal)
    _check_stopped(cluster, plan)
    missing = [topic for topic in plan.moved.values() if topic not in cluster.topics]
    if missing:
        raise KafkaSetupError(
            f"there is no topic {missing[0]} at {cluster.settings.bootstrap_servers}, which is a source of "
            f"the application {topology.application_id!r}; see bootstrap_servers, and its arguments"
        )
    reads = {**plan.moved, **plan.forgotten, **plan.outboxes}
    offsets = {group: _committed(cluster, group, topic) for group, topic in reads.items()}
    deleted = [topic for phase in plan.phases for topic in phase if topic in cluster.topics]
    places = _places(cluster, deleted)
    starts, ends = _ends(cluster, places)
    spans: Counter[str] = Counter(dict.fromkeys(deleted, 0))
    for place in places:
        spans[place[0]] += ends[place] - starts[place]
    undelivered = {
        topic: _undelivered(cluster, topic, offsets[group])
        for group, topic in plan.outboxes.items()
        if topic in cluster.topics
    }
    return Survey(plan, offsets, _targets(cluster, plan, goal), spans, undelivered)


def reset(cluster: Reached, topology: Topology, found: Survey) -> None:
    """Do what the survey says. Raises KafkaSetupError if it cannot be done to the end; see the rules."""
    plan = found.plan
    for group, topic in {**plan.moved, **plan.forgotten}.items():
        _mark(cluster, group, topic, found.offsets[group])
    for group, topic in plan.outboxes.items():
        if found.undelivered.get(topic):
            _commit(cluster, group, _ends(cluster, _places(cluster, [topic]))[1], "")
    for phase in plan.phases:
        _delete_topics(cluster, phase)
    _delete_groups(cluster, plan.forgotten)
    _move_groups(cluster, f"{topology.application_id}-reset", plan.moved, found.targets)


def _check_stopped(cluster: Reached, plan: ResetPlan) -> None:
    ask = GroupMembers(cluster.admin, _REQUEST_SECONDS)
    for group in plan.groups:
        try:
            members = ask(group)
        except KafkaException as error:
            if error.args[0].code() in _UNKNOWN_GROUP:
                continue
            raise
        except TimeoutError as error:
            raise KafkaSetupError(f"the members of the group {group} are not known: {error}") from error
        if members:
            named = ", ".join(sorted(f"{each.client_id} at {each.host}" for each in members))
            raise KafkaSetupError(
                f"the group {group} has members: {named}; stop the service everywhere, wait until the "
                "sessions of killed workers are over (session_timeout_ms), then do the same again"
            )


def _targets(cluster: Reached, plan: ResetPlan, goal: Goal) -> Offsets:
    """Where each partition of a source is to be read from."""
    places = _places(cluster, plan.moved.values())
    starts, ends = _ends(cluster, places)
    if goal.where == "earliest":
        return starts
    if goal.where == "offsets":
        wanted = goal.offsets or {}
        check_offsets(wanted, starts, ends)
        return wanted
    if goal.where == "latest" or not places:
        return ends
    spec: OffsetSpec = OffsetSpec.for_timestamp(goal.time_ms)
    asked = {TopicPartition(*place): spec for place in places}
    answers = cluster.admin.list_offsets(asked, request_timeout=_REQUEST_SECONDS)
    later = {(tp.topic, tp.partition): answer.result().offset for tp, answer in answers.items()}
    return {place: ends[place] if later[place] < 0 else later[place] for place in places}


def _places(cluster: Reached, topics: Iterable[str]) -> list[Place]:
    return [(topic, n) for topic in dict.fromkeys(topics) for n in range(cluster.topics.get(topic, 0))]


def _ends(cluster: Reached, places: list[Place]) -> tuple[dict[Place, int], dict[Place, int]]:
    starts = log_starts(cluster.admin, places, _REQUEST_SECONDS)
    return starts, committed_ends(cluster.admin, places, _REQUEST_SECONDS)


def _committed(cluster: Reached, group: str, topic: str) -> dict[Place, int | None]:
    """Where a group is, once no transaction may change it any more."""
    wanted = [TopicPartition(*place) for place in _places(cluster, [topic])]

    def ask(consumer: Consumer) -> list[TopicPartition]:
        found = consumer.committed(wanted, timeout=_REQUEST_SECONDS)
        for tp in found:
            if tp.error is not None:
                raise KafkaException(tp.error)
        return found

    with closing(offsets_consumer(cluster.settings, group, cluster.client_id)) as consumer:
        found = retry(partial(ask, consumer)) if wanted else []
    return {(tp.topic, tp.partition): tp.offset if tp.offset >= 0 else None for tp in found}


def _undelivered(cluster: Reached, outbox: str, offsets: Mapping[Place, int | None]) -> int:
    """How many records are in an outbox; the ends of transactions are none."""
    starts, ends = _ends(cluster, _places(cluster, [outbox]))
    reached = {place: max(offsets.get(place) or 0, starts[place]) for place in starts}
    return sum(1 for _ in read_between(cluster, reached, ends))


def _mark(cluster: Reached, group: str, topic: str, offsets: Mapping[Place, int | None]) -> None:
    """Let every start refuse the offsets of a group, which stay as they are."""
    kept = {place: offsets.get(place) or 0 for place in _places(cluster, [topic])}
    _commit(cluster, group, kept, encode_reset())


def _commit(cluster: Reached, group: str, offsets: Offsets, metadata: str) -> None:
    if not offsets:
        return
    moved = [TopicPartition(*place, offset, metadata) for place, offset in offsets.items()]
    with closing(offsets_consumer(cluster.settings, group, cluster.client_id)) as consumer:
        try:
            done = retry(lambda: consumer.commit(offsets=moved, asynchronous=False)) or []
        except KafkaException as error:
            raise _has_members(group, error) or error from error
    for tp in done:
        if tp.error is not None:
            raise _has_members(group, KafkaException(tp.error)) or KafkaException(tp.error)


def _has_members(group: str, error: KafkaException) -> KafkaSetupError | None:
    """What to say if a commit from outside of a group was refused because somebody is inside."""
    if error.args[0].code() not in _OF_MEMBERS:
        return None
    return KafkaSetupError(
        f"the group {group} has members by now: a service of the application has started; stop it "
        "everywhere, then do the same again"
    )


def _delete_topics(cluster: Reached, topics: Iterable[str]) -> None:
    """Return when they are gone."""
    there = [topic for topic in topics if topic in cluster.topics]
    if not there:
        return
    for topic, answer in cluster.admin.delete_topics(there, request_timeout=_REQUEST_SECONDS).items():
        try:
            answer.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise KafkaSetupError(
                    f"the topic {topic} cannot be deleted: {error.args[0].str()}; allow this client Delete "
                    "on topics with the application id as prefix, then do the same again: until then, no "
                    "service of the application starts"
                ) from error
    deadline = time.monotonic() + _GONE_SECONDS
    while left := topics_of(cluster.admin).keys() & set(there):
        if time.monotonic() > deadline:
            raise KafkaSetupError(
                f"the topic {min(left)} is still there {_GONE_SECONDS:g} s after its deletion; see whether "
                "all brokers run, then do the same again: until then, no service of the application starts"
            )
        time.sleep(_PAUSE_SECONDS)


def _delete_groups(cluster: Reached, groups: Iterable[str]) -> None:
    wanted = list(groups)
    if not wanted:
        return
    answers = cluster.admin.delete_consumer_groups(wanted)
    for group, answer in answers.items():
        try:
            answer.result()
        except KafkaException as error:
            if error.args[0].code() not in _UNKNOWN_GROUP:
                raise KafkaSetupError(
                    f"the group {group} cannot be deleted: {error.args[0].str()}; stop the service "
                    "everywhere, allow this client Delete on groups with the application id as prefix, then "
                    "do the same again: until then, no service of the application starts"
                ) from error


def _move_groups(cluster: Reached, transactional_id: str, moved: Mapping[str, str], targets: Offsets) -> None:
    """Give all groups their new offsets at once."""
    if not moved:
        return
    turns = ProducerTurns([partial(task_transactions, cluster.settings, transactional_id)])
    producer = turns.take().client
    producer.begin_transaction()
    with ExitStack() as stack:
        for group, topic in moved.items():
            consumer = stack.enter_context(
                closing(offsets_consumer(cluster.settings, group, cluster.client_id))
            )
            offsets = [TopicPartition(*at, offset) for at, offset in targets.items() if at[0] == topic]
            send = partial(producer.send_offsets_to_transaction, offsets, consumer.consumer_group_metadata())
            retry(send)
        retry(producer.commit_transaction)

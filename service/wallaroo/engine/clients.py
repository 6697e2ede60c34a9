"""Opens the clients of a loop, in its own thread, and decides how it commits with them.

Exactly once takes two transactional producers that take turns (decision 0017). At least once takes one
producer, and the consumer commits the offsets of what has been written.
"""

from functools import partial

from confluent_kafka import KafkaError
from confluent_kafka.admin import AdminClient

from wallaroo.clock import Clock
from wallaroo.engine.commit_cycle import Clients
from wallaroo.engine.lost_ends import write_lost_ends
from wallaroo.engine.refusals import ask_limits, for_good, in_aborted_transactions, refusal_of
from wallaroo.engine.transaction import Probe, at_least_once, commit_offsets, exactly_once
from wallaroo.kafka.clients import (
    admin_client,
    group_consumer,
    task_producer,
    transactional_ids,
)
from wallaroo.kafka.offsets import end_offsets
from wallaroo.kafka.retry import retry
from wallaroo.kafka.topic_ids import TopicWatch, ask_topic_ids
from wallaroo.kafka.topics import written_topics
from wallaroo.settings import Guarantee, Settings
from wallaroo.task.context import ApplicationContext
from wallaroo.task.limits import RecordLimits
from wallaroo.topology.model import Repartition, SubTopology

_INIT_SECONDS = 30.0
_REQUEST_SECONDS = 30.0
# The broker ends transactions that have timed out every ten seconds.
_TIMED_OUT_SECONDS = 10.0


def open_clients(
    sub: SubTopology,
    context: ApplicationContext,
    settings: Settings,
    member_id: str,
    probe: Probe,
    clock: Clock,
) -> Clients:
    """Open the clients of the loop of a sub-topology; `member_id` identifies it on the cluster."""
    failures: list[KafkaError] = []
    admin = admin_client(settings, member_id)
    watch = _watch(sub, context, settings, admin, clock)
    limits = partial(_ask_limits, sub, context, settings, admin)
    largest_batch = min(map(limits().max_bytes, written_topics(sub, context.dead_letters)))
    new_producer = partial(task_producer, settings, failures=failures, largest_batch=largest_batch)
    consumer = group_consumer(settings, sub.group, member_id)
    if settings.processing_guarantee is Guarantee.EXACTLY_ONCE:
        producers = [new_producer(transactional_id) for transactional_id in transactional_ids(member_id)]
        for producer in producers:
            # Fences the worker that had this id before, and aborts what it left open.
            retry(partial(producer.init_transactions, _INIT_SECONDS))
        if not settings.embedded_broker:
            by_id = dict(zip(transactional_ids(member_id), producers, strict=True))
            write_lost_ends(by_id, consumer, sub, settings, admin)
        explain = partial(refusal_of, limits, in_aborted_transactions(new_producer, member_id))
        write = exactly_once(producers, probe, explain)
        timeout_seconds = commit_timeout_seconds(settings.transaction_timeout_ms)
        return Clients(consumer, admin, write, timeout_seconds=timeout_seconds, watch=watch)
    producer = new_producer(member_id)
    write = at_least_once(producer, failures, probe, partial(refusal_of, limits, for_good(producer)))
    return Clients(consumer, admin, write, commit_offsets(consumer, probe), watch=watch)


def commit_timeout_seconds(transaction_timeout_ms: int) -> float:
    """Longer than any commit that can still succeed: the broker has ended its transaction by then.

    After a broker's restart librdkafka 2.16 may never return from a call of a transaction. The worker then is
    started again, and the sooner the better.
    """
    return transaction_timeout_ms / 1000 + _TIMED_OUT_SECONDS


def _watch(
    sub: SubTopology, context: ApplicationContext, settings: Settings, admin: AdminClient, clock: Clock
) -> TopicWatch | None:
    """Learn the ids of the topics that hold input and state, and what was used before; not if embedded."""
    if settings.embedded_broker:
        return None
    # Before the group is joined: where another worker writes already, the group has offsets by then.
    hops = [target.topic for target in sub.targets if isinstance(target, Repartition)]
    places = [(hop, number) for hop in hops for number in range(context.partitions[hop])]
    ends = end_offsets(admin, places, _REQUEST_SECONDS)
    context.used_topics.update(topic for (topic, _), end in ends.items() if end)
    ids = ask_topic_ids(admin, [sub.input.topic, *(store.changelog for store in sub.stores)])
    context.topic_ids.update(ids)
    return TopicWatch(admin, ids, clock)


def _ask_limits(
    sub: SubTopology, context: ApplicationContext, settings: Settings, admin: AdminClient
) -> RecordLimits:
    """Ask what each topic takes now, and make the record batches fit from now on."""
    topics = written_topics(sub, context.dead_letters)
    limits = ask_limits(admin, settings, topics)
    context.max_bytes.update({topic: limits.max_bytes(topic) for topic in topics})
    return limits

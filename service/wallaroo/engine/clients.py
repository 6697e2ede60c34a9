"""Opens the clients of a loop, in its own thread, and decides how it commits with them.

Exactly once takes two transactional producers that take turns (decision 0017). At least once takes one
producer, and the consumer commits the offsets of what has been written.
"""

from contextlib import closing
from functools import partial

from confluent_kafka import KafkaError

from wallaroo.clock import Clock
from wallaroo.engine.commit_cycle import Clients
from wallaroo.engine.hole import MissingResultsError, committed_offsets, missing_results
from wallaroo.engine.lost_ends import write_lost_ends
from wallaroo.engine.refusals import ask_limits_of, for_good, in_aborted_transactions, refusal_of
from wallaroo.engine.starting import watch_topics
from wallaroo.engine.transaction import Commit, Probe, at_least_once, commit_offsets, exactly_once
from wallaroo.kafka.clients import (
    admin_client,
    group_consumer,
    offsets_consumer,
    task_producer,
    task_transactions,
    transactional_ids,
)
from wallaroo.kafka.producers import ProducerTurns
from wallaroo.settings import Guarantee, Settings
from wallaroo.task.context import ApplicationContext
from wallaroo.topology.model import SubTopology

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
    watch = watch_topics(sub, context, settings, admin, clock)
    limits = partial(ask_limits_of, sub, context, settings, admin)
    largest_batch = limits().smallest_max_bytes
    consumer = group_consumer(settings, sub.group, member_id)
    if settings.processing_guarantee is Guarantee.EXACTLY_ONCE:
        open_producer = partial(task_transactions, settings, largest_batch=largest_batch)
        turns = ProducerTurns([partial(open_producer, each) for each in transactional_ids(member_id)])
        if not settings.embedded_broker:
            write_lost_ends(turns.clients, consumer, sub, settings, admin)
        send = in_aborted_transactions(lambda each: open_producer(each).client, member_id)
        find_hole = partial(_find_hole, settings, sub.group, member_id)
        write = exactly_once(turns, probe, partial(refusal_of, limits, send), find_hole)
        timeout_seconds = commit_timeout_seconds(settings.transaction_timeout_ms)
        return Clients(consumer, admin, write, timeout_seconds=timeout_seconds, watch=watch)
    producer = task_producer(settings, member_id, failures, largest_batch)
    write = at_least_once(producer, failures, probe, partial(refusal_of, limits, for_good(producer)))
    return Clients(consumer, admin, write, commit_offsets(consumer, probe), watch=watch)


def commit_timeout_seconds(transaction_timeout_ms: int) -> float:
    """Longer than any commit that can still succeed: the broker has ended its transaction by then.

    After a broker's restart librdkafka 2.16 may never return from a call of a transaction. The worker then is
    started again, and the sooner the better.
    """
    return transaction_timeout_ms / 1000 + _TIMED_OUT_SECONDS


def _find_hole(settings: Settings, group: str, member_id: str, commit: Commit) -> MissingResultsError | None:
    """What is missing of a failed commit whose offsets the group has all the same."""
    ends = {batch.partition: batch.next_offset for batch in commit.batches}
    with closing(offsets_consumer(settings, group, f"{member_id}-offsets")) as consumer:
        committed = committed_offsets(consumer, list(ends))
    return missing_results(group, commit.starts, ends, committed)

"""Clients of Kafka and their configuration. None is ever made before a fork."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient

from wallaroo.errors import SettingsError
from wallaroo.kafka.connection_log import CONTEXT, ConnectionLog, least_level
from wallaroo.kafka.errors import CLIENT_LOG, log_client_error
from wallaroo.kafka.polled import POLLED
from wallaroo.refusals import secrets_of, without_secrets
from wallaroo.settings import DEAD_LETTER_BYTES, Settings

Client = TypeVar("Client", Consumer, Producer, AdminClient)

# The fetcher sleeps this long if its queue is full; the default of a second lets a fast consumer run dry.
_FETCH_BACKOFF_MS = 5
# While the broker writes the markers of a transaction, for a few milliseconds, it refuses the next one of the
# same producer (CONCURRENT_TRANSACTIONS). The default wait is 100 ms.
_RETRY_BACKOFF_MS = 2
# Between a member's id and the address of its instance: not in any name.
ADVERTISED = "@"
# The client's default.
_LARGEST_BATCH = 1_000_000
_LARGEST_RECORD = 1_000_000_000
# Members learn of a rebalance from the answer to a heartbeat; partitions stand still until all members know.
_HEARTBEAT_MS = 500
# How long a client waits at most before it connects again; its default of 10 s makes a broker's return cost
# as much (decision 0035).
_RECONNECT_MS = 500
# Shorter values are found in any text.
_SHORTEST_HIDDEN = 4
# Values that the client's texts use as words.
_WORDS = {"consumer", "producer", "classic"}


@dataclass(frozen=True, slots=True)
class WorkerIdentity:
    """Who a worker is on the cluster: the same after a restart, and unique at any time."""

    application_id: str
    instance: str
    worker: int

    def member_id(self, part: str) -> str:
        """The id of this worker in one part of the application: a sub-topology, say, or a delivery."""
        return f"{self.application_id}-{part}-{self.instance}-{self.worker}"


def common_config(settings: Settings, client_id: str) -> dict[str, Any]:
    return {**_every_client(settings.bootstrap_servers, client_id), **settings.kafka}


def _every_client(servers: str, client_id: str) -> dict[str, Any]:
    return {
        "bootstrap.servers": servers,
        "client.id": client_id,
        "log.connection.close": False,
        "reconnect.backoff.max.ms": _RECONNECT_MS,
    }


def group_consumer(settings: Settings, group: str, member_id: str) -> Consumer:
    """A consumer in a group: it reads only what is committed, and commits only when told to."""
    return _new_client(
        Consumer,
        {
            **_consumer_config(settings, _findable(settings, member_id)),
            "group.id": group,
            "auto.offset.reset": "error",
            "error_cb": log_client_error,
            **_group_protocol(settings, member_id),
            **settings.consumer,
        },
    )


def _findable(settings: Settings, member_id: str) -> str:
    """A client id that tells other instances, to whom Kafka shows it, where the pages of this one are."""
    url = settings.advertised_http
    return member_id if url is None else f"{member_id}{ADVERTISED}{url}"


def _group_protocol(settings: Settings, member_id: str) -> dict[str, Any]:
    if settings.group_protocol == "consumer":
        # Not as a static member: the broker would refuse a restarted worker until the dead one has timed out.
        return {"group.protocol": "consumer"}
    return {
        **_group_timeouts(settings),
        "group.instance.id": member_id,
        "partition.assignment.strategy": "cooperative-sticky",
    }


def _group_timeouts(settings: Settings) -> dict[str, Any]:
    if settings.group_protocol == "consumer":
        return {"group.protocol": "consumer"}
    return {
        "group.protocol": "classic",
        "session.timeout.ms": settings.session_timeout_ms,
        "heartbeat.interval.ms": _HEARTBEAT_MS,
    }


def restore_consumer(settings: Settings, client_id: str) -> Consumer:
    """A consumer of changelogs: outside of every group, with end-of-partition events."""
    return _new_client(
        Consumer,
        {
            **_consumer_config(settings, client_id),
            "group.id": f"{client_id}-restore",
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 10,
            # It joins no group, but the client holds the operator's time-outs against these.
            **_group_timeouts(settings),
            **settings.consumer,
        },
    )


def sample_consumer(settings: Settings, client_id: str) -> Consumer:
    """A consumer that reads a little here and there: outside of every group, and it fetches little ahead."""
    return _new_client(
        Consumer,
        {
            **_consumer_config(settings, client_id),
            "group.id": f"{client_id}-lag",
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 10,
            "queued.max.messages.kbytes": 2_048,
            "fetch.message.max.bytes": 262_144,
            **_group_timeouts(settings),
        },
    )


def offsets_consumer(settings: Settings, group: str, client_id: str) -> Consumer:
    """A consumer that asks for the offsets of a group, and never joins it."""
    config = {"group.id": group, "enable.auto.commit": False, **_group_timeouts(settings)}
    return _new_client(Consumer, {**config, **common_config(settings, client_id)})


def _consumer_config(settings: Settings, client_id: str) -> dict[str, Any]:
    return {
        **common_config(settings, client_id),
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "isolation.level": "read_committed",
        "fetch.queue.backoff.ms": _FETCH_BACKOFF_MS,
        "allow.auto.create.topics": settings.embedded_broker,
    }


@dataclass(frozen=True, slots=True)
class TransactionalProducer:
    """A producer of transactions, and what its client says of its connections while it is polled."""

    transactional_id: str
    client: Producer
    connections: ConnectionLog


def task_producer(
    settings: Settings, client_id: str, failures: list[KafkaError], largest_batch: int = _LARGEST_BATCH
) -> Producer:
    """The producer of one loop, at least once: `failures` collects the errors of delivery.

    No batch is larger than `largest_batch`, which every topic has to take: the broker refuses batches, not
    records.
    """
    config = _task_producer_config(settings, client_id, largest_batch)
    return _new_client(Producer, {**config, "on_delivery": _collect_into(failures), **settings.producer})


def task_transactions(
    settings: Settings, transactional_id: str, largest_batch: int = _LARGEST_BATCH
) -> TransactionalProducer:
    """The same for exactly once; a transaction reports the errors of delivery by itself."""
    config = _task_producer_config(settings, transactional_id, largest_batch)
    return _transactional(settings, transactional_id, config)


def _task_producer_config(settings: Settings, client_id: str, largest_batch: int) -> dict[str, Any]:
    return {
        **_producer_config(settings, client_id),
        "queue.buffering.max.messages": 1_000_000,
        "queue.buffering.max.kbytes": 1_048_576,
        "batch.size": min(largest_batch, _LARGEST_BATCH),
    }


def transactional_ids(member_id: str) -> tuple[str, str]:
    """The ids of a loop's two producers. The second is nobody else's: the ids of members end in a number."""
    return member_id, f"{member_id}-b"


def ingest_producer(
    settings: Settings,
    client_id: str,
    failures: list[KafkaError],
    on_error: Callable[[KafkaError], None] = log_client_error,
) -> Producer:
    """The producer of a TCP source: it never gives up a record, and holds few, so that senders wait."""
    config = {
        **_producer_config(settings, client_id),
        "error_cb": on_error,
        "message.timeout.ms": 0,
        "queue.buffering.max.messages": 100_000,
        "queue.buffering.max.kbytes": max(65_536, settings.max_message_bytes // 512),
        "on_delivery": _collect_into(failures),
    }
    return _new_client(Producer, {**config, **settings.producer})


def generator_transactions(settings: Settings, transactional_id: str) -> TransactionalProducer:
    """The producer of a generator: always transactional, because it writes the position too."""
    return _transactional(settings, transactional_id, _producer_config(settings, transactional_id))


def replay_transactions(settings: Settings, transactional_id: str) -> TransactionalProducer:
    """The producer of a replay: it is told of every record where it was written."""
    config = {**_producer_config(settings, transactional_id), "delivery.report.only.error": False}
    return _transactional(settings, transactional_id, config)


def remote_producer(settings: Settings, servers: str, client_id: str, one_by_one: bool) -> Producer:
    """The producer of a topic of another cluster: it stops at the first record that fails.

    Properties for the application's own cluster do not apply, passwords least of all.
    """
    config = {
        **_every_client(servers, client_id),
        "logger": CLIENT_LOG,
        **_producer_defaults(settings),
        "delivery.report.only.error": False,
        "enable.gapless.guarantee": True,
        # Less than the group takes to give the partitions of a process that stands still to another one.
        "message.timeout.ms": settings.session_timeout_ms * 4 // 5,
    }
    alone = {"batch.num.messages": 1, "max.in.flight.requests.per.connection": 1} if one_by_one else {}
    return _new_client(Producer, {**config, **settings.delivery, **alone})


def _producer_config(settings: Settings, client_id: str) -> dict[str, Any]:
    return {**common_config(settings, client_id), **_producer_defaults(settings)}


def _producer_defaults(settings: Settings) -> dict[str, Any]:
    return {
        "enable.idempotence": True,
        "compression.type": "lz4",
        "partitioner": "murmur2_random",
        "linger.ms": 1,
        "message.max.bytes": largest_record(settings),
        "delivery.report.only.error": True,
        "retry.backoff.ms": _RETRY_BACKOFF_MS,
        "error_cb": log_client_error,
    }


def largest_record(settings: Settings) -> int:
    """What a producer accepts: the largest record that the settings allow, as a dead letter."""
    given = {**settings.kafka, **settings.producer}.get("message.max.bytes")
    return int(given or min(settings.max_message_bytes + DEAD_LETTER_BYTES, _LARGEST_RECORD))


def _transactional(settings: Settings, transactional_id: str, more: dict[str, Any]) -> TransactionalProducer:
    """A transactional producer with these properties, whose log shows what becomes of its connections."""
    config = {
        # With the default, one that loses its last broker forgets all brokers, but waits for the former
        # coordinator of its group for ever (librdkafka 2.16; decision 0020).
        "metadata.recovery.strategy": "none",
        **more,
        "transactional.id": transactional_id,
        "transaction.timeout.ms": settings.transaction_timeout_ms,
        # A record that cannot be written is given up, and its transaction aborted, before the broker ends it:
        # that fences the producer, and its worker would die without the reason.
        "message.timeout.ms": settings.transaction_timeout_ms * 7 // 10,
        **settings.producer,
    }
    connections = _connection_log(config)
    client = _new_client(Producer, {**config, "logger": connections})
    return TransactionalProducer(transactional_id, client, connections)


def _connection_log(config: Mapping[str, Any]) -> ConnectionLog:
    """The logger of a client with these properties: it passes on what an operator has asked for."""
    log_level = int(config["log_level"]) if "log_level" in config else None
    return ConnectionLog(CLIENT_LOG, least_level(log_level, debugs=bool(config.get("debug"))))


def _collect_into(failures: list[KafkaError]) -> Callable[[Any, Any], None]:
    def collect(error: KafkaError | None, message: Any) -> None:
        if error is not None:
            failures.append(KafkaError(error.code(), f"{error.str()} (topic {message.topic()})"))

    return collect


def admin_client(settings: Settings, client_id: str) -> AdminClient:
    client = _new_client(AdminClient, common_config(settings, client_id))
    if settings.bootstrap_servers:
        POLLED.add(client)
    return client


def _new_client(kind: Callable[[dict[str, Any]], Client], config: dict[str, Any]) -> Client:
    """Make a client; SettingsError if it does not know a property or its value.

    One without a logger is a client of our own cluster, whose connections are watched.
    """
    if config.get("logger") is not CLIENT_LOG:
        # Debugging sets the client's log level by itself.
        debug = f"{config['debug']},{CONTEXT}" if config.get("debug") else CONTEXT
        watched = {"logger": _connection_log(config), **config, "debug": debug}
    else:
        watched = dict(config)
    try:
        return kind(watched)
    except KafkaException as error:
        if error.args[0].code() != KafkaError._INVALID_ARG:  # noqa: SLF001 - the client's public name for it
            raise
        # Not "from error": its text may hold what is hidden here.
        raise _refused_properties(config, error.args[0].str()) from None
    except (TypeError, ValueError) as error:
        raise _refused_properties(config, str(error)) from None


def _refused_properties(config: Mapping[str, Any], reason: str) -> SettingsError:
    """The client's reason, without the values in it: any of them may be a secret in the wrong place."""
    texts = {name: value for name, value in config.items() if isinstance(value, str)}
    values = {value for value in texts.values() if len(value) >= _SHORTEST_HIDDEN} - _WORDS
    shown = without_secrets(reason, values | secrets_of(texts))
    return SettingsError(
        f"the Kafka client refuses its properties: {shown}; mend the settings kafka, consumer, producer or "
        "delivery, or the time-outs that go with them"
    )

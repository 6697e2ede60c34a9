"""What a test does with a cluster: make topics, fill them, read them to their end, wait for something."""

import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    OffsetSpec,
    TopicMetadata,
)

T = TypeVar("T")
TIMEOUT_SECONDS = 30
KNOWN_SECONDS = 10
SETTLING = {
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
}


@dataclass(frozen=True, slots=True)
class Sent:
    """A record for `produce` that needs more than a key and a value; without a partition, the key decides."""

    key: bytes | str | None
    value: bytes | str | None
    partition: int = -1
    timestamp_ms: int = 0
    headers: tuple[tuple[str, bytes], ...] = ()


Pair = tuple[bytes | str | None, bytes | str | None]


def wait_until(condition: Callable[[], T], timeout_seconds: float = TIMEOUT_SECONDS) -> T:
    """The first truthy answer of `condition`; TimeoutError when there is none in time."""
    deadline = time.monotonic() + timeout_seconds
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout_seconds} s: {condition.__qualname__}")
        time.sleep(0.02)
    return answer


def create_topic(
    bootstrap: str, name: str, partitions: int = 4, config: Mapping[str, str] | None = None
) -> None:
    """Return when the topic is there and every partition has a leader that answers."""
    admin = _admin(bootstrap)
    topic = NewTopic(name, num_partitions=partitions, replication_factor=-1, config=dict(config or {}))
    admin.create_topics([topic])[name].result(TIMEOUT_SECONDS)
    wait_until(lambda: _leaders(admin, name) == partitions)
    end_offsets(bootstrap, name, IsolationLevel.READ_UNCOMMITTED)


def topic_config(bootstrap: str, topic: str) -> dict[str, str]:
    """Every configuration entry of the topic, defaults included."""
    admin = _admin(bootstrap)  # kept until the answer is there: without it the request is dropped
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    entries = admin.describe_configs([resource])[resource].result(TIMEOUT_SECONDS)
    return {name: entry.value for name, entry in entries.items()}


def alter_topic(bootstrap: str, topic: str, config: Mapping[str, str]) -> None:
    """Set properties of a topic that is there."""
    admin = _admin(bootstrap)
    entries = [ConfigEntry(n, v, incremental_operation=AlterConfigOpType.SET) for n, v in config.items()]
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=entries)
    admin.incremental_alter_configs([resource])[resource].result(TIMEOUT_SECONDS)


def produce(bootstrap: str, topic: str, records: Iterable[Pair | Sent]) -> None:
    """Send the records in order and return when all are acknowledged; the first error is raised."""
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "linger.ms": 5,
        }
    )
    errors: list[KafkaError] = []
    for record in records:
        sent = record if isinstance(record, Sent) else Sent(*record)
        _send(producer, topic, sent, errors)
    if left := producer.flush(TIMEOUT_SECONDS):
        raise TimeoutError(f"{left} records for {topic} are not acknowledged after {TIMEOUT_SECONDS} s")
    if errors:
        raise KafkaException(errors[0])


def read_topic(
    bootstrap: str,
    topic: str,
    isolation: str = "read_committed",
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> list[Message]:
    """Every message up to the end that the topic has at this moment, partition by partition in order.

    A transaction that is open at this moment is waited for; TimeoutError when it stays open.
    """
    return _read(bootstrap, topic, isolation, IsolationLevel.READ_UNCOMMITTED, timeout_seconds)


def read_visible(bootstrap: str, topic: str) -> list[Message]:
    """What a read_committed reader can see at this moment: it stops at the first open transaction."""
    return _read(bootstrap, topic, "read_committed", IsolationLevel.READ_COMMITTED, TIMEOUT_SECONDS)


def _read(
    bootstrap: str, topic: str, isolation: str, until: IsolationLevel, timeout_seconds: float
) -> list[Message]:
    missing = end_offsets(bootstrap, topic, until)
    messages: list[Message] = []
    deadline = time.monotonic() + timeout_seconds
    consumer = _reader(bootstrap, isolation)
    try:
        consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in missing])
        while missing:
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"{topic}: an open transaction? {missing} not reached in {timeout_seconds} s"
                )
            _sort_in(consumer.consume(1000, 0.1), messages, missing)
    finally:
        consumer.close()
    return sorted(messages, key=lambda message: (message.partition(), message.offset()))


def _sort_in(polled: list[Message], messages: list[Message], missing: dict[int, int]) -> None:
    """Keep what is a message; an end-of-partition at or behind the wanted offset completes its partition.

    Only that event tells the end: behind the last message there may be transaction markers.
    """
    for message in polled:
        error = message.error()
        if error is None:
            messages.append(message)
        elif error.code() != KafkaError._PARTITION_EOF:
            raise KafkaException(error)
        elif message.offset() >= missing.get(message.partition(), 0):
            missing.pop(message.partition(), None)


def end_offsets(bootstrap: str, topic: str, isolation: IsolationLevel) -> dict[int, int]:
    """Where each partition of a topic ends at this moment, for a reader of that isolation."""
    admin = _admin(bootstrap)
    found = admin.list_topics(topic, TIMEOUT_SECONDS).topics[topic]
    if found.error is not None:
        # A topic that was just made is not known to every node of a cluster yet.
        found = wait_until(lambda: _known(admin, topic), KNOWN_SECONDS)
    partitions = [TopicPartition(topic, partition) for partition in found.partitions]
    return wait_until(lambda: _settled_end_offsets(admin, partitions, isolation))


def _known(admin: AdminClient, topic: str) -> TopicMetadata | None:
    found = admin.list_topics(topic, TIMEOUT_SECONDS).topics[topic]
    return found if found.error is None else None


def _settled_end_offsets(
    admin: AdminClient, partitions: list[TopicPartition], isolation: IsolationLevel
) -> dict[int, int] | None:
    """None while a new or restarted broker still takes up its leadership."""
    latest = {partition: OffsetSpec.latest() for partition in partitions}
    answers = admin.list_offsets(latest, isolation_level=isolation)
    try:
        return {asked.partition: answer.result(TIMEOUT_SECONDS).offset for asked, answer in answers.items()}
    except KafkaException as error:
        if error.args[0].code() in SETTLING:
            return None
        raise


def _reader(bootstrap: str, isolation: str) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"reader-{uuid.uuid4()}",
            "isolation.level": isolation,
            "enable.partition.eof": True,
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 10,
        }
    )


def _send(producer: Producer, topic: str, sent: Sent, errors: list[KafkaError]) -> None:
    def collect(error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            errors.append(error)

    placed = {} if sent.partition < 0 else {"partition": sent.partition}
    while True:
        try:
            producer.produce(
                topic,
                sent.value,
                sent.key,
                timestamp=sent.timestamp_ms,
                headers=list(sent.headers),
                on_delivery=collect,
                **placed,
            )
        except BufferError:
            producer.poll(0.1)
            continue
        producer.poll(0)
        return


def _admin(bootstrap: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": bootstrap, "log_level": 4})


def _leaders(admin: AdminClient, topic: str) -> int:
    partitions = admin.list_topics(topic, TIMEOUT_SECONDS).topics[topic].partitions
    return sum(partition.leader >= 0 for partition in partitions.values())

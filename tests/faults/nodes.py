"""Three nodes: every topic on all of them, and two are enough to write."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from confluent_kafka.admin import AdminClient

from scripts.kafka.broker import SHORT_LIVED, KafkaBroker
from scripts.kafka.process import free_port
from tests.kafka.cluster import wait_until
from tests.kafka.provider import IMPATIENT

NODES = 3
REPLICATED = {
    "default.replication.factor": "3",
    "min.insync.replicas": "2",
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
}
WHOLE_SECONDS = 120


@contextmanager
def three_nodes() -> Iterator[tuple[KafkaBroker, ...]]:
    """A cluster of three brokers, each of which is a controller as well."""
    with TemporaryDirectory(prefix="wallaroo-nodes-") as folder:
        controllers = [free_port() for _ in range(NODES)]
        voters = ",".join(f"{n}@127.0.0.1:{port}" for n, port in enumerate(controllers, 1))
        brokers = tuple(_node(Path(folder), n, port, voters) for n, port in enumerate(controllers, 1))
        try:
            with ThreadPoolExecutor(NODES) as pool:
                # None of them serves anybody before most of them are there.
                list(pool.map(KafkaBroker.start, brokers))
            yield brokers
        finally:
            for broker in brokers:
                broker.kill()


def await_whole(servers: str) -> None:
    """Return when every partition is on as many nodes as it should be."""
    admin = AdminClient({"bootstrap.servers": servers, "log_level": 0})
    wait_until(lambda: _is_whole(admin), WHOLE_SECONDS)


def leader_of(servers: str, topic: str, number: int) -> int:
    """The node that leads a partition, and so coordinates what is noted there."""
    admin = AdminClient({"bootstrap.servers": servers, "log_level": 0})
    partitions = admin.list_topics(topic, 20).topics[topic].partitions
    return partitions[number % len(partitions)].leader


def _node(folder: Path, number: int, controller: int, voters: str) -> KafkaBroker:
    port = free_port()
    properties = {
        **IMPATIENT,
        **REPLICATED,
        "node.id": str(number),
        "controller.quorum.voters": voters,
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
    }
    return KafkaBroker(folder / str(number), port, properties, performance=SHORT_LIVED)


def _is_whole(admin: AdminClient) -> bool:
    found = admin.list_topics(timeout=20)
    partitions = [each for topic in found.topics.values() for each in topic.partitions.values()]
    return len(found.brokers) == NODES and all(len(each.isrs) == len(each.replicas) for each in partitions)

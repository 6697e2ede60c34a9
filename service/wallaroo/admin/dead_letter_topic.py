"""Reading the dead letters of an application, and what became of them."""

from wallaroo.admin.cluster import Reached
from wallaroo.admin.dead_letters import Letter, Register, Wanted, letter_of
from wallaroo.admin.records import read_topic
from wallaroo.errors import KafkaSetupError
from wallaroo.kafka.topic_ids import ask_topic_ids
from wallaroo.kafka.topics import handled_topic
from wallaroo.topology.model import Topology


def read_letters(cluster: Reached, topology: Topology, wanted: Wanted) -> list[Letter]:
    """The dead letters that are wanted, the oldest first.

    Raises KafkaSetupError if there is no topic of them.
    """
    topic = topology.dead_letters
    if topic not in cluster.topics:
        raise KafkaSetupError(
            f"there is no topic {topic} at {cluster.settings.bootstrap_servers}: no service of the "
            f"application {topology.application_id!r} has run there; see application_id and bootstrap_servers"
        )
    found = map(letter_of, read_topic(cluster, topic))
    return sorted((each for each in found if wanted.takes(each)), key=lambda each: (each.time_ms, each.place))


def read_register(cluster: Reached, topology: Topology) -> Register:
    """What has become of the dead letters of an application."""
    topics = [topology.dead_letters, *(read.topic for read in topology.sources)]
    register = Register(
        topology.dead_letters,
        ask_topic_ids(cluster.admin, [each for each in topics if each in cluster.topics]),
    )
    noted = handled_topic(topology).name
    if noted in cluster.topics:
        for message in read_topic(cluster, noted):
            if message.key() is not None and message.value() is not None:
                register.add(message.key(), message.value())
    return register

"""Whether Kafka clients take their properties: each kind is made once, at the start, and connects to nothing.

A client that is first made at a rebalance would end a running service for what was wrong from the beginning.
"""

from contextlib import closing

from confluent_kafka import KafkaError

from wallaroo.errors import SettingsError
from wallaroo.kafka.clients import (
    admin_client,
    generator_transactions,
    group_consumer,
    ingest_producer,
    offsets_consumer,
    remote_producer,
    restore_consumer,
    task_producer,
    task_transactions,
)
from wallaroo.settings import Guarantee, Settings
from wallaroo.topology.model import RemoteTopic, Topology

_MAPPINGS = ("kafka", "consumer", "producer", "delivery")
_SERVERS = ("bootstrap.servers", "metadata.broker.list")
_NAME = "check"
# What makes a client one of ours: with other values groups, offsets and transactions would be wrong.
_OURS = {
    "group.id": "it follows from application_id",
    "group.instance.id": "it follows from application_id and instance",
    "transactional.id": "it follows from application_id and instance",
    "group.protocol": "set group_protocol",
    "auto.offset.reset": "set auto_offset_reset and on_offset_out_of_range",
    "enable.auto.commit": "offsets are committed with the results",
    "enable.partition.eof": "a restore ends by it",
}


def check_clients(topology: Topology, settings: Settings) -> None:
    """Raise SettingsError if one of the clients that the topology takes refuses its properties, or we do."""
    _check_ours(settings)
    alone = _without_servers(settings)
    for open_consumer in (group_consumer, offsets_consumer):
        with closing(open_consumer(alone, _NAME, _NAME)):
            pass
    with closing(restore_consumer(alone, _NAME)):
        pass
    failures: list[KafkaError] = []
    admin_client(alone, _NAME)
    if alone.processing_guarantee is Guarantee.EXACTLY_ONCE:
        task_transactions(alone, _NAME)
    else:
        task_producer(alone, _NAME, failures)
    if topology.ingests:
        ingest_producer(alone, _NAME, failures)
    if topology.generators:
        generator_transactions(alone, _NAME)
    if any(isinstance(delivery.receiver, RemoteTopic) for delivery in topology.deliveries):
        for one_by_one in (False, True):
            remote_producer(alone, "", _NAME, one_by_one)


def _check_ours(settings: Settings) -> None:
    for mapping in _MAPPINGS:
        for name in _OURS.keys() & getattr(settings, mapping).keys():
            raise SettingsError(f"setting {mapping!r}: leave out the property {name!r}; {_OURS[name]}")


def _without_servers(settings: Settings) -> Settings:
    """The same settings, but nobody to connect to."""
    kept = {
        name: {key: value for key, value in getattr(settings, name).items() if key not in _SERVERS}
        for name in _MAPPINGS
    }
    return settings.model_copy(update={**kept, "bootstrap_servers": ""})

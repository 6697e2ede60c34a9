"""Hand the records of batches over to a producer."""

from collections.abc import Sequence
from typing import Any

from confluent_kafka import Producer

from wallaroo.record import Batch

_QUEUE_FULL_SECONDS = 0.1


def produce_all(producer: Producer, batches: Sequence[Batch]) -> None:
    """Hand everything over, in order; KafkaException where the client refuses a record as too large."""
    produce = producer.produce
    for batch in batches:
        for output in batch.outputs:
            try:
                produce(*output)
            except BufferError:
                _wait_and_produce(producer, output)
        partition = batch.partition.number
        for changes in batch.changes:
            topic = changes.topic
            for key, value in changes.values.items():
                try:
                    produce(topic, value, key, partition)
                except BufferError:
                    _wait_and_produce(producer, (topic, value, key, partition))


def _wait_and_produce(producer: Producer, output: tuple[Any, ...]) -> None:
    """The client's queue is full: let it drain, as long as it does."""
    while True:
        producer.poll(_QUEUE_FULL_SECONDS)
        try:
            producer.produce(*output)
        except BufferError:
            continue
        return

"""Generated values that their topic refuses: taken out of the pending batch, and rejected like records."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from confluent_kafka import KafkaError
from confluent_kafka.admin import AdminClient

from wallaroo.connectors.generator.task import PARTITION
from wallaroo.engine.refusals import AskLimits, Explain, ask_limits, in_aborted_transactions, refusal_of
from wallaroo.errors import KafkaSetupError, RecordError
from wallaroo.kafka.clients import generator_transactions
from wallaroo.record import Batch, Causes, Output, Partition
from wallaroo.settings import Settings
from wallaroo.task.dead_letters import FailureHandler, OnError
from wallaroo.task.limits import Refusal
from wallaroo.topology.model import Generator

WithoutRefused = Callable[[Batch, Refusal], Batch]


@dataclass(frozen=True, slots=True)
class RefusedValue:
    """A generated value as a record: it never got an offset or a time."""

    encoded: bytes

    def value(self) -> bytes:
        return self.encoded

    def key(self) -> None:
        return None

    def offset(self) -> int:
        return -1

    def timestamp(self) -> tuple[int, int]:
        return 0, -1

    def headers(self) -> None:
        return None


def with_causes(batch: Batch) -> Batch:
    """Name every value by its place, so that the refused ones can be found."""
    return replace(batch, causes=Causes({index: (index,) for index in range(len(batch.outputs))}, {}))


def explain_refusals(
    generator: Generator, settings: Settings, admin: AdminClient, dead_letters: str
) -> Explain:
    """Return what explains a refusal; every value is looked at, since none is generated a second time."""
    limits = partial(ask_limits, admin, settings, (generator.topic, generator.positions, dead_letters))
    return partial(_explain, generator, settings, limits)


def _explain(
    generator: Generator, settings: Settings, limits: AskLimits, batches: Sequence[Batch], error: KafkaError
) -> Refusal | None:
    open_send = in_aborted_transactions(
        lambda each: generator_transactions(settings, each).client, generator.transactional_id
    )
    return refusal_of(limits, open_send, [with_causes(batch) for batch in batches], error)


def without_refused(generator: Generator, on_error: OnError, dead_letters: str) -> WithoutRefused:
    """A function that leaves refused values out of a batch and deals with them as `on_error` says."""
    return partial(_without_refused, generator, on_error, dead_letters)


def _without_refused(
    generator: Generator, on_error: OnError, dead_letters: str, batch: Batch, refusal: Refusal
) -> Batch:
    outputs: list[Output] = []
    place = Partition(generator.topic, PARTITION)
    failures = FailureHandler(on_error, dead_letters, place, outputs.append, internal=True)
    failures.enforce(refusal.limits)
    found = {record.cause: record.why for record in refusal.records}
    if None in found:
        raise KafkaSetupError(
            f"Kafka refuses what the generator of the source {generator.source!r} writes: {found[None]}; see "
            f"cleanup.policy, message.timestamp.* and max.message.bytes of {generator.positions} and "
            f"{dead_letters}; a generator object that grows may have become too large for the former"
        )
    for index, output in enumerate(batch.outputs):
        why = refusal.limits.refusal(output) if output[0] == generator.topic else None
        if why is None and (index,) in found:
            why = f"{generator.topic} refuses the record: {found[index,]}"
        if why is None:
            outputs.append(output)
        else:
            failures.reject(RefusedValue(output[1]), generator.source, RecordError(why))
    return replace(
        batch,
        outputs=outputs,
        dead_letters={**batch.dead_letters, **failures.dead_letters},
        dropped={**batch.dropped, **failures.dropped},
        failures={**batch.failures, **failures.failures},
    )

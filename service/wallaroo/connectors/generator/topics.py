"""The topics of a generator: its saved position, its values, and how many of them nobody has read."""

from collections.abc import Callable
from contextlib import closing

from confluent_kafka.admin import AdminClient

from wallaroo.clock import Clock
from wallaroo.connectors.generator.backlog import Backlog, check_not_lost, saved_position
from wallaroo.connectors.generator.refused import WithoutRefused, explain_refusals, without_refused
from wallaroo.connectors.generator.task import POSITION_KEY
from wallaroo.engine.transaction import Commit, CommitResult, Probe, Writer, without_offsets
from wallaroo.kafka.clients import (
    admin_client,
    generator_transactions,
    offsets_consumer,
    restore_consumer,
)
from wallaroo.kafka.producers import ProducerTurns
from wallaroo.kafka.topic_ids import topic_watch
from wallaroo.record import Batch
from wallaroo.settings import Settings
from wallaroo.task.dead_letters import OnError
from wallaroo.topology.model import Generator

# So many values may wait to be read before the generator waits.
_MOST_UNREAD = 50_000


class GeneratorTopics:
    """The owner's access to the topics of a generator.

    `position` is the last one written, `pending` the batch to be written next. `admin` may be asked
    about topics.
    """

    def __init__(
        self,
        write: Writer,
        position: bytes | None,
        backlog: Backlog,
        without_refused: WithoutRefused = lambda batch, _refusal: batch,
        admin: AdminClient | None = None,
    ) -> None:
        self.position = position
        self.pending: Batch | None = None
        self.backlog = backlog
        self.admin = admin
        self._write = write
        self._without_refused = without_refused

    def write(self, batch: Batch) -> CommitResult:
        """Write values and position in one transaction; if aborted, it stays pending, less what was refused.

        Raises StopProcessing if a value was refused and the policy is to stop.
        """
        result = self._write(Commit((batch,), None))
        if result.committed:
            (changes,) = batch.changes
            self.position = changes.values[POSITION_KEY]
            self.backlog.written(batch.records)
            self.pending = None
        elif result.refusal is not None:
            self.pending = self._without_refused(batch, result.refusal)
        return result


def open_topics(
    generator: Generator, reader: str, settings: Settings, client_id: str, probe: Probe, dead_letters: str
) -> GeneratorTopics:
    """Take the topics over from the previous owner; `reader` is the group that reads the values."""
    admin = admin_client(settings, client_id)
    # Fences the previous owner, and aborts what it left open.
    turns = ProducerTurns([lambda: generator_transactions(settings, generator.transactional_id)])
    backlog = Backlog(
        admin, offsets_consumer(settings, reader, f"{client_id}-offsets"), generator.topic, _MOST_UNREAD
    )
    with closing(restore_consumer(settings, client_id)) as consumer:
        position = saved_position(consumer, generator.positions)
        if position is None and backlog.has_been_read:
            check_not_lost(consumer, generator)
    write = without_offsets(turns, probe, explain_refusals(generator, settings, admin, dead_letters))
    leave_out = without_refused(generator, OnError(settings.on_error), dead_letters)
    return GeneratorTopics(write, position, backlog, leave_out, None if settings.embedded_broker else admin)


def watch_topics(
    generator: Generator, settings: Settings, client_id: str, clock: Clock
) -> Callable[[], None]:
    """What raises KafkaSetupError once a topic of the generator is gone or made anew; it never waits."""
    topics = [generator.positions, generator.topic]
    return topic_watch(admin_client(settings, client_id), topics, clock).check

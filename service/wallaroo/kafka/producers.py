"""ProducerTurns: which transactional producer writes next, and when one is replaced.

Rules for whoever edits this file:
1. No transaction begins on a producer that is in doubt: a request of an earlier transaction, still on its
   way, would be taken for one of the next (decision 0028). To replace it raises the epoch of its id, and the
   broker refuses what is late.
2. Doubt is asked for after the producer has been polled: its log is served only then, and the line that says
   so is older than the answer to the request that was sent once more.
3. A producer is replaced in a thread of its own while another one writes. That begins and, if it is the
   only one, ends within `take`: whoever has lost the right to an id must not open it once more.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from confluent_kafka import KafkaException, Producer

from wallaroo.clock import Clock, SystemClock
from wallaroo.errors import CommitError
from wallaroo.kafka.clients import TransactionalProducer
from wallaroo.kafka.retry import may_pass, retry

_log = logging.getLogger(__name__)

_INIT_STEP_SECONDS = 1.0
_INIT_STEPS = 30
_INIT_POLL_SECONDS = 0.1

OpenProducer = Callable[[], TransactionalProducer]


def open_initialized(open_producer: OpenProducer) -> TransactionalProducer:
    """Open a producer; fences the one that had its id before, and aborts what that one left open."""
    made = open_producer()
    retry(partial(_initialize, made.client))
    return made


def _initialize(producer: Producer) -> None:
    """Wait in short steps, between which the client is polled: it says only then why it has to wait."""
    for _ in range(_INIT_STEPS - 1):
        try:
            producer.init_transactions(_INIT_STEP_SECONDS)
        except KafkaException as error:
            if not may_pass(error.args[0]):
                raise
            producer.poll(_INIT_POLL_SECONDS)
        else:
            return
    producer.init_transactions(_INIT_STEP_SECONDS)


@dataclass(slots=True)
class Turn:
    """One transactional id: its producer, or the one that is being opened to replace it.

    `aborted`, to be set, says that its transaction was: an abort forgets requests without an answer.
    """

    open_producer: OpenProducer
    opened: Future[TransactionalProducer] = field(default_factory=Future)
    aborted: bool = False

    @property
    def client(self) -> Producer:
        return self.opened.result().client

    @property
    def refused_topics(self) -> set[str]:
        """The topics that this producer was not allowed to write."""
        self.client.poll(0)
        return self.opened.result().connections.refused_topics

    def doubt(self) -> str:
        """Why no transaction may begin on this producer; empty if one may."""
        self.client.poll(0)
        return self.opened.result().connections.doubt or (
            "its transaction was aborted" if self.aborted else ""
        )


class ProducerTurns:
    """The producers of one loop, one for each id; each writes one transaction and lets the next one write."""

    def __init__(self, open_producers: Sequence[OpenProducer], clock: Clock | None = None) -> None:
        """Open all, one after the other; KafkaException if Kafka does not let one."""
        self._clock = clock or SystemClock()
        self._turns = [Turn(open_producer) for open_producer in open_producers]
        for turn in self._turns:
            turn.opened.set_result(open_initialized(turn.open_producer))

    @property
    def clients(self) -> dict[str, Producer]:
        """The producers as they were opened, by their transactional ids."""
        return {turn.opened.result().transactional_id: turn.client for turn in self._turns}

    def take(self) -> Turn:
        """The next one that is not in doubt; waits if all are being replaced.

        Raises CommitError if one cannot be replaced.
        """
        while not (sound := [turn for turn in self._turns if self._is_sound(turn)]):
            wait([turn.opened for turn in self._turns], return_when=FIRST_COMPLETED)
        self._turns.remove(sound[0])
        self._turns.append(sound[0])
        return sound[0]

    def _is_sound(self, turn: Turn) -> bool:
        """Whether a transaction may begin; if there is doubt, the producer begins to be replaced."""
        if not turn.opened.done():
            return False
        if error := turn.opened.exception():
            raise CommitError(f"a transactional producer cannot be replaced: {error}") from error
        if why := turn.doubt():
            self._replace(turn, why)
        return not why

    def _replace(self, turn: Turn, why: str) -> None:
        old, turn.opened, turn.aborted = turn.client, Future(), False
        arguments = (turn, turn.opened, old, why)
        threading.Thread(target=self._open_another, args=arguments, name="producer", daemon=True).start()

    def _open_another(
        self, turn: Turn, opened: Future[TransactionalProducer], old: Producer, why: str
    ) -> None:
        began = self._clock.monotonic()
        try:
            made = open_initialized(turn.open_producer)
        except BaseException as error:
            opened.set_exception(error)
            return
        seconds = self._clock.monotonic() - began
        _log.info("producer replaced", extra={"id": made.transactional_id, "why": why, "seconds": seconds})
        opened.set_result(made)
        # Last: it may take its time, and nobody waits for it.
        with suppress(KafkaException):
            old.close()

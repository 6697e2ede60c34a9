"""LagMeter: the lags of a worker's loops, once a second, in a thread of its own.

The loops' threads may be busy with one record for minutes, and their consumers know only the ends of what
they have fetched; so the cluster is asked where partitions end.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from wallaroo.clock import Clock
from wallaroo.engine.lag import LagBook, Reached
from wallaroo.engine.metrics import LoopMetrics
from wallaroo.kafka.clients import admin_client, sample_consumer
from wallaroo.kafka.offsets import request_end_offsets
from wallaroo.kafka.sample import Sampler
from wallaroo.record import Place
from wallaroo.settings import Settings

_log = logging.getLogger(__name__)

_EVERY_SECONDS = 1.0
_REQUEST_SECONDS = 5.0


class Lagging(Protocol):
    """A loop that reads partitions; `records_in` says how many records a message holds."""

    metrics: LoopMetrics
    has_batches: bool

    def done(self) -> Mapping[Place, int]: ...
    def records_in(self, message: Any) -> int: ...


class LagMeter:
    """Measures until `stop`; `open_admin` is called in its thread."""

    def __init__(
        self, loops: Sequence[Lagging], open_admin: Callable[[], AdminClient], sampler: Sampler, clock: Clock
    ) -> None:
        self._books = [(loop, LagBook(has_batches=loop.has_batches)) for loop in loops]
        self._open_admin = open_admin
        self._sampler = sampler
        self._clock = clock
        self._stopping = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._run, name="lag", daemon=True).start()

    def stop(self) -> None:
        self._stopping.set()

    def _run(self) -> None:
        admin = self._open_admin()
        while not self._stopping.wait(_EVERY_SECONDS):
            try:
                self.measure(lambda places: ends_of(admin, places))
            except KafkaException as error:
                # The next look may succeed; until then, the lags stay as they were.
                _log.debug("lag unknown", extra={"error": error.args[0].str()})

    def measure(self, ends_of: Callable[[Sequence[Place]], Mapping[Place, int]]) -> None:
        """Set the lag of every partition that the loops read."""
        for loop, book in self._books:
            # First how far it is done: what comes in between counts as waiting.
            done, density = loop.done(), loop.metrics.density
            reached = {place: Reached(offset, density(place[1])) for place, offset in done.items()}
            ends = ends_of(list(reached)) if reached else {}
            loop.metrics.set_lags(lags(book, reached, ends, self._sampler, loop.records_in, self._clock))


def lags(
    book: LagBook,
    reached: Mapping[Place, Reached],
    ends: Mapping[Place, int],
    sampler: Sampler,
    records_in: Callable[[Any], int],
    clock: Clock,
) -> Mapping[Place, int]:
    """The lag of each partition, once the backlogs are looked at that need it."""
    now = clock.monotonic()
    book.update(now, reached, ends)
    for place, start, end in book.to_sample(now, reached):
        density = sampler.records_per_offset(place, start, end, records_in)
        after = clock.monotonic()
        book.sampled(place, after, density, after - now)
    return book.update(clock.monotonic(), reached, ends)


def new_lag_meter(loops: Sequence[Lagging], settings: Settings, client_id: str, clock: Clock) -> LagMeter:
    """What measures the lags of the loops of a worker."""
    sampler = Sampler(partial(sample_consumer, settings, client_id), clock)
    return LagMeter(loops, partial(admin_client, settings, client_id), sampler, clock)


def ends_of(admin: AdminClient, places: Sequence[Place]) -> dict[Place, int]:
    """Where partitions end, as far as the cluster says."""
    found = {}
    for place, answer in request_end_offsets(admin, places, _REQUEST_SECONDS).items():
        try:
            found[place] = int(answer.result().offset)
        except KafkaException as error:
            _log.debug("end unknown", extra={"place": place, "error": error.args[0].str()})
    return found

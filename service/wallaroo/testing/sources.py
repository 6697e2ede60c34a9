"""TCP sources and generators of an application in the driver; they write to in-memory logs."""

from collections.abc import Iterable
from dataclasses import replace

from wallaroo.clock import Clock
from wallaroo.connectors.generator.task import POSITION_KEY, GeneratorTask, Positions
from wallaroo.connectors.tcp.framing import Frames, new_frames
from wallaroo.record import Partition
from wallaroo.serde.codecs import Codecs
from wallaroo.testing.logs import Logs
from wallaroo.topology.model import Generator, Ingest


class Sources:
    """The sources of one application that do not begin in Kafka."""

    def __init__(self, generators: Iterable[Generator], codecs: Codecs, logs: Logs, clock: Clock) -> None:
        self._logs = logs
        self._clock = clock
        self._frames: dict[tuple[str, int], Frames] = {}
        self._positions = {g.name: Positions(g, codecs) for g in generators}
        self._tasks: dict[str, GeneratorTask] = {}

    def send_frames(self, ingest: Ingest, data: bytes, connection: int) -> None:
        """Receive bytes of one connection; raises FramingError after the frames that precede a bad header."""
        frames = self._frames.setdefault((ingest.name, connection), new_frames(ingest))
        number = connection % self._logs.partitions[ingest.topic]
        for payload in frames.feed(data):
            self._logs.append((ingest.topic, payload, None, number, None, None, self._clock.now_ms()))
        if frames.error is not None:
            del self._frames[ingest.name, connection]
            raise frames.error

    def generate(self, generator: Generator, values: int) -> int:
        """Write the next values in transactions; returns how many, fewer if the generator has ended."""
        task = self._tasks.pop(generator.name, None) or self._restored(generator)
        batch = task.collect(values, lambda: False) if values > 0 else None
        # A task whose generator raised is not kept: its position may be half changed.
        self._tasks[generator.name] = task
        if batch is None:
            return 0
        now = self._clock.now_ms()
        self._logs.write(replace(batch, outputs=[(*output, None, None, now) for output in batch.outputs]))
        self._logs.end_transaction([batch])
        return batch.records + self.generate(generator, values - batch.records)

    def crash(self) -> None:
        """Break every connection, and forget what is not in the logs."""
        self._frames.clear()
        self._tasks.clear()

    def _restored(self, generator: Generator) -> GeneratorTask:
        saved = self._logs.compacted(Partition(generator.positions, 0)).get(POSITION_KEY)
        return self._positions[generator.name].new_task(saved)

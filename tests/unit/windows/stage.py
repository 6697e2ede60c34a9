"""One window stage in a task of its own, behind a repartition topic: seconds in, results out."""

import wallaroo
from tests.properties.window_samples import by_key
from wallaroo.record import Partition
from wallaroo.serde.codecs import codecs_of
from wallaroo.task.context import ApplicationContext
from wallaroo.task.dead_letters import OnError
from wallaroo.task.stores import new_stores
from wallaroo.task.task import Task
from wallaroo.testing.logs import Message, Record
from wallaroo.topology.compile import compile_topology
from wallaroo.windows.control import encode_report
from wallaroo.windows.future import FutureBound
from wallaroo.windows.watermark import NEVER, WatermarkStatus

S = 1_000_000_000
KEY = b"key"


@wallaroo.decoder()
def decode(bs):
    return bs


class Sum(wallaroo.Aggregation):
    def initial_accumulator(self):
        return 0

    def update(self, message, total):
        return total + message

    def combine(self, one, other):
        return one + other

    def output(self, key, total):
        return total


class Lists(wallaroo.Aggregation):
    """All values in the order in which they are combined."""

    def initial_accumulator(self):
        return []

    def update(self, message, values):
        values.append(message)

    def combine(self, one, other):
        return one + other

    def output(self, key, values):
        return values


def range_windows(length, slide=None, delay=0, policy="drop", over=Sum):
    """Windows in seconds."""
    made = wallaroo.range_windows(wallaroo.seconds(length)).with_slide(wallaroo.seconds(slide or length))
    return made.with_delay(wallaroo.seconds(delay)).with_late_data_policy(policy).over(over)


@wallaroo.encoder
def as_text(made):
    return repr(made)


def compiled(*windows, upstreams=1):
    """The sub-topologies of an application whose source has so many partitions."""
    source = wallaroo.source("in", wallaroo.KafkaSourceConfig("in", decoder=decode))
    pipeline = source.key_by(by_key)
    for each in windows:
        pipeline = pipeline.to(each)
    sink = wallaroo.KafkaSinkConfig("out", encoder=as_text)
    application = wallaroo.build_application("app", pipeline.to_sink(sink))
    topology = compile_topology(application)
    topics = [sub.input.topic for sub in topology.sub_topologies]
    return topology.sub_topologies, {topic: upstreams if topic == "in" else 2 for topic in [*topics, "out"]}


class Stage:
    """A task that reads what it is told to; everything it writes is committed at once."""

    def __init__(self, *windows, upstreams=1, on_error=OnError.DEAD_LETTER, future=None):
        (_, sub), partitions = compiled(*windows, upstreams=upstreams)
        codecs = codecs_of(None)
        self.sub = sub
        self.stores = new_stores(sub, codecs.state)
        self._values = codecs.values
        self.future = future or FutureBound()
        self._surroundings = ApplicationContext(
            codecs.values, {**partitions, "dlq": 1}, "dlq", on_error, future=self.future
        )
        self.batches = []
        self.start(0)

    def start(self, offset):
        """A new task over what is committed."""
        self.offset = offset
        self.task = Task(
            self.sub, Partition(self.sub.input.topic, 0), offset, self.stores, self._surroundings
        )

    def message(self, value, second, key=KEY):
        """One message; what is written because of it, as (text, milliseconds)."""
        return self.read(self._values.encode(value), key, second * 1000)

    def watermark(self, second, upstream=0, idle=False):
        """One control record of an upstream."""
        at = NEVER if second is None else second * S
        status = WatermarkStatus(at, idle, 7 if idle else -1)
        return self.read(encode_report(f"in/{upstream}", status), None, 0)

    def look(self, second, caught_up=True):
        """The wall clock; `caught_up`: all idle upstreams still have nothing to read."""
        now_ms = second * 1000
        self.task.observe(now_ms, None)
        due = self.task.timeline.due_ms
        if due is not None and due <= now_ms:
            question = self.task.timeline.ask(now_ms)
            ends = {place: position + (not caught_up) for place, position in question.upstreams.items()}
            ends[self.task.partition.topic, 0] = self.offset
            assert self.task.answer(question, ends) is None
        return self.commit()

    def read(self, value, key, timestamp_ms):
        record = Record(self.sub.input.topic, 0, self.offset, value, key, int(timestamp_ms))
        self.offset += 1
        rewind = self.task.process([Message(record)])
        if rewind is not None:
            self.task.rollback()
            self.task.process([Message(record)])
        return self.commit()

    def commit(self):
        batch = self.task.collect()
        if batch is None:
            return []
        self.batches.append(batch)
        self.task.committed(batch)
        return [(output[1].decode(), output[6]) for output in batch.outputs if output[0] == "out"]


def step(stage, value, second, watermark):
    """A message, then a watermark, as the original's tests have them; returns the values written."""
    made = stage.message(value, second) + stage.watermark(watermark)
    return [eval(text) for text, _ in made]  # noqa: S307 - written by ourselves

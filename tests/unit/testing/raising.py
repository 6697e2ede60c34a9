"""An application whose every function of the user's raises what a test has put into `raised`."""

import asyncio

import wallaroo
from wallaroo.testing import ApplicationDriver


class Panic(BaseException):
    """As a native library raises it: no Exception."""


class MuteError(BaseException):
    """Whatever asks it for a text is told to end."""

    def __str__(self):
        raise SystemExit("no text")

    __repr__ = __str__


class LoudError(Exception):
    def __str__(self):
        return "x" * 1_000_000


class Odd(str):
    """A text that cannot be cut."""

    def __getitem__(self, _):
        raise GeneratorExit


class OddlyTextedError(Exception):
    def __str__(self):
        return Odd("odd")


class Unnamed(type):
    """A class whose name raises."""

    def __getattribute__(cls, name):
        if name in ("__qualname__", "__module__", "__name__"):
            raise Panic
        return super().__getattribute__(name)


LongNamedError = type("Long\né" * 100_000, (BaseException,), {})
UnnamedError = Unnamed("UnnamedError", (Exception,), {})

RAISED = [
    *(asyncio.CancelledError(), Panic("unwrap on None"), SystemExit("cannot parse"), SystemExit(0)),
    *(KeyboardInterrupt(), GeneratorExit(), StopIteration(7), StopAsyncIteration(), MemoryError()),
    *(RecursionError("deep"), BaseExceptionGroup("several", [Panic()]), MuteError(), LoudError()),
    *(OddlyTextedError(), LongNamedError("long"), UnnamedError("unnamed"), ValueError("usual")),
]
PLACES = ["decode", "event_time", "extract", "compute", "update state", "getstate", "encode"]
OF_WINDOWS = ["initial_accumulator", "update", "combine", "output"]

raised = {}


def here(place, message):
    if message == "bad" and place in raised:
        raise raised[place]


class Total:
    """Its first object is made by a record that fails, where a test says so."""

    def __init__(self):
        if raised.get("making"):
            raise raised["making"]
        self.seen = []
        self.is_bad = False

    def __getstate__(self):
        if self.is_bad and "getstate" in raised:
            raise raised["getstate"]
        return self.__dict__


@wallaroo.decoder()
def decode(data):
    here("decode", data.decode())
    return data.decode()


@wallaroo.key_extractor
def key(message):
    here("extract", message)
    return message


def event_time(message):
    here("event_time", message)
    return 1_000_000_000


@wallaroo.computation("compute")
def compute(message):
    here("compute", message)
    return message


@wallaroo.state_computation("total", Total)
def total(message, state):
    state.seen.append({1})
    state.is_bad = message == "bad"
    here("update state", message)
    return message


@wallaroo.encoder
def encode(message):
    here("encode", message)
    return message


class All(wallaroo.Aggregation):
    def initial_accumulator(self):
        here("initial_accumulator", raised.get("message"))
        return []

    def update(self, message, acc):
        here("update", message)
        return [*acc, message]

    def combine(self, one, other):
        here("combine", other[0] if other else None)
        return [*one, *other]

    def output(self, key, acc):
        here("output", key)
        return key


def driver(pipeline, **options):
    application = wallaroo.build_application("raising", pipeline.to_sink(SINK))
    return ApplicationDriver(application, partitions=2, time_of_day_ms=1_000, **options)


SOURCE = wallaroo.source("in", wallaroo.KafkaSourceConfig("in", decoder=decode, event_time=event_time))
SINK = wallaroo.KafkaSinkConfig("out", encoder=encode)
STAGES = SOURCE.to(compute).key_by(key).to(total)
WINDOWS = SOURCE.key_by(key).to(wallaroo.range_windows(wallaroo.seconds(1)).over(All))

"""An application that does what EFFECT says, and of which a driver and a service must say the same."""

import asyncio
import contextvars
import decimal
import os
import signal
import sqlite3
import sys
import threading

import wallaroo

EFFECT = os.environ.get("EFFECT", "")

decimal.getcontext().prec = 40
chosen: contextvars.ContextVar[str] = contextvars.ContextVar("chosen")
chosen.set("chosen")
bound = threading.local()
bound.value = 7
database = sqlite3.connect(":memory:")
seen: dict[str, int] = {}
shared: list[sqlite3.Connection] = []


class Panic(BaseException):
    """As a native library raises it: no Exception."""


class Total:
    count = 0


def application_setup(args):
    _, in_topic, out_topic = (arg.partition("=")[2] or arg for arg in args)
    source = wallaroo.source("in", wallaroo.KafkaSourceConfig(in_topic, decoder=decode))
    sink = wallaroo.KafkaSinkConfig(out_topic, encoder=encode)
    return wallaroo.build_application("alike", source.key_by(key).to(count).to_sink(sink))


@wallaroo.decoder()
def decode(data):
    if data == b"exit in decode":
        sys.exit("cannot decode")
    return data.decode()


@wallaroo.key_extractor
def key(message):
    if message == "shared on first use":
        _shared().execute("select 1")
    return str(hash(message)) if EFFECT == "bound" else message


@wallaroo.state_computation(name="count", state=Total)
def count(message, state):
    state.count += 1
    return f"{message} {state.count} {_effect(message, state.count)}"


@wallaroo.encoder
def encode(result):
    if result.startswith("exit in encode"):
        sys.exit("cannot encode")
    return result


def _effect(message, count):
    if message in _RAISED:
        raise _RAISED[message]
    return _BOUND[message](count) if message in _BOUND else ""


def _own(count):
    """A connection for each thread that needs one; it holds the first count of that thread."""
    if not hasattr(bound, "database"):
        bound.database = sqlite3.connect(":memory:")
        bound.database.execute(f"create table counts as select {count} as count")
    return bound.database.execute("select count from counts").fetchone()


def _shared():
    """A connection of the thread that needs one first."""
    if not shared:
        shared.append(sqlite3.connect(":memory:"))
    return shared[0]


_BOUND = {
    "context": lambda _: f"{chosen.get()} {decimal.Decimal(1) / 3}",
    "variable": lambda count: seen.setdefault("variable", count),
    "thread-local of import": lambda _: bound.value,
    "connection of import": lambda _: database.execute("select 5"),
    "event loop of import": lambda _: asyncio.get_event_loop(),
    "event loop of its own": lambda _: asyncio.run(asyncio.sleep(0, "slept")),
    "signal": lambda _: signal.signal(signal.SIGALRM, signal.SIG_IGN),
    "own on first use": _own,
    "shared on first use": lambda _: _shared().execute("select 1"),
    "thread": lambda _: threading.current_thread() is threading.main_thread(),
}

_RAISED = {
    "cancelled": asyncio.CancelledError(),
    "panic": Panic("called `unwrap` on `None`"),
    "exit": SystemExit(3),
    "keyboard": KeyboardInterrupt(),
    "generator exit": GeneratorExit(),
    "stop iteration": StopIteration(),
}

if EFFECT == "serialize":

    def serialize(value):
        return str(value)

    def deserialize(text):
        return text

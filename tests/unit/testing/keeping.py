"""An application that notes things down in variables of its module, as one that has no other state."""

import functools
import itertools
import random
import threading
from collections import Counter, deque

import wallaroo
from tests.unit.testing import keeping_more

LIMIT = 3
seen: dict[str, int] = {}
counts: Counter[str] = Counter()
last: deque[str] = deque(maxlen=2)
latest = None
table = {number: number for number in range(20_000)}


class Notes:
    made = 0

    def __init__(self):
        self.lines = []


notes = Notes()
registry = {"notes": notes, "lock": threading.Lock(), "used": 0}
numbers = itertools.count()
chance = random.Random(5)  # noqa: S311 - no secret
bound = threading.local()


def in_attributes_and_defaults(message, before=[]):  # noqa: B006 - as applications do
    in_attributes_and_defaults.calls += 1
    before.append(message)
    return [in_attributes_and_defaults.calls, len(before)]


in_attributes_and_defaults.calls = 0


def counting():
    calls = 0

    def count():
        nonlocal calls
        calls += 1
        return calls

    return count


in_closure = counting()


@functools.cache
def cached(_message):
    return [0]


def application_setup(_args):
    source = wallaroo.source("in", wallaroo.KafkaSourceConfig("in", decoder=decode))
    sink = wallaroo.KafkaSinkConfig("out", encoder=encode)
    return wallaroo.build_application("keeping", source.to(note).to_sink(sink))


@wallaroo.decoder()
def decode(data):
    return data.decode()


@wallaroo.computation("note")
def note(message):
    global latest  # noqa: PLW0603 - as applications do
    before = [len(seen), counts[message], len(last), len(notes.lines), Notes.made, cached(message)[0]]
    before += [latest, len(keeping_more.lines), "added" in globals(), table.get("new")]
    before += [*in_attributes_and_defaults(message), in_closure(), next(numbers), chance.random()]
    before += [getattr(bound, "times", 0), registry["used"], registry["notes"] is notes]
    bound.times = getattr(bound, "times", 0) + 1
    registry["used"] += 1
    seen[message] = 1
    counts[message] += 1
    last.append(message)
    notes.lines.append(message)
    Notes.made += 1
    cached(message)[0] += 1
    latest = message
    keeping_more.lines.append(message)
    globals()["added"] = message
    return before


@wallaroo.encoder
def encode(before):
    return repr(before)

"""Small applications whose records say themselves where they are to fail.

A record is the text `key:amount:deed`; the deed names the place.
"""

from collections import defaultdict

from pydantic import BaseModel

import wallaroo

FINE, DROPPED, UNSAID = "fine", "dropped", "unsaid"
# In order: the decoder, a computation, the extractor, the stage, half-way through it, its state, the encoder.
UNREADABLE, UNCOMPUTED, UNKEYED = "unreadable", "uncomputed", "unkeyed"
REFUSED, HALFWAY, UNSTORABLE, UNWRITABLE = "refused", "halfway", "unstorable", "unwritable"
FAILURES = (UNREADABLE, UNCOMPUTED, UNKEYED, REFUSED, HALFWAY, UNSTORABLE, UNWRITABLE)
GOOD = (FINE, DROPPED, UNSAID)


class Plain:
    """Stored as JSON attributes."""

    total = 0

    def add(self, amount):
        self.total += amount

    def spoil(self):
        self.spoilt = lambda: self.total


class Nested:
    """Stored as pickled attributes."""

    def __init__(self):
        self.history = []
        self.last = ()

    @property
    def total(self):
        return sum(self.history)

    def add(self, amount):
        self.history.append(amount)
        self.last = (amount, tuple(self.history))

    def spoil(self):
        self.history.append(lambda: None)


class Slotted:
    """Stored as a whole."""

    __slots__ = ("amounts",)

    def __init__(self):
        self.amounts = defaultdict(int)

    @property
    def total(self):
        return self.amounts["all"]

    def add(self, amount):
        self.amounts["all"] += amount

    def spoil(self):
        self.amounts[lambda: None] = 1


class Model(BaseModel):
    """Stored as a model's JSON."""

    total: int = 0
    latest: int | None = None

    def add(self, amount):
        self.total += amount
        self.latest = amount

    def spoil(self):
        self.total = lambda: None


STATES = (Plain, Nested, Slotted, Model)


def split(message):
    key, amount, deed = message.split(":")
    return key, int(amount), deed


@wallaroo.decoder()
def decode(bs):
    message = bs.decode()
    split(message)
    return message


@wallaroo.encoder
def encode(message):
    key, amount, deed = split(message)
    if deed == UNWRITABLE:
        raise ValueError(message)
    return str(amount), key


@wallaroo.key_extractor
def extract_key(message):
    key, _, deed = split(message)
    if deed == UNKEYED:
        raise ValueError(message)
    return key


@wallaroo.key_extractor
def extract_initial(message):
    return message[0]


@wallaroo.computation("look")
def look(message):
    _, _, deed = split(message)
    if deed == UNCOMPUTED:
        raise ValueError(message)
    return None if deed == DROPPED else message


@wallaroo.computation_multi("double")
def double(message):
    seen = look.compute(message)
    return None if seen is None else [seen, None, seen]


def totals(name, state_class):
    """A running total per key, that fails where the record says so."""

    @wallaroo.state_computation(name, state_class)
    def total(message, state):
        key, amount, deed = split(message)
        if deed == REFUSED:
            raise ValueError(message)
        state.add(amount)
        if deed == HALFWAY:
            raise ValueError(message)
        if deed == UNSTORABLE:
            state.spoil()
        return None if deed == UNSAID else f"{key}:{amount if deed == UNSTORABLE else state.total}:{deed}"

    return total


def totals_multi(name, state_class):
    """Every total twice."""
    single = totals(name, state_class)

    @wallaroo.state_computation_multi(name, state_class)
    def total(message, state):
        made = single.compute(message, state)
        return None if made is None else [made, None, made]

    return total


def source(name="in", partitioned_by=None):
    config = wallaroo.KafkaSourceConfig(name, decoder=decode, partitioned_by=partitioned_by)
    return wallaroo.source(name, config)


def finished(pipeline):
    return wallaroo.build_application(
        "app", pipeline.to_sink(wallaroo.KafkaSinkConfig("out", encoder=encode))
    )


def stateless():
    return finished(source().to(look))


def partitioned(state_class=Plain):
    """No hop: the record's own key is promised to be the one extracted."""
    return finished(
        source(partitioned_by=extract_key).to(look).key_by(extract_key).to(totals("total", state_class))
    )


def hopping(state_class=Plain):
    return finished(source().to(look).key_by(extract_key).to(totals("total", state_class)))


def multiplying(state_class=Plain):
    return finished(source().to(double).key_by(extract_key).to(totals_multi("total", state_class)))


def merging(state_class=Plain):
    both = source("in").to(look).merge(source("other").to(look))
    return finished(both.key_by(extract_key).to(totals("total", state_class)))


def chained(state_class=Plain):
    """Totals of the totals, by the first letter of the key."""
    first = source().to(look).key_by(extract_key).to(totals("total", state_class))
    return finished(first.key_by(extract_initial).to(totals("grand total", state_class)))


def collecting(state_class=Plain):
    return finished(source().to(look).to(totals("total", state_class)))

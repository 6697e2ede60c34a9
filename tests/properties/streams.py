"""Random streams, and random ways to run a driver through them."""

from collections import defaultdict
from dataclasses import dataclass
from itertools import accumulate
from random import Random

from hypothesis import strategies as st

from tests.properties.samples import FAILURES, FINE, GOOD, UNREADABLE
from wallaroo.testing import ApplicationDriver, Pace

KEYS = ("a", "b", "ab", "ß", "日本")


@dataclass(frozen=True, slots=True)
class Sent:
    """One record for a source."""

    key: str
    amount: int
    deed: str = FINE
    topic: str = "in"

    @property
    def value(self):
        return b"\xff" if self.deed == UNREADABLE else f"{self.key}:{self.amount}:{self.deed}".encode()


def streams(deeds=GOOD, topics=("in",)):
    """Records of a few keys, or of one alone."""
    return st.sampled_from((KEYS[:1], KEYS[:2], KEYS)).flatmap(lambda keys: _streams(deeds, topics, keys))


def _streams(deeds, topics, keys):
    amounts = st.integers(-3, 3) | st.integers(-(10**25), 10**25)
    deed = st.just(FINE) | st.sampled_from(deeds)
    record = st.builds(Sent, st.sampled_from(keys), amounts, deed, st.sampled_from(topics))
    return _long_or_short(record)


def _long_or_short(items):
    """Lists that are not mostly short, as hypothesis would have them."""
    sizes = st.sampled_from((0, 6, 15))
    return sizes.flatmap(lambda size: st.lists(items, min_size=size, max_size=size + 10))


def paces():
    orders = st.integers(0, 2**16).map(lambda seed: Random(seed).choice)  # noqa: S311 - not for secrets
    return st.builds(Pace, st.integers(1, 9), st.none() | st.integers(1, 6), orders)


def partitions():
    counts = st.integers(1, 5)
    return st.fixed_dictionaries({"in": counts, "out": counts, "app-dlq": counts})


# What may happen to a service, in any order.
_OVERLAP = (*(("step", n) for n in (1, 1, 2, 3, 7)), *(("begin_commit", None),) * 3)
_TROUBLE = (("send", 3), ("commit", None), ("abort", None), ("crash", None), ("run", None))


def scripts():
    """Some records arrive, some are processed, a commit begins, fails, and so on."""
    begins = st.sampled_from(([], [("send", 4)], [("send", 25)]))
    events = st.sampled_from((_OVERLAP, _OVERLAP * 2 + _TROUBLE, _OVERLAP + _TROUBLE))
    return st.builds(list.__add__, begins, events.flatmap(lambda some: _long_or_short(st.sampled_from(some))))


# Where all has been sent before anything runs: an empty partition is not waited for.
scripts_without_sending = scripts().map(lambda script: [event for event in script if event[0] != "send"])


def feed(driver, records):
    """Send records, keyed."""
    for record in records:
        driver.send(record.topic, record.value, record.key)


def driven(application, sent, script=(), pace=None, partitions=4, on_error="dead_letter"):
    """A driver that has been through a script, and then through all that was left."""
    return follow(ApplicationDriver(application, partitions, on_error, pace), sent, script)


def follow(driver, sent, script, feed=feed):
    """The driver, behind a script and all that was left; `feed` sends it some of that."""
    waiting = list(sent)
    for name, count in script:
        if name == "send":
            feed(driver, waiting[:count])
            del waiting[:count]
        elif count is None:
            getattr(driver, name)()
        else:
            driver.step(count)
    feed(driver, waiting)
    driver.run()
    return driver


def outputs(driver, topic="out"):
    """The amounts in a topic by key, in order."""
    found = defaultdict(list)
    for record in driver.records(topic):
        found[record.key.decode()].append(int(record.value))
    return dict(found)


def rejected(driver):
    """The records in the dead-letter topic, whichever hop they had got to."""
    return sorted(letter.value.removeprefix(b"1S") for letter in driver.dead_letters())


def good(sent):
    return [record for record in sent if record.deed not in FAILURES]


def failing(sent, deeds=FAILURES):
    return sorted(record.value for record in sent if record.deed in deeds)


def by_key(sent):
    found = defaultdict(list)
    for record in sent:
        found[record.key].append(record)
    return dict(found)


def running_totals(sent):
    """The model: what a running total per key says, as `samples.totals` does."""
    said = {}
    for key, records in by_key(r for r in good(sent) if r.deed != "dropped").items():
        sums = accumulate(record.amount for record in records)
        said[key] = [total for total, record in zip(sums, records, strict=True) if record.deed != "unsaid"]
    return {key: totals for key, totals in said.items() if totals}


def final_totals(sent):
    records = by_key(r for r in good(sent) if r.deed != "dropped")
    return {key: sum(record.amount for record in found) for key, found in records.items()}


def stored_totals(driver, stage, keys):
    """The committed totals of a stage; a key without state is left out."""
    states = {key: driver.state(stage, key) for key in keys}
    return {key: state.total for key, state in states.items() if state is not None}

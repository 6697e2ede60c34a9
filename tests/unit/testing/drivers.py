"""Drivers of a running total behind `key:amount` records."""

from tests.properties import samples
from wallaroo.testing import ApplicationDriver

TOTAL = "total"


def driver(*records, application=None, **options):
    made = ApplicationDriver(application or samples.hopping(), **options)
    for record in records:
        made.send("in", f"{record}:fine" if record.count(":") == 1 else record, record.partition(":")[0])
    return made


def total(made, key):
    state = made.state(TOTAL, key)
    return state and state.total

"""Windows of an application that has its own `serialize` and `deserialize`."""

import json
from types import ModuleType

from tests.properties.window_samples import Counting, Shape, behind_a_hop, read
from wallaroo.testing import ApplicationDriver

SHAPE = Shape(range=10, slide=5)


def own_module():
    """Knows messages, which are tuples here, and accumulators; nothing else."""
    made = ModuleType("own")
    made.serialize = lambda value: json.dumps([type(value) is tuple, value]).encode()

    def deserialize(data):
        is_tuple, value = json.loads(data)
        return tuple(value) if is_tuple else value

    made.deserialize = deserialize
    return made


def run(*windows):
    driver = ApplicationDriver(behind_a_hop(*windows), 1, module=own_module())
    for second in (1, 2, 6, 16):
        driver.send("in", f"a:{second}:0", "a", timestamp_ms=second)
        driver.run()
        driver.crash()
    return driver


def test_range_windows_keep_their_accumulators_by_it():
    driver = run(SHAPE.declared())
    assert read(driver) == {"a": [((1, 2), 4), ((1, 2, 6), 9), ((6,), 14)]}
    stored = [record.value for record in driver.records("app-gather-changelog") if record.value]
    assert all(b"1U[false, [" in value for value in stored)


def test_count_windows_too():
    assert read(run(Counting(2).declared())) == {"a": [((1, 2), 2), ((6, 16), 16)]}

"""A receiver and a clock for every test of a sink."""

from collections.abc import Iterator

import pytest

from tests.unit.connectors.receiver import Receiver
from wallaroo.clock import ManualClock


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()

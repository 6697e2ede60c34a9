"""Every implementation of the port of a store, for the tests of its contract."""

import pytest

from wallaroo.state.memory import MemoryStore

IMPLEMENTATIONS = [MemoryStore]


@pytest.fixture(params=IMPLEMENTATIONS)
def implementation(request):
    """Takes a name, what makes a new object, a codec, and what says that an object has expired."""
    return request.param

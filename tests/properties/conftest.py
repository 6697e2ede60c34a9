"""How hard the laws are tried: HYPOTHESIS_PROFILE=thorough looks fifteen times as long."""

import os
import resource

import pytest
from hypothesis import settings

settings.register_profile("quick", max_examples=40, deadline=None)
settings.register_profile("thorough", max_examples=600, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

MEMORY_BYTES = 4_000_000_000


@pytest.fixture(scope="module")
def limited_memory():
    """What a forged number asks for beyond this is a MemoryError, and not the end of the machine."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)

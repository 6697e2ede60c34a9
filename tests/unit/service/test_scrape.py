"""The memory of processes and of what they run in, as Linux says it."""

import os
import sys
from pathlib import Path

import pytest

from wallaroo.observability import metrics
from wallaroo.service.scrape import limit_bytes, memory_limit, memory_of, resident_bytes

PAGE = os.sysconf("SC_PAGE_SIZE")
MACHINE = os.sysconf("SC_PHYS_PAGES") * PAGE


def test_the_resident_pages_of_a_process_are_its_second_number(tmp_path):
    (tmp_path / "17").mkdir()
    (tmp_path / "17" / "statm").write_text("900 34 5 1 0 200 0\n")
    assert resident_bytes(17, tmp_path) == 34 * PAGE


@pytest.mark.parametrize("said", ["0 0 0 0 0 0 0\n", ""])
def test_a_process_that_has_ended_has_no_memory(tmp_path, said):
    (tmp_path / "17").mkdir()
    (tmp_path / "17" / "statm").write_text(said)
    assert resident_bytes(17, tmp_path) is None
    assert resident_bytes(18, tmp_path) is None


def test_what_has_no_memory_has_no_series():
    assert memory_of(None) == {}


@pytest.mark.skipif(sys.platform != "linux", reason="Linux says it in /proc")
def test_this_process_has_memory_within_the_limit():
    resident = memory_of(os.getpid())[metrics.RESIDENT_MEMORY.name, ()]
    assert 1_000_000 < resident <= memory_limit()[metrics.MEMORY_LIMIT.name, ()]


def test_the_limit_is_that_of_the_container(tmp_path):
    (tmp_path / "memory.max").write_text("1000000\n")
    assert limit_bytes((Path("/nowhere"), tmp_path / "memory.max")) == 1_000_000


@pytest.mark.parametrize("said", ["max\n", f"{2**63 - 4096}\n"])
def test_without_a_limit_it_is_what_the_machine_has(tmp_path, said):
    (tmp_path / "memory.max").write_text(said)
    assert limit_bytes((tmp_path / "memory.max",)) == MACHINE

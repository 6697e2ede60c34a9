"""The limits of the code's structure, and a trace of the service that has to stay inside them."""

import pytest

from scripts.figures import LIMITS, read_modules, structure_figures, way_figures
from scripts.traced import PACKAGE, trace_ways


@pytest.fixture(scope="module")
def structure():
    return structure_figures(read_modules(PACKAGE))


@pytest.fixture(scope="module")
def traced():
    return way_figures(trace_ways())


def assert_within(figures, *names):
    beyond = [
        f"{name}: {figures[name]}, at most {LIMITS[name]}" for name in names if figures[name] > LIMITS[name]
    ]
    assert not beyond, f"{'; '.join(beyond)}; python -m scripts.figures lists them"


def test_the_package_has_at_most_250_modules(structure):
    assert_within(structure, "modules")


def test_the_package_has_at_most_35_500_lines_without_public_docstrings(structure):
    assert_within(structure, "lines", "lines without public docstrings")


def test_at_most_ten_small_modules_have_only_one_importer(structure):
    assert_within(structure, "small modules with one importer")


def test_a_module_imports_at_most_twelve_others(structure):
    assert_within(structure, "largest import fan-out")


def test_a_record_passes_at_most_twelve_functions_in_six_files(traced):
    assert_within(traced, "functions on a record's way", "files on a record's way")


def test_a_commit_passes_at_most_ten_functions_in_four_files_of_its_room(traced):
    assert_within(traced, "functions on a commit's way", "files on a commit's way")


def test_every_figure_has_a_limit(structure, traced):
    assert LIMITS.keys() == structure.keys() | traced.keys()

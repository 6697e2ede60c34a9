"""Every format tag stands in one table, and on one page."""

import ast
import re
from pathlib import Path

import pytest

from wallaroo.serde.formats import FORMATS

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "service" / "wallaroo"
PAGE = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
TABLE = PACKAGE / "serde" / "formats.py"


def tags_in(path):
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    literals = [node.value for node in nodes if isinstance(node, ast.Constant)]
    return {value for value in literals if isinstance(value, bytes) and re.match(rb"\d[A-Z]", value)}


def rows_of(place):
    """Tag, layout, file and version of each row below the heading of a place."""
    _, _, section = PAGE.partition(f"## {place.capitalize()}\n")
    rows = re.findall(r"^\| `(\d[A-Z])` \| (.+) \| .+ \| `(.+)` \| (.+) \|$", section.split("\n## ")[0], re.M)
    return [(tag.encode(), layout, since) for tag, layout, _, since in rows]


@pytest.mark.parametrize("path", sorted({*PACKAGE.rglob("*.py")} - {TABLE}), ids=str)
def test_a_tag_is_written_out_in_the_table_only(path):
    assert tags_in(path) == set()


def test_every_tag_of_the_table_has_a_format():
    assert tags_in(TABLE) == {format_.tag for format_ in FORMATS}


def test_a_tag_has_one_format_in_a_place():
    places = [(format_.tag, format_.place) for format_ in FORMATS]
    assert len({*places}) == len(places)


@pytest.mark.parametrize("place", sorted({format_.place for format_ in FORMATS}))
def test_the_page_says_the_same_as_the_table(place):
    formats = [format_ for format_ in FORMATS if format_.place == place]
    assert rows_of(place) == [(format_.tag, format_.layout, format_.since) for format_ in formats]


def test_the_files_on_the_page_are_there():
    files = re.findall(r"`([a-z_/]+\.py)` \| \d", PAGE)
    assert len(files) == len(FORMATS)
    assert [file for file in files if not (PACKAGE / file).is_file()] == []

"""What README and docs say is run, or held against the code."""

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

import wallaroo
from wallaroo import testing
from wallaroo.settings import Settings

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_python_of_a_page_runs_from_top_to_bottom(page, monkeypatch):
    # A module like a user's file: its classes can be pickled and loaded again by their names.
    module = ModuleType(f"page_{page.stem}".replace("-", "_"))
    module.__file__ = str(page)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for block in blocks(page, "python"):
        exec(compile(block, str(page), "exec"), vars(module))  # noqa: S102 - our own pages


def anchors(page: Path) -> set[str]:
    """Where links into a page may lead, by its headings."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower()) for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_and_heading_a_page_links_to_exists(page):
    links = re.findall(r"\]\(((?!http)[^)#]*)(?:#([^)]*))?\)", page.read_text())
    targets = [(page.parent / link if link else page, anchor) for link, anchor in links]
    assert [target for target, _ in targets if not target.exists()] == []
    into_pages = [(target, anchor) for target, anchor in targets if anchor and target.suffix == ".md"]
    assert [(target, anchor) for target, anchor in into_pages if anchor not in anchors(target)] == []


def test_every_setting_has_a_line_in_its_page():
    page = (ROOT / "docs" / "settings.md").read_text()
    assert [name for name in Settings.model_fields if f"| `{name}` |" not in page] == []


@pytest.mark.parametrize(("name", "field"), Settings.model_fields.items())
def test_the_page_of_settings_begins_each_line_with_the_sentence_of_the_help(name, field):
    page = (ROOT / "docs" / "settings.md").read_text().replace("`", "")
    (explained,) = re.findall(rf"^\| {name} \|[^|]*\| (.*) \|$", page, re.MULTILINE)
    assert f"{explained} ".startswith(f"{field.description}. ")


def test_every_make_target_that_a_page_names_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = "\n".join(page.read_text() for page in PAGES)
    named = {word for line in re.findall(r"^make ([a-z -]+)", text, re.MULTILINE) for word in line.split()}
    assert named - targets == set()


def test_every_public_name_is_once_in_the_reference():
    pages = sorted((ROOT / "docs" / "api").glob("*.md"))
    shown = [name for page in pages for name in re.findall(r"^::: (\S+)$", page.read_text(), re.MULTILINE)]
    public = [f"wallaroo.{name}" for name in wallaroo.__all__]
    assert sorted(shown) == sorted(public + [f"wallaroo.testing.{name}" for name in testing.__all__])


RUNBOOK = re.split(r"^## ", (ROOT / "docs" / "operate" / "runbook.md").read_text(), flags=re.MULTILINE)[1:]


@pytest.mark.parametrize("symptom", RUNBOOK, ids=lambda symptom: symptom.splitlines()[0])
def test_each_symptom_of_the_runbook_says_what_to_see_to_do_and_to_verify(symptom):
    wanted = ("**see.**", "**means", "do.**", "**verify.**")
    assert [word for word in wanted if word not in symptom.lower()] == []


def test_the_index_leads_to_every_page_of_the_tutorial():
    index = (ROOT / "docs" / "README.md").read_text()
    pages = sorted((ROOT / "docs" / "tutorial").glob("*.md"))
    assert [page.name for page in pages if f"](tutorial/{page.name})" not in index] == []


PACKAGE = ROOT / "service" / "wallaroo"
SOURCES = {path: path.read_text() for path in PACKAGE.rglob("*.py")}
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()
COLUMNS = 3
CODE_NAME = re.compile(r"`([A-Za-z_]\w*(?:\.\w+)?)`")
FILE_NAME = re.compile(r"`((?:[a-z_]+/)+\w+\.py)`")


def defined_in(text: str, name: str) -> bool:
    """Whether a file defines this function, class, or method of a class."""
    owner, _, member = name.rpartition(".")
    found = re.search(rf"^ *(?:def|class) {member}\b", text, re.MULTILINE)
    return bool(found) and (not owner or re.search(rf"^class {owner}\b", text, re.MULTILINE) is not None)


def steps_of_architecture() -> list[tuple[str, tuple[str, ...]]]:
    """The rows of tables of three columns that end in files: each name of code in them, and those files."""
    rows = [line.strip("| ").split(" | ") for line in ARCHITECTURE.splitlines() if line.startswith("| ")]
    return [
        (name, tuple(FILE_NAME.findall(row[-1])))
        for row in rows
        if len(row) == COLUMNS and FILE_NAME.search(row[-1])
        for name in CODE_NAME.findall(row[1].partition(":")[0] if row[0] != "event" else row[-1])
    ]


@pytest.mark.parametrize(("name", "files"), steps_of_architecture())
def test_every_step_of_the_architecture_is_defined_in_a_file_it_names(name, files):
    assert any(defined_in((PACKAGE / file).read_text(), name) for file in files)


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`([A-Z]\w+\.\w+)`", ARCHITECTURE))))
def test_every_method_the_architecture_names_exists(name):
    assert any(defined_in(text, name) for text in SOURCES.values())


@pytest.mark.parametrize("name", sorted(set(FILE_NAME.findall(ARCHITECTURE))))
def test_every_file_the_architecture_names_exists(name):
    assert (PACKAGE / name).exists() or (ROOT / name).exists()

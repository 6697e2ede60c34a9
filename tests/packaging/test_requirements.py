"""requirements/*.txt, which `make lock` writes, beside pyproject.toml; nothing is asked of an index."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
GROUPS = PROJECT["dependency-groups"]
TEXTS = {file.stem: file.read_text() for file in sorted((ROOT / "requirements").glob("*.txt"))}
HASH = r" \\\n    --hash=sha256:[0-9a-f]{64}"
LOCKED = re.compile(rf"^([a-z0-9][a-z0-9.-]*)==(\S+?)((?: ; [^\\\n]+)?)((?:{HASH})+)$", re.MULTILINE)


def group(name):
    """What a dependency group asks for, with the groups that it includes."""
    for entry in GROUPS[name]:
        if isinstance(entry, dict):
            yield from group(entry["include-group"])
        else:
            yield Requirement(entry)


def locked(name):
    """From each package of a file to its version and to the condition under which it is installed."""
    return {package: (version, marker) for package, version, marker, _ in LOCKED.findall(TEXTS[name])}


RUNTIME = [Requirement(entry) for entry in PROJECT["project"]["dependencies"]]
WANTED = [("runtime", each) for each in RUNTIME] + [("dev", each) for each in RUNTIME]
WANTED += [(name, each) for name in GROUPS for each in group(name)]


def test_there_is_a_file_for_the_dependencies_and_for_each_group():
    assert TEXTS.keys() == {"runtime", *GROUPS}


@pytest.mark.parametrize(("name", "wanted"), WANTED, ids=str)
def test_a_dependency_is_locked_at_a_version_within_its_range(name, wanted):
    version, _ = locked(name)[canonicalize_name(wanted.name)]
    assert version in wanted.specifier


@pytest.mark.parametrize("wanted", RUNTIME, ids=str)
def test_a_dependency_of_the_service_is_installed_everywhere(wanted):
    _, marker = locked("runtime")[canonicalize_name(wanted.name)]
    assert (marker, wanted.marker) == ("", None)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_every_line_is_a_package_with_hashes_or_a_comment(text):
    left = re.sub(r"^ *#.*\n", "", LOCKED.sub("", text), flags=re.MULTILINE)
    assert left.strip() == ""


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_no_file_says_where_packages_come_from(text):
    assert not re.search(r"://|--(extra-)?index-url|--find-links|--trusted-host", text)


def test_a_package_has_the_same_version_in_every_file():
    versions = {(package, version) for name in TEXTS for package, (version, _) in locked(name).items()}
    assert len(versions) == len({package for package, _ in versions})


def test_what_builds_the_package_is_locked():
    assert {*PROJECT["build-system"]["requires"]} <= {*map(str, group("build"))}


def test_the_image_and_the_developers_install_nothing_without_a_hash():
    recipes = [(ROOT / name).read_text() for name in ("Dockerfile", "Makefile", "scripts/setup.sh")]
    installs = [line for text in recipes for line in text.splitlines() if re.search(r"--requirement\b", line)]
    assert len(installs) >= len(TEXTS)
    assert [line for line in installs if not re.search(r"--require-hashes|\$\(LOCKED\)", line)] == []

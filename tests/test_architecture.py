"""Who may import whom, who may touch the world, and how long anything may get."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "service" / "wallaroo"

OURS = sorted(PACKAGE.rglob("*.py"))
APPLICATIONS = sorted((ROOT / "topologies").glob("*.py"))
SCHEMAS = sorted((ROOT / "schemas").rglob("*.py"))

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 40

PURE = {"errors", "record", "clock", "refusals", "version"}
BASE = {"errors", "record", "clock"}
CORE = BASE | {"topology", "serde", "state", "windows", "task"}
EDGE = CORE | {"refusals", "settings", "observability", "kafka"}
# A package may always import itself; what is not listed here may import nothing of ours.
MAY_IMPORT = {
    "errors": set(),
    "record": set(),
    "clock": set(),
    "refusals": set(),
    "version": set(),
    "secret_files": {"errors", "refusals"},
    "settings": {"errors", "refusals", "secret_files"},
    "api": {"errors", "record"},
    "experimental": {"errors", "record", "api"},
    "topology": {"errors", "record", "api"},
    "serde": {"errors", "record"},
    "state": BASE | {"serde", "topology"},
    "windows": BASE | {"api", "serde", "state", "topology"},
    "task": BASE | {"api", "serde", "state", "topology", "windows"},
    "observability": {"errors", "record", "refusals", "settings"},
    "kafka": BASE | {"refusals", "settings", "observability", "topology"},
    "engine": EDGE,
    "connectors": EDGE | {"api", "engine"},
    "service": EDGE | {"api", "engine", "connectors", "admin", "version"},
    "admin": EDGE | {"engine"},
    "demo": BASE | {"settings", "observability", "kafka", "service"},
    "testing": CORE | {"api", "engine", "connectors"},
    "cli": {
        "errors",
        "clock",
        "refusals",
        "secret_files",
        "settings",
        "topology",
        "observability",
        "connectors",
        "admin",
        "service",
        "demo",
        "version",
    },
    "__main__": {"cli"},
}

ONLY_IN = {
    "confluent_kafka": {"kafka", "engine", "connectors", "service", "admin", "demo"},
    "socket": {"connectors"},
    "socketserver": {"connectors"},
    "prometheus_client": {"observability"},
    "starlette": {"observability"},
    "uvicorn": {"observability"},
    "typer": {"cli"},
    "rich": {"cli"},
}
EDGES = {"clock", "kafka", "engine", "connectors", "service", "admin", "demo", "cli", "observability"}
CLOCKS_AND_DICE = {
    *("time.time", "time.time_ns", "time.monotonic", "time.monotonic_ns"),
    *("time.perf_counter", "time.perf_counter_ns", "datetime.datetime.now", "datetime.datetime.utcnow"),
    *("datetime.datetime.today", "datetime.date.today", "uuid.uuid1", "uuid.uuid4", "os.urandom"),
}
DICE_MODULES = {"random", "secrets"}

Found = tuple[int, str]


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def part_of(path: Path) -> str:
    """The package or module directly below wallaroo that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[Found]:
    """Every dotted name that is imported anywhere in the file, absolute, members included."""
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = absolute(path, node)
            yield from ((node.lineno, f"{origin}.{alias.name}") for alias in node.names)


def absolute(path: Path, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    home = path.relative_to(ROOT / "service").parts[: -node.level]
    return ".".join([*home, *filter(None, [node.module])])


def names_used(path: Path) -> Iterator[Found]:
    """Every dotted name in the file, with what imports call it replaced by where it comes from."""
    tree = parse(path)
    origins: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            origins |= {alias.asname: alias.name for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom):
            origins |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute):
            first, dot, rest = ast.unparse(node).partition(".")
            yield node.lineno, origins.get(first, first) + dot + rest


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (
        node for node in ast.walk(parse(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def forbidden_imports(path: Path) -> Iterator[Found]:
    here = part_of(path)
    if here == "__init__":  # the list of public names
        return
    allowed = MAY_IMPORT.get(here, set()) | {here}
    for line, name in imported(path):
        first, _, rest = name.partition(".")
        if first == "wallaroo" and rest.partition(".")[0] not in allowed:
            yield line, f"{here} may not import {name}; it may import {', '.join(sorted(allowed))}"


def strangers(path: Path) -> Iterator[Found]:
    here = part_of(path)
    for line, name in imported(path):
        owners = ONLY_IN.get(name.partition(".")[0], {here})
        if here not in owners:
            yield line, f"{name.partition('.')[0]} belongs in {' or '.join(sorted(owners))}, not in {here}"


def clocks_and_dice(path: Path) -> Iterator[Found]:
    if part_of(path) in EDGES:
        return
    for line, name in imported(path):
        if name.partition(".")[0] in DICE_MODULES:
            yield line, f"{name} is chance; pass it in"
    for line, name in {*names_used(path)}:
        if name in CLOCKS_AND_DICE:
            yield line, f"{name} is time or chance; pass it in"


def beyond(path: Path, allowed: set[str]) -> Iterator[Found]:
    """Imports of anything else than the standard library and the packages named."""
    for line, name in imported(path):
        first = name.partition(".")[0]
        if first not in allowed and first not in sys.stdlib_module_names:
            yield line, f"{name} may not be imported here"


def overlong(path: Path) -> Iterator[Found]:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    if lines > MAX_FILE_LINES:
        yield 1, f"{lines} lines; split a file at {MAX_FILE_LINES}"
    for function in functions(path):
        length = (function.end_lineno or 0) - function.lineno + 1
        if length > MAX_FUNCTION_LINES:
            yield function.lineno, f"{function.name} has {length} lines; split it at {MAX_FUNCTION_LINES}"


def assert_none(path: Path, found: Iterator[Found]) -> None:
    places = [f"{path.relative_to(ROOT)}:{line}: {what}" for line, what in sorted(found)]
    assert not places, "\n".join(places)


def each(files: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", files, ids=[str(file.relative_to(ROOT)) for file in files])


@each(OURS)
def test_imports_point_down(path):
    assert_none(path, forbidden_imports(path))


@each([path for path in OURS if part_of(path) in PURE])
def test_the_lowest_modules_need_only_the_standard_library(path):
    assert_none(path, beyond(path, set()))


@each(OURS)
def test_the_outside_world_is_touched_only_where_it_belongs(path):
    assert_none(path, strangers(path))


@each([PACKAGE / "engine" / "task_group.py", PACKAGE / "engine" / "pacing.py"])
def test_the_core_of_the_engine_knows_no_kafka_no_clock_and_no_thread(path):
    outside = {"confluent_kafka", "threading", "time", "queue", "concurrent"}
    names = {name.partition(".")[0] for _, name in imported(path)}
    rooms = {name.split(".")[1] for _, name in imported(path) if name.startswith("wallaroo.")}
    assert not names & outside
    assert rooms <= CORE - {"clock"}


@each(OURS)
def test_time_and_chance_are_passed_in(path):
    assert_none(path, clocks_and_dice(path))


@each(OURS + APPLICATIONS + SCHEMAS)
def test_files_and_functions_stay_short(path):
    assert_none(path, overlong(path))


@each(APPLICATIONS)
def test_an_application_needs_only_wallaroo_and_the_schemas(path):
    assert_none(path, beyond(path, {"wallaroo", "schemas"}))


@each([path for path in OURS if path.read_text(encoding="utf-8").strip()])
def test_a_module_says_first_what_it_is(path):
    assert ast.get_docstring(parse(path)), f"{path.relative_to(ROOT)}:1: no docstring"


def test_every_part_has_its_place_in_the_table():
    assert {part_of(path) for path in OURS} - {"__init__"} <= MAY_IMPORT.keys()

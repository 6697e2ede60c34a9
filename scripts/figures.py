"""`python -m scripts.figures` says how the code is cut, beside the limits that a test holds; or all as JSON.

- Modules and lines: every `*.py` of the package in which there is a line, lines as `wc -l` counts them. An
  empty `__init__.py` only makes a folder a package.
- Public docstrings: those of `api/` and `testing/`, which users read as the reference (decision 0023).
- Small modules with one importer: at most 60 lines, imported by exactly one other module of ours; an
  `__init__.py` that imports it to offer it counts only where nobody else does. Left out are `__init__.py`
  themselves, and interfaces: modules that define classes, all of them Protocols or ABCs, and no function with
  a body of its own.
- Import fan-out: how many distinct modules of ours one module imports, for types or inside of functions too;
  the package's own `__init__.py`, the list of public names, is left out.
- A record's way and a commit's way: see `scripts.ways`. The limits of a commit's way are those of the room
  (the folder) in which the transaction begins; what is called in other rooms is listed below it.
"""

import argparse
import ast
import json
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.traced import PACKAGE, trace_ways
from scripts.ways import Function, Ways

LIMITS = {
    "modules": 250,
    "lines": 36_500,
    "lines without public docstrings": 35_500,
    "small modules with one importer": 10,
    "largest import fan-out": 12,
    "functions on a record's way": 12,
    "files on a record's way": 6,
    "functions on a commit's way": 10,
    "files on a commit's way": 4,
}

SMALL_LINES = 60
_INTERFACES = {"Protocol", "ABC"}
_PUBLIC = [["api"], ["testing"]]
_SHOWN_FAN_OUTS = 5


@dataclass(frozen=True, slots=True)
class Module:
    """A file of the package; `imports` are the names of other modules in it, public docstrings are lines."""

    name: str
    is_package: bool
    lines: int
    public_docstrings: int
    is_interface: bool
    imports: frozenset[str]


def read_modules(package: Path) -> dict[str, Module]:
    """All modules below the folder of a package that are not empty, by dotted name."""
    files = {_dotted(file, package): file for file in sorted(package.rglob("*.py")) if file.stat().st_size}
    return {name: _read(name, file, files.keys()) for name, file in files.items()}


def importers(modules: Mapping[str, Module], name: str) -> list[str]:
    """Who imports a module; packages only where no other module does."""
    found = [other for other in modules.values() if name in other.imports]
    return [other.name for other in found if not other.is_package] or [other.name for other in found]


def small_with_one_importer(modules: Mapping[str, Module]) -> dict[str, str]:
    """The small modules that are no interfaces, each with its only importer."""
    small = [m.name for m in modules.values() if m.lines <= SMALL_LINES]
    candidates = [name for name in small if not (modules[name].is_package or modules[name].is_interface)]
    by_module = {name: importers(modules, name) for name in candidates}
    return {name: found[0] for name, found in by_module.items() if len(found) == 1}


def fan_outs(modules: Mapping[str, Module]) -> list[tuple[str, int]]:
    """How many modules each one imports, the largest first."""
    counted = [(name, len(module.imports)) for name, module in modules.items() if "." in name]
    return sorted(counted, key=lambda pair: (-pair[1], pair[0]))


def structure_figures(modules: Mapping[str, Module]) -> dict[str, int]:
    """The figures that reading the files gives."""
    return {
        "modules": len(modules),
        "lines": sum(module.lines for module in modules.values()),
        "lines without public docstrings": sum(m.lines - m.public_docstrings for m in modules.values()),
        "small modules with one importer": len(small_with_one_importer(modules)),
        "largest import fan-out": fan_outs(modules)[0][1],
    }


def way_figures(ways: Ways) -> dict[str, int]:
    """The figures that tracing gives."""
    inside, _ = _by_room(ways)
    return {
        "functions on a record's way": len(ways.record),
        "files on a record's way": _files(ways.record),
        "functions on a commit's way": len(inside),
        "files on a commit's way": _files(inside),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Count, trace and print."""
    parser = argparse.ArgumentParser(prog="python -m scripts.figures", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--json", action="store_true", help="everything, as one JSON object")
    options = parser.parse_args(argv)
    modules, ways = read_modules(PACKAGE), trace_ways()
    figures = structure_figures(modules) | way_figures(ways)
    print(json.dumps(_everything(modules, ways, figures)) if options.json else _table(modules, ways, figures))
    return 0


def _everything(modules: Mapping[str, Module], ways: Ways, figures: Mapping[str, int]) -> Mapping[str, Any]:
    return {
        "figures": figures,
        "limits": LIMITS,
        "small_modules_with_one_importer": small_with_one_importer(modules),
        "fan_outs": dict(fan_outs(modules)),
        "record_way": ways.record,
        "commit_way": ways.commit,
        "commit_room": ways.commit_room,
    }


def _table(modules: Mapping[str, Module], ways: Ways, figures: Mapping[str, int]) -> str:
    inside, around = _by_room(ways)
    rows = [f"{name:34}{value:>8,}{LIMITS[name]:>8,}" for name, value in figures.items()]
    small = [
        f"{name}  ({modules[name].lines}, {by})" for name, by in small_with_one_importer(modules).items()
    ]
    widest = [f"{name}  {count}" for name, count in fan_outs(modules)[:_SHOWN_FAN_OUTS]]
    return "\n".join(
        [
            f"{'':34}{'today':>8}{'limit':>8}",
            *rows,
            *_listed("small modules with one importer (lines, importer)", small),
            *_listed("import fan-out", widest),
            *_listed("a record's way", _lines(ways.record)),
            *_listed(f"a commit's way in {ways.commit_room}", _lines(inside)),
            *_listed(
                f"a commit's way elsewhere: {len(around)} functions, {_files(around)} files", _lines(around)
            ),
        ]
    )


def _listed(heading: str, lines: Sequence[str]) -> list[str]:
    return ["", heading, *(f"  {line}" for line in lines)]


def _lines(functions: Sequence[Function]) -> list[str]:
    return [f"{function.file:36}{function.name}" for function in functions]


def _by_room(ways: Ways) -> tuple[list[Function], list[Function]]:
    """A commit's functions in the folder in which the transaction begins, and the others."""
    inside = [f for f in ways.commit if Path(f.file).parent.as_posix() == ways.commit_room]
    return inside, [f for f in ways.commit if f not in inside]


def _files(functions: Sequence[Function]) -> int:
    return len({function.file for function in functions})


def _dotted(file: Path, package: Path) -> str:
    parts = file.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _read(name: str, file: Path, known: Collection[str]) -> Module:
    text = file.read_text(encoding="utf-8")
    tree = ast.parse(text, str(file))
    is_package = file.name == "__init__.py"
    home = name if is_package else name.rpartition(".")[0]
    imported = frozenset(_imported(tree, home, known)) - {name}
    public = _docstring_lines(tree) if name.split(".")[1:2] in _PUBLIC else 0
    return Module(name, is_package, text.count("\n"), public, _is_interface(tree), imported)


def _docstring_lines(tree: ast.Module) -> int:
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    first = [node.body[0] for node in ast.walk(tree) if isinstance(node, documented) and node.body]
    texts = [n for n in first if isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant)]
    return sum((text.end_lineno or text.lineno) - text.lineno + 1 for text in texts)


def _imported(tree: ast.Module, home: str, known: Collection[str]) -> Iterator[str]:
    """The modules among the known ones that are imported, in whatever form."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            origin = _origin(node, home)
            names = [f"{origin}.{alias.name}" for alias in node.names]
            yield from (name if name in known else origin for name in names if {name, origin} & {*known})


def _origin(node: ast.ImportFrom, home: str) -> str:
    if not node.level:
        return node.module or ""
    parts = home.split(".")
    return ".".join([*parts[: len(parts) - node.level + 1], *filter(None, [node.module])])


def _is_interface(tree: ast.Module) -> bool:
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    return bool(classes) and all(map(_is_abstract, classes)) and not any(map(_has_body, functions))


def _is_abstract(cls: ast.ClassDef) -> bool:
    """Whether it is a Protocol or an ABC, by itself or with parameters."""
    bases = {ast.unparse(base).partition("[")[0].rpartition(".")[2] for base in cls.bases}
    return bool(bases & _INTERFACES)


def _has_body(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether there is more in it than a docstring and `...`."""
    return not all(
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in function.body
    )


if __name__ == "__main__":
    sys.exit(main())

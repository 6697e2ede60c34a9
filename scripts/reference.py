"""`python -m scripts.reference` writes docs/reference.md; with --check it only says whether it drifted."""

import argparse
import doctest
import inspect
import re
import sys
from collections.abc import Iterator, Sequence
from enum import Enum
from itertools import groupby
from pathlib import Path
from types import ModuleType
from typing import Any

import wallaroo
from scripts.signatures import LONGEST_LINE, declaration, signature
from wallaroo import testing

PAGE = Path(__file__).parent.parent / "docs" / "reference.md"

# By the module in which a name is defined: its heading, in the order of the page.
HEADINGS = {
    "wallaroo.api.pipeline": "Pipelines",
    "wallaroo.api.decorators": "Decorators",
    "wallaroo.api.context": "What is known of a record",
    "wallaroo.api.sources": "Sources",
    "wallaroo.api.sinks": "Sinks",
    "wallaroo.api.output": "Outputs",
    "wallaroo.api.tls": "TLS of TCP sources and sinks",
    "wallaroo.api.codecs": "Codecs and helpers",
    "wallaroo.api.aggregation": "Aggregations",
    "wallaroo.api.window_builders": "Builders of windows",
    "wallaroo.api.windows": "Windows",
    "wallaroo.api.durations": "Units of time",
    "wallaroo.api.arguments": "Command lines",
    "wallaroo.errors": "Errors",
    "wallaroo.api.stages": "What the decorators return",
    "wallaroo.experimental": "Experimental connectors",
}

OPENING = """\
# Reference

Made from the docstrings by `python -m scripts.reference`; change them, not this page. Everything under
`wallaroo` and `wallaroo.testing` that is not here may change without notice. Times are nanoseconds unless a
name says otherwise. A use that cannot run raises `WallarooParameterError` at once. The tests run the
examples; a comment behind a line is its result.

```python
import wallaroo
```
"""


def page() -> str:
    """The text of the whole page."""
    public = [(name, getattr(wallaroo, name)) for name in wallaroo.__all__]
    sections = [f"## {heading}\n\n{_section(module, public)}" for module, heading in HEADINGS.items()]
    tests = "\n".join(_entry(name, getattr(testing, name)) for name in testing.__all__)
    return "\n".join([OPENING, *sections, f"## `wallaroo.testing`\n\n{tests}"]).rstrip() + "\n"


def drift(file: Path) -> str | None:
    """What is wrong with the page in this file, or None."""
    found = file.read_text(encoding="utf-8") if file.exists() else None
    return None if found == page() else "differs from the docstrings; run: python -m scripts.reference"


def main(argv: Sequence[str] | None = None, file: Path = PAGE) -> int:
    """Write or check; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m scripts.reference", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the page drifted")
    if not parser.parse_args(argv).check:
        file.write_text(page(), encoding="utf-8")
        return 0
    problem = drift(file)
    if problem:
        print(f"docs/{file.name}: {problem}", file=sys.stderr)
    return 1 if problem else 0


def _section(module: str, public: Sequence[tuple[str, Any]]) -> str:
    return "\n".join(_entry(name, value) for name, value in public if _home(value) == module)


def _home(value: Any) -> str:
    home: str = value.__name__ if isinstance(value, ModuleType) else value.__module__
    if home not in HEADINGS:
        raise KeyError(f"{value!r} comes from {home}; give that module a heading in scripts/reference.py")
    return home


def _entry(name: str, value: Any) -> str:
    text = f"### `{name}`\n\n{_code(declaration(name, value))}{markdown(inspect.getdoc(value) or '')}\n"
    if not isinstance(value, type) or issubclass(value, Enum | Exception):
        return text
    bases = [f"`{base.__name__}`" for base in value.__bases__ if _is_public(base)]
    kind = f"\nAlso a {' and a '.join(bases)}.\n" if bases else ""
    entries = "".join(_member(*found) for found in members(value))
    return f"{text}{kind}\n{entries}" if entries else text + kind


def _member(name: str, value: Any) -> str:
    head = name if isinstance(value, property) else signature(name, value)
    return f"- `.{head}`: {' '.join((inspect.getdoc(value) or '').split())}\n"


def members(cls: type) -> Iterator[tuple[str, Any]]:
    """Its public methods and properties, and those of bases that are not public themselves."""
    for base in cls.__mro__:
        if base is not cls and (_is_public(base) or not base.__module__.startswith("wallaroo")):
            continue
        for name, value in vars(base).items():
            found = getattr(cls, name) if isinstance(value, classmethod) else value
            if not name.startswith("_") and (inspect.isroutine(found) or isinstance(found, property)):
                yield name, found


def markdown(docstring: str) -> str:
    """A docstring with its doctests as blocks that can be copied: without prompts, results as comments."""
    parts = [
        part for part in doctest.DocTestParser().parse(docstring) if not isinstance(part, str) or part.strip()
    ]
    blocks = [
        "".join(map(_part, found)).strip("\n") if is_prose else _python("".join(map(_part, found)))
        for is_prose, found in groupby(parts, lambda part: isinstance(part, str))
    ]
    return "\n\n".join(blocks)


def _part(part: str | doctest.Example) -> str:
    if isinstance(part, str):
        return part
    source, result = part.source.rstrip("\n"), part.want.rstrip("\n")
    one_line = f"{source}  # {result}\n"
    if result and one_line.count("\n") == 1 and len(one_line) <= LONGEST_LINE:
        return one_line
    code = f"{source}\n" + "".join(f"# {line}\n" for line in result.splitlines())
    # Definitions and other blocks stand apart.
    return f"\n{code}\n" if "\n" in source else code


def _python(code: str) -> str:
    return "```python\n{}\n```".format(re.sub(r"\n{3,}", "\n\n", code.strip("\n")))


def _is_public(cls: type) -> bool:
    return cls.__name__ in wallaroo.__all__ and cls.__module__.startswith("wallaroo")


def _code(text: str) -> str:
    # Not "python": these lines are there to be read, those of the other pages to be run.
    return f"```pyi\n{text}\n```\n\n"


if __name__ == "__main__":
    sys.exit(main())

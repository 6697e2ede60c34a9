"""The docstrings of the public names: there is one for each, it names the errors, and its example runs."""

import ast
import doctest
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from types import FunctionType, MethodType, ModuleType
from typing import Any

import pytest

import wallaroo
from wallaroo import testing


def documented() -> Iterator[tuple[str, Any]]:
    """Every public name, and every public member of a public class, by its dotted name."""
    for package in (wallaroo, testing):
        for name in package.__all__:
            value = getattr(package, name)
            yield f"{package.__name__}.{name}", value
            if isinstance(value, type) and not issubclass(value, Exception):
                yield from (
                    (f"{package.__name__}.{name}.{member}", found) for member, found in members(value)
                )


def members(cls: type) -> Iterator[tuple[str, Any]]:
    """Its public methods and properties, and those of bases that are not public themselves."""
    for base in cls.__mro__:
        if base is not cls and (_is_public(base) or not base.__module__.startswith("wallaroo")):
            continue
        for name, value in vars(base).items():
            found = getattr(cls, name) if isinstance(value, classmethod) else value
            if not name.startswith("_") and (inspect.isroutine(found) or isinstance(found, property)):
                yield name, found


def _is_public(cls: type) -> bool:
    return cls.__name__ in wallaroo.__all__ and cls.__module__.startswith("wallaroo")


PUBLIC = dict(documented())


def functions(value: Any) -> list[FunctionType]:
    """What runs when a name is called."""
    if isinstance(value, type):
        found = [vars(value).get(name) for name in ("__init__", "__post_init__")]
    else:
        found = [value.__func__ if isinstance(value, MethodType) else value]
    return [function for function in found if isinstance(function, FunctionType)]


def can_raise(function: FunctionType, seen: set[FunctionType]) -> bool:
    """Whether a function, or one of this package that it calls by name, has a raise statement."""
    seen.add(function)
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except OSError:  # made by dataclass: its checks are in __post_init__
        return False
    if any(isinstance(node, ast.Raise) for node in ast.walk(tree)):
        return True
    named = [named_by(node, function.__globals__) for node in ast.walk(tree)]
    called = [each for found in named for each in (functions(found) if is_ours(found) else [])]
    return any(can_raise(each, seen) for each in called if each not in seen)


def named_by(node: ast.AST, names: dict[str, Any]) -> Any:
    """The value of a global name, or of an attribute of an imported module."""
    match node:
        case ast.Name(id=name):
            return names.get(name)
        case ast.Attribute(value=ast.Name(id=name), attr=attribute) if isinstance(
            names.get(name), ModuleType
        ):
            return getattr(names[name], attribute)
        case _:
            return None


def is_ours(value: Any) -> bool:
    return isinstance(value, type | FunctionType) and value.__module__.startswith("wallaroo")


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_has_a_docstring(name):
    docstring = inspect.getdoc(PUBLIC[name]) or ""
    # What dataclass writes where there is none begins like a call.
    assert docstring
    assert not docstring.startswith(f"{name.rpartition('.')[2]}(")


@pytest.mark.parametrize(
    "name", [name for name, value in PUBLIC.items() if any(can_raise(f, set()) for f in functions(value))]
)
def test_the_docstring_of_what_can_raise_names_the_error(name):
    assert re.search(r"\b[Rr]aises \w+", inspect.getdoc(PUBLIC[name]))


EXAMPLES = {name: doc for name, value in PUBLIC.items() if ">>> " in (doc := inspect.getdoc(value) or "")}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_of_a_docstring_runs(name, monkeypatch):
    # A module like a user's file: its classes can be pickled and loaded again by their names.
    module = ModuleType("docstring_example")
    module.wallaroo = wallaroo
    monkeypatch.setitem(sys.modules, module.__name__, module)
    example = doctest.DocTestParser().get_doctest(EXAMPLES[name], {}, name, None, 0)
    example.globs = vars(module)
    report: list[str] = []
    doctest.DocTestRunner().run(example, out=report.append, clear_globs=False)
    assert "".join(report) == ""


@pytest.mark.parametrize(
    "name", ["computation", "state_computation", "key_extractor", "decoder", "encoder", "json_decoder"]
)
def test_every_decorator_and_the_json_decoder_has_an_example(name):
    assert f"wallaroo.{name}" in EXAMPLES


@pytest.mark.parametrize("name", sorted(name for name in PUBLIC if name.endswith(("Config", "CLIParser"))))
def test_every_source_and_sink_has_an_example_or_is_read_from_a_command_line(name):
    assert name in EXAMPLES or ".Custom" in name

"""`python -m schemas.export` writes json/*.json; with --check it only says which of them have drifted."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from pydantic import TypeAdapter

from schemas.alert import AmountAlert, TotalAlert
from schemas.transaction import Transaction

FOLDER = Path(__file__).parent / "json"
MODELS = {"transaction": Transaction, "total_alert": TotalAlert, "amount_alert": AmountAlert}


def schemas() -> dict[str, str]:
    """The text of every file, by its name."""
    return {f"{name}.json": _text(model) for name, model in MODELS.items()}


def write(folder: Path) -> None:
    """Make the folder hold the schemas and no other JSON file."""
    folder.mkdir(exist_ok=True)
    for name in _files(folder).keys() - schemas().keys():
        (folder / name).unlink()
    for name, text in schemas().items():
        (folder / name).write_text(text, encoding="utf-8")


def drift(folder: Path) -> list[str]:
    """What is wrong with the files in the folder, a line each."""
    wanted, found = schemas(), _files(folder)
    missing = [f"{name} is missing" for name in wanted.keys() - found.keys()]
    strange = [f"{name} belongs to no model" for name in found.keys() - wanted.keys()]
    common = wanted.keys() & found.keys()
    stale = [f"{name} differs from its model" for name in common if wanted[name] != found[name]]
    return sorted(missing + strange + stale)


def main(argv: Sequence[str] | None = None, folder: Path = FOLDER) -> int:
    """Write or check; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m schemas.export", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a file has drifted")
    if not parser.parse_args(argv).check:
        write(folder)
        return 0
    problems = drift(folder)
    for problem in problems:
        print(f"schemas/json: {problem}; run: python -m schemas.export", file=sys.stderr)
    return 1 if problems else 0


def _text(model: type) -> str:
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **_schema(model)}
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _schema(model: type) -> dict[str, Any]:
    if not issubclass(model, msgspec.Struct):
        return TypeAdapter(model).json_schema(mode="validation")
    _, definitions = msgspec.json.schema_components([model])
    schema: dict[str, Any] = definitions[model.__name__]
    return schema


def _files(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text(encoding="utf-8") for file in folder.glob("*.json")}


if __name__ == "__main__":
    sys.exit(main())

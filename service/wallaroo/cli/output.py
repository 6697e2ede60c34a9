"""What verbs print: tables for people, JSON for programs."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

# Wide enough that nothing is cut where no terminal says how wide it is.
_WIDTH_ELSEWHERE = 400


def console() -> Console:
    """Standard output; colours and the width of the window only where it is a terminal."""
    return Console(file=sys.stdout, width=None if sys.stdout.isatty() else _WIDTH_ELSEWHERE, highlight=False)


def show_table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> None:
    """Print rows below their columns' names; numbers stand at the right."""
    listed = [list(row) for row in rows]
    table = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False)
    for number, name in enumerate(columns):
        is_number = all(isinstance(row[number], int | float | None) for row in listed)
        table.add_column(name, justify="right" if is_number and listed else "left", overflow="fold")
    for row in listed:
        table.add_row(*(Text(_cell(each)) for each in row))
    console().print(table)


def show_json(value: Any) -> None:
    """Print a value as JSON, laid out for whoever reads it."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def show_line(value: Any) -> None:
    """Print a value as one line of JSON."""
    print(json.dumps(value, ensure_ascii=False))


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)

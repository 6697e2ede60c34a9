"""What verbs print: tables for people, JSON for programs."""

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

# Wide enough that nothing is cut where no terminal says how wide it is.
_WIDTH_ELSEWHERE = 400
_QUICK_SECONDS = 1.0
_ESCAPED = {code: f"\\u{code:04x}" for code in range(0x7F, 0xA0)}


def console() -> Console:
    """Standard output; colours and the width of the window only where it is a terminal."""
    return Console(file=sys.stdout, width=None if sys.stdout.isatty() else _WIDTH_ELSEWHERE, highlight=False)


def show_table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> None:
    """Print rows below their columns' names."""
    console().print(table(columns, rows, title))


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> Table:
    """Rows below their columns' names; numbers stand at the right."""
    listed = [list(row) for row in rows]
    made = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False)
    for number, name in enumerate(columns):
        is_number = all(isinstance(row[number], int | float | None) for row in listed)
        made.add_column(name, justify="right" if is_number and listed else "left", overflow="fold")
    for row in listed:
        made.add_row(*(Text(_cell(each)) for each in row))
    return made


def show_json(value: Any) -> None:
    """Print a value as JSON, laid out for whoever reads it."""
    print(_printable(json.dumps(value, indent=2, ensure_ascii=False)))


def show_line(value: Any) -> None:
    """Print a value as one line of JSON."""
    print(_printable(json.dumps(value, ensure_ascii=False)))


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """To be told how much of how much is done: shown on a terminal, where it takes longer than a second."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    began = time.monotonic()
    columns = (TextColumn(what), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=False) as progress:
        task = progress.add_task(what, visible=False)

        def tell(done: int, total: int) -> None:
            visible = time.monotonic() - began > _QUICK_SECONDS
            progress.update(task, completed=done, total=total or None, visible=visible)

        yield tell


def _printable(text: str) -> str:
    """JSON without what a terminal obeys, or what no encoding writes."""
    return text.translate(_ESCAPED).encode("utf-8", "backslashreplace").decode()


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else _printable(str(value))

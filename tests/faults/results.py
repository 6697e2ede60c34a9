"""Results: the table of runs, in a file, for people, and in the page docs/reliability.md."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("results.json")
PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- results: begin -->\n", "<!-- results: end -->\n"
_SUMS = ("faults", "records", "alerts", "lost", "doubled", "out_of_order")
_HEAD = ("kind", "runs", *_SUMS, "longest stall", "not settled")

Row = Mapping[str, Any]


def read(file: Path = FILE) -> list[Row]:
    """The runs in a file; none if there is no file."""
    return json.loads(file.read_text()) if file.exists() else []


def write(runs: Iterable[Row], file: Path = FILE) -> None:
    """One run a line, so that a change shows."""
    lines = ",\n".join(json.dumps(run) for run in runs)
    file.write_text(f"[\n{lines}\n]\n")


def table(runs: Iterable[Row]) -> str:
    """A Markdown table of the sums by kind, and of all."""
    by_kind: dict[str, list[Row]] = defaultdict(list)
    for run in runs:
        by_kind[run["kind"]].append(run)
    rows = [_row(kind, by_kind[kind]) for kind in sorted(by_kind)]
    rows.append(_row("all", [run for found in by_kind.values() for run in found]))
    lines = [_HEAD, ["---"] * len(_HEAD), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def rendered(page: str, runs: Iterable[Row]) -> str:
    """The page with the table of these runs."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{table(runs)}{END}{after}"


def _row(name: str, runs: Sequence[Row]) -> list[str]:
    sums = [f"{sum(run[field] for run in runs):,}" for field in _SUMS]
    stall = max((run["longest_stall_seconds"] for run in runs), default=0.0)
    bad = sum(run["ended"] != "settled" for run in runs)
    return [name, str(len(runs)), *sums, f"{stall} s", str(bad)]


if __name__ == "__main__":
    PAGE.write_text(rendered(PAGE.read_text(), read()))

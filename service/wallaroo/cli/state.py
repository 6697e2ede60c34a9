"""`wallaroo state`: the states of a stage, read from its changelog and written into it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from wallaroo.admin.changelogs import ChangelogReader
from wallaroo.admin.cluster import asking
from wallaroo.admin.state_files import exported_line, read_lines
from wallaroo.admin.state_import import StateImport
from wallaroo.admin.states import Entry, Kept, entries_of, kept_by, key_of, key_text
from wallaroo.cli.options import PASS_ON, Command, takes_application
from wallaroo.cli.output import progress_bar, show_json, show_line, show_table
from wallaroo.errors import SettingsError
from wallaroo.observability.jsonable import to_json
from wallaroo.topology.model import Topology

commands = typer.Typer(
    help="States of keys, as the changelog holds them; no service has to run. One that runs has the same "
    "state up to one commit interval.",
    no_args_is_help=True,
)

_STAGE = typer.Argument(metavar="STAGE", help="the stage, by its name or the short one that `describe` shows")
_KEY = typer.Argument(metavar="KEY", help="the key, or `base64:` and its bytes in base64")
_FILE = typer.Argument(metavar="FILE", help="what `state export` has written")
_ABSENT = 1

Stage = Annotated[str, _STAGE]


@commands.command(context_settings=PASS_ON)
@takes_application
def get(command: Command, stage: Stage, key: Annotated[str, _KEY]) -> int:
    """Show the state of one key, as /state does; exit code 1 if it has none.

    Example: wallaroo state get topologies.alerts_stateful "check transaction total" rex
    """
    with _reading(command, stage) as (kept, reader, _):
        entry = reader.look_up(kept, key_of(key))
    if entry is None:
        print(f"wallaroo: the stage {stage!r} has no state for the key {key!r}", file=sys.stderr)
        return _ABSENT
    if entry.problem:
        raise SettingsError(
            f"the state of {stage!r} for the key {key!r}, in partition {entry.partition}, cannot be read: "
            f"{entry.problem}"
        )
    show_json({"stage": stage, "key": key, "partition": entry.partition, "value": entry.value})
    return 0


@commands.command(name="list", context_settings=PASS_ON)
@takes_application
def list_states(
    command: Command,
    stage: Stage,
    prefix: Annotated[str, typer.Option(help="only keys that begin so")] = "",
    limit: Annotated[int, typer.Option(min=0, help="how many keys at most; 0 is all")] = 100,
    json: Annotated[bool, typer.Option("--json", help="print a line of JSON for each key")] = False,
) -> int:
    """List the keys that have state, with their states.

    Example: wallaroo state list topologies.alerts_stateful "check transaction total" --prefix re
    """
    with _reading(command, stage) as (kept, reader, _):
        stores = reader.states(kept, range(reader.partitions(kept.store.changelog)))
    entries = entries_of(stores, key_of(prefix))
    shown = list(islice(entries, limit or None))
    if json:
        for entry in shown:
            show_line(_row(entry))
    else:
        rows = [(key_text(e.key), e.partition, e.problem or to_json(e.value)) for e in shown]
        show_table(["key", "partition", "state"], rows)
    more = sum(1 for _ in entries)
    if more:
        print(f"wallaroo: {more:,} more keys have state; see --limit", file=sys.stderr)
    return 0


@commands.command(context_settings=PASS_ON)
@takes_application
def export(
    command: Command,
    stage: Stage,
    output: Annotated[str, typer.Option(metavar="FILE", help="where to; else standard output")] = "",
) -> int:
    """Write every key with its state, a line of JSON each, for `state import` to read.

    Example: wallaroo state export topologies.alerts_stateful "check transaction total" --output totals.jsonl
    """
    with _reading(command, stage) as (kept, reader, _):
        count = reader.partitions(kept.store.changelog)
        stores = reader.states(kept, range(count))
    lines = (exported_line(entry, count) for entry in entries_of(stores))
    if not output:
        for line in lines:
            print(line)
        return 0
    try:
        with Path(output).open("w", encoding="utf-8") as file:
            written = sum(bool(file.write(f"{line}\n")) for line in lines)
    except OSError as error:
        raise SettingsError(f"{output} cannot be written: {error.strerror}; name another --output") from error
    print(f"{written:,} keys written to {output}", file=sys.stderr)
    return 0


@commands.command(name="import", context_settings=PASS_ON)
@takes_application
def import_states(command: Command, stage: Stage, file: Annotated[str, _FILE]) -> int:
    """Write the keys of an export into the changelog of an application that is stopped.

    Keys that the file does not name stay as they are. Up to 50,000 keys are one transaction, all or nothing.
    Where a task goes on in its input does not change.

    Example: wallaroo state import topologies.alerts_stateful "check transaction total" totals.jsonl
    """
    with _reading(command, stage) as (kept, reader, topology):
        try:
            with Path(file).open(encoding="utf-8") as texts:
                lines = read_lines(texts, reader.new_store(kept))
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{file} cannot be read: {error}; nothing has been written") from error
        done = StateImport(kept, topology, reader).write(lines)
    where = ", ".join(f"{count:,} to partition {number}" for number, count in sorted(done.keys.items()))
    transactions = "transaction" if done.transactions == 1 else "transactions"
    total = sum(done.keys.values())
    print(f"{total:,} keys in {done.transactions} {transactions}: {where or 'nothing to write'}")
    return 0


@contextmanager
def _reading(command: Command, stage: str) -> Iterator[tuple[Kept, ChangelogReader, Topology]]:
    loaded, settings = command.load_for_cluster()
    kept = kept_by(loaded.topology, stage)
    with asking(settings) as admin, progress_bar(f"reading {kept.store.changelog}") as progress:
        yield kept, ChangelogReader(admin, settings, loaded.codecs.state, progress), loaded.topology


def _row(entry: Entry) -> dict[str, object]:
    row = {"key": key_text(entry.key), "partition": entry.partition, "value": entry.value}
    return row | ({"problem": entry.problem} if entry.problem else {})

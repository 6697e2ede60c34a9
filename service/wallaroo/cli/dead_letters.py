"""`wallaroo dead-letters`: what failed and why, and what becomes of it: sent once more, or dropped."""

import json as json_module
import re
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from wallaroo.admin.cluster import answered, reach
from wallaroo.admin.dead_letter_topic import read_letters, read_register
from wallaroo.admin.dead_letters import Letter, Register, Sending, Wanted, shown_bytes
from wallaroo.admin.records import fetch
from wallaroo.admin.replay import drop as drop_letters
from wallaroo.admin.replay import preview
from wallaroo.admin.replay import replay as replay_letters
from wallaroo.cli.confirm import confirm
from wallaroo.cli.options import PASS_ON, Command, takes_application
from wallaroo.cli.output import show_json, show_table
from wallaroo.cli.times import HELP, METAVAR, shown_time, time_ms
from wallaroo.errors import SettingsError
from wallaroo.service.application import with_own_cluster

commands = typer.Typer(
    help="Records that failed: look at them, replay them, drop them.", no_args_is_help=True
)

_PLACE = re.compile(r"(?:(?P<topic>[a-zA-Z0-9._-]+)\[(?P<in>\d+)\]|(?P<partition>\d+))@(?P<offset>\d+)")
_MOST_SHOWN = 100
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Filters:
    """Which dead letters a verb is about."""

    stage: Annotated[str | None, typer.Option(help="of this stage, source or sink")] = None
    error: Annotated[str | None, typer.Option(metavar="TEXT", help="with this in class or message")] = None
    since: Annotated[str | None, typer.Option(metavar=METAVAR, help=f"written from then on: {HELP}")] = None
    until: Annotated[str | None, typer.Option(metavar=METAVAR, help="written before then")] = None
    key: Annotated[str | None, typer.Option(help="with this key")] = None
    at: Annotated[
        list[str] | None, typer.Option(metavar="PLACE", help="only this one, as 2@17; may be repeated")
    ] = None

    def wanted(self, topic: str) -> Wanted:
        """Raises SettingsError if a time is none, or a place is not one of this topic."""
        now_ms = time.time_ns() // 1_000_000
        since, until = (
            None if text is None else time_ms(text, now_ms, option)
            for text, option in ((self.since, "--since"), (self.until, "--until"))
        )
        key = None if self.key is None else self.key.encode()
        places = frozenset(_place(each, topic) for each in self.at or ())
        return Wanted(self.stage, self.error, since, until, key, places)


_Json = Annotated[bool, typer.Option("--json", help="print JSON")]
_Limit = Annotated[int | None, typer.Option(min=1, help="at most so many")]
_DryRun = Annotated[bool, typer.Option("--dry-run", help="say what would be done, and do nothing")]
_Yes = Annotated[bool, typer.Option("--yes", help="do not ask")]


@commands.command("list", context_settings=PASS_ON)
@takes_application
def show_list(
    command: Command,
    filters: Filters,
    open: Annotated[bool, typer.Option("--open", help="only those that nothing has become of")] = False,  # noqa: A002
    limit: Annotated[int, typer.Option(min=1, help="the newest so many")] = _MOST_SHOWN,
    json: _Json = False,
) -> int:
    """List dead letters, the newest last: where each is, when and why it failed, and what became of it.

    Example: wallaroo dead-letters list topologies.alerts_stateful --since 2h --stage "check balance"
    """
    topology = command.load().topology
    settings = with_own_cluster(command.settings, topology)
    wanted = filters.wanted(topology.dead_letters)
    with answered(settings):
        cluster = reach(settings, f"{topology.application_id}-dead-letters")
        register = read_register(cluster, topology)
        found = read_letters(cluster, topology, wanted)
    if open:
        found = [each for each in found if register.of(each) is None]
    rows = [_fields(each, register) for each in found[-limit:]]
    if json:
        show_json(rows)
        return 0
    columns = ["place", "time", "became", "replays", "stage", "error", "key", "source"]
    show_table(columns, [[_cell(name, row) for name in columns] for row in rows], topology.dead_letters)
    if len(found) > limit:
        print(f"the newest {limit:,} of {len(found):,}; --limit shows more")
    return 0


@commands.command(context_settings=PASS_ON)
@takes_application
def show(
    command: Command,
    place: Annotated[str, typer.Argument(metavar="PLACE", help="as `list` shows it: 2@17")],
    json: _Json = False,
) -> int:
    """Show one dead letter whole: its headers and its content.

    Example: wallaroo dead-letters show topologies.alerts_stateful 2@17
    """
    topology = command.load().topology
    settings = with_own_cluster(command.settings, topology)
    wanted = Wanted(places=frozenset([_place(place, topology.dead_letters)]))
    with answered(settings):
        cluster = reach(settings, f"{topology.application_id}-dead-letters")
        found = read_letters(cluster, topology, wanted)
        _check_all_found(wanted, found, topology.dead_letters)
        register = read_register(cluster, topology)
        message = fetch(cluster, [found[0].place])[found[0].place]
    headers = [(name, shown_bytes(value)) for name, value in message.headers() or ()]
    content = _content(message.value())
    if json:
        show_json({**_fields(found[0], register), "headers": headers, "content": content})
        return 0
    rows = [(name, "-" if value is None else value) for name, value in _fields(found[0], register).items()]
    show_table(["of the dead letter", ""], rows)
    show_table(["header", "value"], headers)
    print(content if isinstance(content, str) else json_module.dumps(content, indent=2, ensure_ascii=False))
    return 0


@commands.command(context_settings=PASS_ON)
@takes_application
def replay(
    command: Command,
    filters: Filters,
    limit: _Limit = None,
    dry_run: _DryRun = False,
    yes: _Yes = False,
) -> int:
    """Send the records of dead letters to the source that they came from, each once, in their order.

    Example: wallaroo dead-letters replay topologies.alerts_stateful --stage "check balance" --dry-run
    """
    topology = command.load().topology
    settings = with_own_cluster(command.settings, topology)
    wanted = filters.wanted(topology.dead_letters)
    with answered(settings):
        cluster = reach(settings, f"{topology.application_id}-dead-letters")
        letters = read_letters(cluster, topology, wanted)
        _check_all_found(wanted, letters, topology.dead_letters)
        planned = preview(cluster, topology, letters, limit)
    _show_sendings(planned.sendings)
    _show_refused(planned.refused)
    count = len(planned.sendings)
    if not count or dry_run:
        print("nothing was sent" if dry_run else "there is nothing to send")
        return 0
    confirm(f"Send {_number(count, 'record')} to {_topics(planned.sendings)}?", yes=yes)
    with answered(settings):
        outcome = replay_letters(cluster, topology, letters, _now_ms, limit, _progress(count))
    print(f"{_number(len(outcome.sent), 'record')} sent to {_topics(outcome.sent) or 'no topic'}")
    return 0


@commands.command(context_settings=PASS_ON)
@takes_application
def drop(command: Command, filters: Filters, dry_run: _DryRun = False, yes: _Yes = False) -> int:
    """Note that nothing is to become of dead letters: they are replayed no more. They stay in their topic.

    Example: wallaroo dead-letters drop topologies.alerts_stateful --until 2026-12-01T08:00:00Z
    """
    topology = command.load().topology
    settings = with_own_cluster(command.settings, topology)
    wanted = filters.wanted(topology.dead_letters)
    with answered(settings):
        cluster = reach(settings, f"{topology.application_id}-dead-letters")
        letters = read_letters(cluster, topology, wanted)
        _check_all_found(wanted, letters, topology.dead_letters)
        register = read_register(cluster, topology)
    count = sum(register.of(each) is None for each in letters)
    print(f"{_number(count, 'dead letter')} to drop")
    if not count or dry_run:
        return 0
    confirm(f"Drop {_number(count, 'dead letter')}?", yes=yes)
    with answered(settings):
        dropped = drop_letters(cluster, topology, letters, _now_ms)
    print(f"{_number(len(dropped), 'dead letter')} dropped")
    return 0


def _place(text: str, topic: str) -> tuple[int, int]:
    found = _PLACE.fullmatch(text)
    if found is None:
        raise SettingsError(
            f"{text!r} is no place of a dead letter: that is a partition and an offset, as 2@17; "
            "`wallaroo dead-letters list` shows them"
        )
    if found["topic"] not in (None, topic):
        raise SettingsError(
            f"{text} is a place in {found['topic']}, but the dead letters of this application are in "
            f"{topic}: see application_id and the module"
        )
    return int(found["in"] or found["partition"] or 0), int(found["offset"])


def _check_all_found(wanted: Wanted, letters: Iterable[Letter], topic: str) -> None:
    missing = wanted.places - {(each.place.partition, each.place.offset) for each in letters}
    if missing:
        places = ", ".join(f"{partition}@{offset}" for partition, offset in sorted(missing))
        raise SettingsError(
            f"there is no such dead letter in {topic}: {places}; `wallaroo dead-letters list` shows them"
        )


def _fields(letter: Letter, register: Register) -> dict[str, Any]:
    """A dead letter as JSON has it."""
    handled = register.of(letter)
    return {
        "place": letter.short_place,
        "time": shown_time(letter.time_ms),
        "became": None if handled is None else handled.outcome,
        "became_at": None if handled is None else shown_time(handled.time_ms),
        "sent_to": None if handled is None or handled.sent is None else str(handled.sent),
        "replays": register.replays(letter),
        "stage": letter.stage,
        "error": letter.error,
        "message": letter.message,
        "key": shown_bytes(letter.key),
        "failed_at": None if letter.failed is None else str(letter.failed),
        "source": None if letter.source is None else str(letter.source),
        "record_time": None if letter.record_time_ms < 0 else shown_time(letter.record_time_ms),
    }


def _cell(name: str, row: dict[str, Any]) -> Any:
    if name == "became":
        return row["became"] or "open"
    if name == "error":
        text = f"{row['error'].rpartition('.')[2]}: {' '.join(row['message'].split())}"
        return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    return row[name]


def _show_sendings(sendings: Sequence[Sending]) -> None:
    if not sendings:
        return
    rows = [
        (
            str(each.source),
            shown_bytes(each.letters[0].key),
            each.count,
            " ".join(letter.short_place for letter in each.letters),
        )
        for each in sendings[:_MOST_SHOWN]
    ]
    show_table(["record of the source", "key", "replay", "dead letters"], rows, "to be sent")
    if len(sendings) > _MOST_SHOWN:
        print(f"the first {_MOST_SHOWN} of {len(sendings):,}")


def _show_refused(refused: Sequence[tuple[Letter, str]]) -> None:
    if refused:
        rows = [(letter.short_place, why) for letter, why in refused[:_MOST_SHOWN]]
        show_table(["dead letter", "why"], rows, f"{len(refused):,} cannot be replayed")


def _topics(sendings: Iterable[Sending]) -> str:
    return ", ".join(dict.fromkeys(each.source.topic for each in sendings))


def _progress(total: int) -> Any:
    """What says on a terminal how many have been sent."""

    def say(sent: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{sent:,} of {total:,}", end="" if sent < total else "\n", file=sys.stderr, flush=True)

    return say


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _content(data: bytes | None) -> Any:
    """A value as JSON, as text, or in hexadecimal."""
    if data is None:
        return None
    try:
        return json_module.loads(data)
    except ValueError:
        return shown_bytes(data)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

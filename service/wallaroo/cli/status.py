"""`wallaroo status`: how far each group of an application is, once or again and again."""

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from wallaroo.admin.cluster import answered, asking, cluster_of
from wallaroo.admin.status import ApplicationStatus, GroupStatus, StatusWatch, has_open
from wallaroo.cli.options import Command, takes_application
from wallaroo.cli.output import console, show_json, show_line, table
from wallaroo.errors import KafkaSetupError
from wallaroo.observability.forward import ask_progress
from wallaroo.settings import Settings

_URL_SECONDS = 2.0
_SECOND_LOOK_SECONDS = 1.0
_GROUPS = ("group", "kind", "state", "members", "partitions", "lag", "offsets/s")
_MEMBERS = ("group", "instance", "worker", "host", "partitions")
_PARTITIONS = ("topic", "partition", "owner", "committed", "end", "lag", "open transaction")


@takes_application
def status(
    command: Command,
    watch: Annotated[bool, typer.Option("--watch", help="look again and again, until Ctrl-C")] = False,
    every: Annotated[float, typer.Option(min=0.1, metavar="SECONDS", help="pause of --watch")] = 2.0,
    json: Annotated[
        bool, typer.Option("--json", help="print JSON; with --watch, a line for each look")
    ] = False,
    url: Annotated[
        list[str] | None, typer.Option(metavar="URL", help="pages of an instance, for how far a restore is")
    ] = None,
) -> int:
    """Show the groups of an application: members, offsets, lag, open transactions; and missing topics.

    Works with nothing running. Ctrl-C, which ends --watch, is exit code 0.

    Example: wallaroo status topologies.alerts_stateful --watch --every 5
    """
    loaded, settings = command.load_for_cluster()
    urls = url or []
    with asking(settings) as admin:
        cluster = cluster_of(loaded.topology, settings, admin)
        with closing(StatusWatch(loaded.topology, cluster)) as looking:
            if watch:
                _watch(looking, settings, every, urls, json)
                return 0
            found = looking.look()
            if has_open(found):
                # While a service runs, one is open for moments; one that lasts is still open a second later.
                time.sleep(_SECOND_LOOK_SECONDS)
                found = looking.look()
    if json:
        show_json(_jsonable(found, urls))
    else:
        console().print(_shown(found, urls))
    return 0


def _watch(looking: StatusWatch, settings: Settings, every: float, urls: list[str], json: bool) -> None:
    looks = _looks(looking, settings, every)
    try:
        if json:
            for found in looks:
                show_line(
                    _jsonable(found, urls) if isinstance(found, ApplicationStatus) else {"error": found}
                )
                sys.stdout.flush()
        elif sys.stdout.isatty():
            with Live(console=console(), auto_refresh=False) as live:
                for found in looks:
                    shown = Text(found) if isinstance(found, str) else _shown(found, urls)
                    live.update(shown, refresh=True)
        else:
            for found in looks:
                for line in _lines(found):
                    print(line, flush=True)
    except KeyboardInterrupt:
        pass


def _looks(looking: StatusWatch, settings: Settings, every: float) -> Iterator[ApplicationStatus | str]:
    """One look after the other; a text where the cluster does not answer, which it may again."""
    while True:
        try:
            with answered(settings):
                found: ApplicationStatus | str = looking.look()
        except KafkaSetupError as error:
            found = str(error)
        yield found
        time.sleep(every)


def _jsonable(found: ApplicationStatus, urls: Iterable[str]) -> dict[str, Any]:
    groups = [{**asdict(group), "lag": group.lag} for group in found.groups]
    instances = {url: ask_progress(url, _URL_SECONDS) for url in urls}
    return {**asdict(found), "groups": groups, "instances": instances}


def _lines(found: ApplicationStatus | str) -> Iterator[str]:
    """A look for a log: a line for each group."""
    at = datetime.now(UTC).isoformat(timespec="seconds")
    if isinstance(found, str):
        yield f"{at} {found}"
        return
    for group in found.groups:
        state, members = group.state.replace(" ", "-"), len(group.members)
        speed = "-" if group.per_second is None else f"{group.per_second:.0f}"
        lag = "-" if group.lag is None else group.lag
        yield f"{at} {group.group} state={state} members={members} lag={lag} offsets_per_second={speed}"
    for topic in found.missing_topics:
        yield f"{at} missing topic {topic}"


def _shown(found: ApplicationStatus, urls: Iterable[str]) -> RenderableType:
    members = [
        (group.group, each.instance, each.worker, each.host, ", ".join(map(str, each.partitions)) or "-")
        for group in found.groups
        for each in group.members
    ]
    partitions = [row for group in found.groups for row in _partition_rows(group)]
    parts: list[RenderableType] = [table(_GROUPS, map(_group_row, found.groups), found.application_id)]
    # What is long comes last: a watch cuts it off where the terminal ends.
    parts += [Text(f"{group.group}: {group.problem}") for group in found.groups if group.problem]
    parts += [Text(f"missing topic: {name}") for name in found.missing_topics]
    parts.append(Text(f"dead letters in {found.dead_letters_topic}: {found.dead_letters:,}"))
    parts += [Text(f"{url}: {'; '.join(ask_progress(url, _URL_SECONDS))}") for url in urls]
    parts.append(table(_MEMBERS, members) if members else Text("no members\n"))
    if partitions:
        parts.append(table(_PARTITIONS, partitions))
    return Group(*parts)


def _group_row(group: GroupStatus) -> tuple[object, ...]:
    speed = None if group.per_second is None else round(group.per_second)
    members, partitions = len(group.members), len(group.partitions)
    return group.group, group.kind, group.state, members, partitions, group.lag, speed


def _partition_rows(group: GroupStatus) -> Iterator[tuple[object, ...]]:
    for each in group.partitions:
        is_open = "" if each.open_at is None else f"at {each.open_at} for {each.open_seconds:.0f} s"
        owner = each.owner or "-"
        yield group.topic, each.partition, owner, each.committed, each.end, each.lag, is_open or "-"

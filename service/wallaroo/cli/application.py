"""`wallaroo run` and `wallaroo describe`: an application as a service, and what it compiles to."""

import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from enum import StrEnum
from json import loads
from pathlib import Path
from typing import Annotated

import typer

from wallaroo.cli.options import Command, takes_application
from wallaroo.cli.output import show_json, show_table
from wallaroo.errors import SettingsError
from wallaroo.observability import logging as log_setup
from wallaroo.service.application import with_own_cluster
from wallaroo.service.service import Service
from wallaroo.settings import ineffective_variables
from wallaroo.topology.compare import Change, Effect
from wallaroo.topology.compare import compare as compare_descriptions
from wallaroo.topology.describe import describe as describe_topology

_log = logging.getLogger(__name__)


_LOSES_STATE = 3
_OTHER = "the version before: a module, the path of its file, or a .json that `describe --json` made of it"


class Format(StrEnum):
    """How a topology is shown."""

    TEXT = "text"
    MERMAID = "mermaid"
    JSON = "json"


@takes_application
def run(command: Command) -> int:
    """Run an application as a service, until SIGTERM or Ctrl-C.

    Example: wallaroo run topologies.alerts_stateful --workers 2 --bootstrap-servers kafka:9092
    """
    return serve(command)


def serve(command: Command) -> int:
    """What `wallaroo run` does; returns the exit code."""
    settings = command.settings
    log_setup.configure(settings.log_level, settings.log_format, settings.secrets)
    for text in ineffective_variables(os.environ):
        _log.warning("variable without effect", extra={"reason": text})
    topology = command.load().topology
    log_setup.set_application(topology.application_id)
    # The application's modules may have configured logging as they were imported.
    log_setup.keep()
    return Service(command.program, topology, with_own_cluster(settings, topology)).run()


@takes_application
def describe(
    command: Command,
    format: Annotated[Format, typer.Option(help="how it is printed")] = Format.TEXT,  # noqa: A002
    json: Annotated[bool, typer.Option("--json", help="the same as --format json")] = False,
    compare: Annotated[str | None, typer.Option(metavar="OTHER", help=_OTHER)] = None,
) -> int:
    """Print what an application compiles to, without a broker: sub-topologies, groups, topics and stores.

    With --compare: what it would find where OTHER, the version before, has run. Then the exit code is 3 if a
    state would be lost, 1 if it would refuse to start, and 0 otherwise.

    Example: wallaroo describe topologies.alerts_stateful --format mermaid

    Example: wallaroo describe alerts.py --compare alerts-as-deployed.json
    """
    for text in ineffective_variables(os.environ):
        print(f"wallaroo: {text}", file=sys.stderr)
    described = describe_topology(command.load().topology, "json" if json or compare else format.value)
    if compare is None:
        print(described, end="")
        return 0
    try:
        changes = compare_descriptions(loads(_described(compare, command)), loads(described))
    except (ValueError, KeyError, TypeError) as error:
        raise SettingsError(
            f"{compare!r} is no description of an application; make it by `wallaroo describe ... --json`"
        ) from error
    return _show_changes(changes, as_json=json)


def _described(other: str, command: Command) -> str:
    """The other version as JSON: from a file, or from a process of its own, which has modules of its own."""
    if other.endswith(".json"):
        try:
            return Path(other).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{other!r} cannot be read: {error}") from error
    chosen = command.options.get("application_id")
    same = [f"--application-id={chosen}"] if chosen else []
    asked = [
        sys.executable,
        "-m",
        "wallaroo",
        "describe",
        other,
        *same,
        "--json",
        "--",
        *command.program.args[1:],
    ]
    done = subprocess.run(asked, capture_output=True, encoding="utf-8", check=False)  # noqa: S603 - our own verb
    if done.returncode:
        raise SettingsError(f"the version before, {other!r}, cannot be described:\n{done.stderr.rstrip()}")
    return done.stdout


def _show_changes(changes: Sequence[Change], *, as_json: bool) -> int:
    if as_json:
        show_json([asdict(change) for change in changes])
    elif changes:
        show_table(
            ("change", "what", "what happens"), [(each.effect, each.what, each.text) for each in changes]
        )
    else:
        print("Nothing changes on the cluster.")
    if any(change.loses_state for change in changes):
        return _LOSES_STATE
    return int(any(change.effect is Effect.REFUSED for change in changes))

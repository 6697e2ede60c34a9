"""`wallaroo run` and `wallaroo describe`: an application as a service, and what it compiles to."""

import logging
import os
import sys
from enum import StrEnum
from typing import Annotated

import typer

from wallaroo.cli.options import Command, takes_application
from wallaroo.observability import logging as log_setup
from wallaroo.service.application import with_own_cluster
from wallaroo.service.service import Service
from wallaroo.settings import ineffective_variables
from wallaroo.topology.describe import describe as describe_topology

_log = logging.getLogger(__name__)


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
    # The application's modules may have configured logging as they were imported.
    log_setup.keep()
    return Service(command.program, topology, with_own_cluster(settings, topology)).run()


@takes_application
def describe(
    command: Command,
    format: Annotated[Format, typer.Option(help="how it is printed")] = Format.TEXT,  # noqa: A002
    json: Annotated[bool, typer.Option("--json", help="the same as --format json")] = False,
) -> int:
    """Print what an application compiles to, without a broker: sub-topologies, groups, topics and stores.

    Example: wallaroo describe topologies.alerts_stateful --format mermaid
    """
    for text in ineffective_variables(os.environ):
        print(f"wallaroo: {text}", file=sys.stderr)
    print(describe_topology(command.load().topology, Format.JSON if json else format), end="")  # type: ignore
    return 0

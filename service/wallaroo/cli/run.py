"""`wallaroo run`: an application as a service, until SIGTERM."""

from collections.abc import Sequence

from wallaroo.cli.options import Command, parse, parser
from wallaroo.observability import logging as log_setup
from wallaroo.service.application import load, with_own_cluster
from wallaroo.service.service import Program, Service


def main(argv: Sequence[str]) -> int:
    """Run until stopped; returns the exit code."""
    return serve(parse(parser("run", "Run an application until SIGTERM."), argv))


def serve(command: Command) -> int:
    """Run what a command line asks for."""
    settings, program = command.settings, command.program
    log_setup.configure(settings.log_level, settings.log_format)
    topology = load(program.module, program.args, settings.application_id, settings.chosen_servers).topology
    settings = with_own_cluster(settings, topology)
    return Service(Program(program.module, program.args), topology, settings).run()

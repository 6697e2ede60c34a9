"""`wallaroo describe`: what an application compiles to, without a broker."""

from collections.abc import Sequence

from wallaroo.cli.options import parse, parser
from wallaroo.service.application import load
from wallaroo.topology.describe import describe


def main(argv: Sequence[str]) -> int:
    """Print the topology; returns the exit code."""
    made = parser("describe", "Print sub-topologies, consumer groups, topics and stores.")
    made.add_argument("--format", choices=("text", "mermaid", "json"), default="text")
    command = parse(made, argv)
    settings, program = command.settings, command.program
    loaded = load(program.module, program.args, settings.application_id, settings.chosen_servers)
    print(describe(loaded.topology, command.own.format), end="")
    return 0

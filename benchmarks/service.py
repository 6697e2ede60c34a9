"""`python -m benchmarks.service ARGS...`: `wallaroo run ARGS...` with watched workers."""

import sys

from benchmarks.watched_worker import main as watched
from wallaroo.cli.options import parse
from wallaroo.observability import logging as log_setup
from wallaroo.service.application import load
from wallaroo.service.service import Service


def main(argv: list[str]) -> int:
    command = parse(argv)
    log_setup.configure("INFO", "text")
    program, settings = command.program, command.settings
    topology = load(program.module, program.args, settings.application_id, settings.chosen_servers).topology
    return Service(program, topology, settings, watched).run()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

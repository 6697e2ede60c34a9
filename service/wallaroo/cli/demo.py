"""`wallaroo demo`: the stateful alerts, with two workers, on an embedded broker."""

import argparse
import importlib.util
import json
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from wallaroo.cli.demo_books import LIMIT, Books, judge, line, payments
from wallaroo.cli.demo_screen import Screen
from wallaroo.cli.demo_service import DemoService, demo_service
from wallaroo.errors import SettingsError
from wallaroo.runtime.demo_traffic import Feed, Tail
from wallaroo.runtime.embedded import MOST_RECORDS, embedded_broker

MODULE = "topologies.alerts_stateful"
APPLICATION_ID = "wallaroo-demo"
DEAD_LETTERS = f"{APPLICATION_ID}-dlq"
WORKERS = 2

INTERRUPTED = 130
_SHOWN_AT_ONCE = 10
_SHOW_SECONDS = 0.5
_PATIENCE_SECONDS = 20.0
_TURN_SECONDS = 0.02


@dataclass(slots=True)
class Came:
    """What has come of the transactions so far."""

    alerts: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    count: int = 0
    dead: int = 0
    shown: int = 0
    shown_at: float = 0.0


def main(argv: Sequence[str]) -> int:
    """Run it; 0 where the alerts are the right ones, 1 where not, 130 after Ctrl-C."""
    options = _parser().parse_args(list(argv))
    if not 1 <= options.records <= MOST_RECORDS:
        raise SettingsError(
            f"--records {options.records}: give 1 to {MOST_RECORDS}; the embedded broker keeps no more"
        )
    _find_application()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    screen = Screen(sys.stdout)
    try:
        with TemporaryDirectory(prefix="wallaroo-demo-") as folder:
            return _run(screen, options, Path(folder))
    except KeyboardInterrupt:
        screen.done()
        screen.line("Stopped before the end.")
        return INTERRUPTED

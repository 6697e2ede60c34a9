"""The command `wallaroo`."""

import logging
import sys
import threading
from collections.abc import Callable, Sequence
from typing import NoReturn

from wallaroo.cli import demo
from wallaroo.cli.application import describe, run
from wallaroo.errors import WallarooError
from wallaroo.service.worker import leave

_log = logging.getLogger(__name__)

# How long threads and atexit functions of an application may take when its service has ended.
_THREADS_SECONDS = 3.0

_VERBS: dict[str, Callable[[Sequence[str]], int]] = {
    "run": run,
    "describe": describe,
    "demo": demo.main,
}

_HELP = """usage: wallaroo VERB ...

  run MODULE         run an application (its module, or the path of its file) until SIGTERM
  describe MODULE    print its sub-topologies, consumer groups, topics and stores
  demo               run the stateful alerts on an embedded broker

`wallaroo VERB --help` lists the options of a verb. What is no option of ours goes to the
application's application_setup(args), and so does everything behind `--`.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; returns the process's exit code.

    Without arguments, as the command, the process ends soon after, whatever threads the application has.
    """
    code = _run(list(sys.argv[1:] if argv is None else argv))
    if argv is None:
        last = threading.Timer(_THREADS_SECONDS, _end, (code,))
        last.daemon = True
        last.start()
    return code


def _run(given: list[str]) -> int:
    if not given or given[0] in ("-h", "--help", "help"):
        print(_HELP, end="")
        return 0 if given else 2
    # As in Wallaroo, where there was one verb: `--application-module M` alone means run.
    verb, rest = ("run", given) if given[0].startswith("-") else (given[0], given[1:])
    if verb not in _VERBS:
        print(f"wallaroo: there is no verb {verb!r}; there are {', '.join(_VERBS)}", file=sys.stderr)
        return 2
    try:
        return _VERBS[verb](rest)
    except WallarooError as error:
        print(f"wallaroo: {error}", file=sys.stderr)
        return 2


def _end(code: int) -> NoReturn:
    """End the process that waits for what an application has started and does not end."""
    names = [thread.name for thread in threading.enumerate() if not thread.daemon]
    _log.warning("threads do not end", extra={"threads": names, "action": "ended"})
    leave(code)

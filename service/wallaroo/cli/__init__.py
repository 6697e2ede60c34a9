"""The command `wallaroo`: from its arguments to an exit code, and what all verbs do with errors."""

import logging
import os
import sys
import threading
from collections.abc import Sequence
from typing import NoReturn, cast

import typer
from typer.core import TyperGroup
from typer.main import get_command

from wallaroo.cli.options import split
from wallaroo.cli.verbs import commands
from wallaroo.errors import WallarooError
from wallaroo.service.worker import leave

_log = logging.getLogger(__name__)

# How long threads and atexit functions of an application may take when its service has ended.
_THREADS_SECONDS = 3.0
_USAGE = 2
_CUT_SHORT = 1
# Options of the command itself; with any other one first, the verb is `run`.
_OWN_OPTIONS = ("-h", "--help", "--version", "--install-completion", "--show-completion")


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
    root = cast(TyperGroup, get_command(commands))
    if not given and "_WALLAROO_COMPLETE" not in os.environ:
        _invoke(root, ["--help"], [])
        return _USAGE
    if given[:1] == ["help"]:
        given = ["--help"]
    # As in Wallaroo, where there was one verb: `--application-module M` alone means run.
    if given and given[0].startswith("-") and given[0].partition("=")[0] not in _OWN_OPTIONS:
        given = ["run", *given]
    verbs = root.commands
    if given and not given[0].startswith("-") and given[0] not in verbs:
        print(f"wallaroo: there is no verb {given[0]!r}; there are {', '.join(verbs)}", file=sys.stderr)
        return _USAGE
    return _invoke(root, *split(given))


def _invoke(root: TyperGroup, given: list[str], behind: list[str]) -> int:
    try:
        code = root.main(given, "wallaroo", standalone_mode=False, obj=behind) or 0
        sys.stdout.flush()
    except WallarooError as error:
        print(f"wallaroo: {error}", file=sys.stderr)
    except typer.TyperException as error:
        print(f"wallaroo: {error.format_message()}", file=sys.stderr)
    except BrokenPipeError:
        # Whoever reads has had enough, as in `| head`; what is left is written nowhere. Typer ends so, too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _CUT_SHORT
    except typer.Abort:
        print("wallaroo: not done", file=sys.stderr)
    else:
        return code
    return _USAGE


def _end(code: int) -> NoReturn:
    """End the process that waits for what an application has started and does not end."""
    names = [thread.name for thread in threading.enumerate() if not thread.daemon]
    _log.warning("threads do not end", extra={"threads": names, "action": "ended"})
    leave(code)

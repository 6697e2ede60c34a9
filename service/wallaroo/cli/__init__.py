"""The command `wallaroo`: its verbs, and what all of them do with errors."""

import logging
import os
import sys
import threading
from collections.abc import Sequence
from typing import Annotated, NoReturn, cast

import typer
from typer.core import TyperGroup
from typer.main import get_command

from wallaroo.cli import application, config, dead_letters, demo, feed, new, reset
from wallaroo.cli.options import PASS_ON, split
from wallaroo.errors import WallarooError
from wallaroo.service.worker import leave
from wallaroo.version import installed_version

_log = logging.getLogger(__name__)

# How long threads and atexit functions of an application may take when its service has ended.
_THREADS_SECONDS = 3.0
_USAGE = 2
# Options of the command itself; with any other one first, the verb is `run`.
_OWN_OPTIONS = ("-h", "--help", "--version", "--install-completion", "--show-completion")

commands = typer.Typer(
    name="wallaroo",
    help="Exactly-once stream processing on Kafka, in Python.\n\n"
    "MODULE is the application: a module, or the path of its file. What is no option of ours goes to its "
    "application_setup(args), and so does everything behind `--`.",
    epilog="wallaroo VERB --help shows the options of a verb, and an example.",
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
commands.command(context_settings=PASS_ON)(application.run)
commands.command(context_settings=PASS_ON)(application.describe)
commands.command(context_settings=PASS_ON)(reset.reset)
commands.command()(demo.demo)
commands.command()(new.new)
commands.command()(feed.produce)
commands.command()(feed.receive)
commands.add_typer(config.commands, name="config")
commands.add_typer(dead_letters.commands, name="dead-letters")


def _show_version(asked: bool) -> None:
    if asked:
        print(f"wallaroo {installed_version()}")
        raise typer.Exit


@commands.callback()
def _every_verb(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="show the version")
    ] = False,
) -> None:
    pass


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
        return root.main(given, "wallaroo", standalone_mode=False, obj=behind) or 0
    except WallarooError as error:
        print(f"wallaroo: {error}", file=sys.stderr)
    except typer.TyperException as error:
        print(f"wallaroo: {error.format_message()}", file=sys.stderr)
    except typer.Abort:
        print("wallaroo: not done", file=sys.stderr)
    return _USAGE


def _end(code: int) -> NoReturn:
    """End the process that waits for what an application has started and does not end."""
    names = [thread.name for thread in threading.enumerate() if not thread.daemon]
    _log.warning("threads do not end", extra={"threads": names, "action": "ended"})
    leave(code)

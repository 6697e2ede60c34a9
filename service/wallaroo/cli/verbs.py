"""All verbs of the command `wallaroo`."""

from typing import Annotated

import typer

from wallaroo.cli import application, config, dead_letters, demo, feed, new, reset, state, status, topics
from wallaroo.cli.options import PASS_ON
from wallaroo.version import installed_version

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
commands.command(context_settings=PASS_ON)(status.status)
commands.command(context_settings=PASS_ON)(reset.reset)
commands.command()(demo.demo)
commands.command()(new.new)
commands.command()(feed.produce)
commands.command()(feed.receive)
commands.add_typer(config.commands, name="config")
commands.add_typer(dead_letters.commands, name="dead-letters")
commands.add_typer(state.commands, name="state")
commands.add_typer(topics.commands, name="topics")


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

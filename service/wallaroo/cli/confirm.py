"""Asking before something is changed."""

import sys

import typer

from wallaroo.errors import SettingsError


def confirm(question: str, *, yes: bool) -> None:
    """Return if the answer is yes, or was given as --yes; otherwise the verb ends, and nothing is done.

    Raises SettingsError where nobody can answer.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise SettingsError("nothing was done: there is no terminal to answer at; to go ahead, give --yes")
    typer.confirm(question, abort=True)

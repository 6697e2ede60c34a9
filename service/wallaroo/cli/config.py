"""`wallaroo config`: every setting, its value, and where it came from."""

import os
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from wallaroo.cli.options import PASS_ON, Command, takes_application
from wallaroo.cli.output import show_json, show_table
from wallaroo.refusals import HIDDEN, secrets_of
from wallaroo.secret_files import SECRET_SETTINGS
from wallaroo.settings import MAPPINGS, Settings

commands = typer.Typer(help="Settings: their values, and where each came from.", no_args_is_help=True)


@commands.command(context_settings=PASS_ON)
@takes_application
def show(
    command: Command,
    json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
    all: Annotated[bool, typer.Option("--all/--set", help="defaults too, or only what is set")] = True,  # noqa: A002
) -> int:
    """Show every setting, its value and where it came from; secrets are masked.

    Example: WALLAROO_WORKERS=2 wallaroo config show topologies.alerts_stateful --set
    """
    rows = [row for row in shown(command.settings, command.options, os.environ) if all or row[2] != "default"]
    if json:
        show_json([{"setting": name, "value": value, "from": origin} for name, value, origin in rows])
    else:
        show_table(
            ["setting", "value", "from"], [(name, _text(value), origin) for name, value, origin in rows]
        )
    return 0


def shown(
    settings: Settings, options: Mapping[str, Any], environment: Mapping[str, str]
) -> Iterator[tuple[str, Any, str]]:
    """Every setting with its value as it may be shown, and where it came from."""
    variables = {name.upper() for name in environment}
    for name in Settings.model_fields:
        value = getattr(settings, name)
        if name in MAPPINGS:
            value = _masked(value)
        elif name in SECRET_SETTINGS and value is not None:
            value = HIDDEN
        yield name, value, _origin(name, settings, options, variables)


def _origin(name: str, settings: Settings, options: Mapping[str, Any], variables: set[str]) -> str:
    """Where a setting is from; properties may be from several places at once."""
    if name not in settings.model_fields_set:
        return "default"
    variable = f"WALLAROO_{name.upper()}"
    file = f"{name}_file"
    if name in SECRET_SETTINGS and file in settings.model_fields_set and variable not in variables:
        return _origin(file, settings, options, variables)
    from_variables = sorted(
        each for each in variables if each == variable or each.startswith(f"{variable}__")
    )
    found = [f"--{name.replace('_', '-')}"] if name in options else []
    if not found or name in MAPPINGS:
        found += from_variables
    return ", ".join(found) or "settings file"


def _masked(properties: Mapping[str, str]) -> dict[str, str]:
    return {
        name: HIDDEN if secrets_of({name: value}) or secrets_of({name: "x" * 8}) else value
        for name, value in properties.items()
    }


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{name}={each}" for name, each in value.items()) or "-"
    if isinstance(value, bool):
        return "on" if value else "off"
    return "-" if value is None else str(value)

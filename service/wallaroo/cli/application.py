"""`wallaroo run` and `wallaroo describe`: an application, its settings, and arguments of its own."""

import argparse
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wallaroo.errors import SettingsError
from wallaroo.observability import logging as log_setup
from wallaroo.refusals import mentions, misspelt_option
from wallaroo.service.application import Loaded, load, with_own_cluster
from wallaroo.service.modules import absolute, import_application, own_sources
from wallaroo.service.service import Program, Service
from wallaroo.settings import MAPPINGS, Settings, ineffective_variables, load_settings
from wallaroo.topology.describe import describe as describe_topology

_log = logging.getLogger(__name__)

_OPTIONS = (*Settings.model_fields, "config", "application_module")
_SWITCHES = {name for name, field in Settings.model_fields.items() if field.annotation is bool}


@dataclass(frozen=True, slots=True)
class Command:
    """What a command line asks for."""

    program: Program
    settings: Settings
    own: argparse.Namespace
    # Arguments of the application that look like options of ours, each with what it may be meant to be.
    misspelt: Mapping[str, str]


def run(argv: Sequence[str]) -> int:
    """Run an application as a service until it is stopped; returns the exit code."""
    command = parse(parser("run", "Run an application until SIGTERM."), argv)
    settings = command.settings
    log_setup.configure(settings.log_level, settings.log_format, settings.secrets)
    for text in ineffective_variables(os.environ):
        _log.warning("variable without effect", extra={"reason": text})
    topology = _load(command).topology
    # The application's modules may have configured logging as they were imported.
    log_setup.keep()
    return Service(command.program, topology, with_own_cluster(command.settings, topology)).run()


def describe(argv: Sequence[str]) -> int:
    """Print what an application compiles to, without a broker; returns the exit code."""
    made = parser("describe", "Print sub-topologies, consumer groups, topics and stores.")
    made.add_argument("--format", choices=("text", "mermaid", "json"), default="text")
    command = parse(made, argv)
    for text in ineffective_variables(os.environ):
        print(f"wallaroo: {text}", file=sys.stderr)
    print(describe_topology(_load(command).topology, command.own.format), end="")
    return 0


def _load(command: Command) -> Loaded:
    settings, program = command.settings, command.program
    module = import_application(program.module)
    if command.misspelt:
        sources = own_sources(module)
        _refuse({wrong: right for wrong, right in command.misspelt.items() if not mentions(sources, wrong)})
    return load(program.module, program.args, settings.application_id, settings.chosen_servers)


def parser(verb: str, description: str) -> argparse.ArgumentParser:
    """A parser that knows the application and every setting."""
    made = argparse.ArgumentParser(prog=f"wallaroo {verb}", description=description, allow_abbrev=False)
    made.usage = f"wallaroo {verb} MODULE [option ...] [[--] argument of the application ...]"
    made.epilog = "MODULE is the application: a module, or the path of its file."
    made.add_argument("--application-module", metavar="MODULE", help="MODULE, as Wallaroo had it")
    made.add_argument("--config", metavar="FILE", help="settings from a TOML file")
    settings = made.add_argument_group("settings", "each one is also a variable WALLAROO_<NAME>")
    for name, field in Settings.model_fields.items():
        option, text = f"--{name.replace('_', '-')}", field.description
        if name in MAPPINGS:
            settings.add_argument(option, dest=name, action="append", metavar="PROPERTY=VALUE", help=text)
        elif name in _SWITCHES:
            switch = argparse.BooleanOptionalAction
            settings.add_argument(option, dest=name, action=switch, default=None, help=text)
        else:
            settings.add_argument(option, dest=name, metavar=repr(field.default), help=text)
    return made


def parse(made: argparse.ArgumentParser, argv: Sequence[str]) -> Command:
    """Split a command line into our options, and the arguments of the application.

    Raises SettingsError if no application is named or a setting is wrong.
    """
    # Behind `--`, options of the application may be named like ours.
    at = argv.index("--") if "--" in argv else len(argv)
    own, rest = made.parse_known_args(argv[:at])
    module = own.application_module
    # Only the first word can be the module: one behind an option of the application may be its value.
    if not module and rest and not rest[0].startswith("-"):
        module, *rest = rest
    misspelt = {each.partition("=")[0]: near for each in rest if (near := misspelt_option(each, _OPTIONS))}
    if not module:
        _refuse(misspelt)
        raise SettingsError(
            "no application is named; give its module first: wallaroo run topologies.alerts_stateful"
        )
    options = {name: getattr(own, name) for name in Settings.model_fields if getattr(own, name) is not None}
    options |= {name: _properties(name, options[name]) for name in MAPPINGS if name in options}
    settings = load_settings(options, own.config)
    program = Program(absolute(module), (sys.argv[0], *rest, *argv[at + 1 :]))
    return Command(program, settings, own, misspelt)


def _refuse(misspelt: Mapping[str, str]) -> None:
    """Raise SettingsError if there are any."""
    if misspelt:
        lines = [f"there is no option {wrong}; did you mean {right}?" for wrong, right in misspelt.items()]
        advice = "an option that the application takes, but mentions nowhere, stands behind `--`"
        raise SettingsError("\n".join([*lines, advice]))


def _properties(name: str, pairs: Sequence[str]) -> dict[str, Any]:
    properties = {}
    for number, pair in enumerate(pairs, 1):
        key, equals, value = pair.partition("=")
        if not equals:
            # Not what was given: it may be a password.
            option = f"--{name.replace('_', '-')}"
            raise SettingsError(f"{option} takes PROPERTY=VALUE; there is no = in number {number} of them")
        properties[key] = value
    return properties

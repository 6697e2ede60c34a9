"""Options of a verb that works with an application: its module, every setting, and the application's own."""

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from types import UnionType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import typer
from pydantic.fields import FieldInfo

from wallaroo.errors import SettingsError
from wallaroo.refusals import is_secret, mentions, misspelt_option
from wallaroo.secret_files import SECRET_SETTINGS
from wallaroo.service.application import Loaded, load, with_own_cluster
from wallaroo.service.modules import absolute, import_application, own_sources
from wallaroo.service.service import Program
from wallaroo.settings import MAPPINGS, Settings, load_settings

# What is no option of ours is the application's.
PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True}

# The first setting of each panel of the help.
_PANELS = {
    "bootstrap_servers": "Cluster and processes",
    "processing_guarantee": "Records and commits",
    "group_protocol": "Consumer groups",
    "create_topics": "Topics that are created",
    "sender_idle_timeout_ms": "TCP, HTTP and logs",
    "kafka": "Properties of Kafka clients",
}
_CLUSTER = ("bootstrap_servers", "kafka", "consumer", "producer")
_BY_NAME = inspect.Parameter.KEYWORD_ONLY
_NAMES = (*Settings.model_fields, "config", "application_module")
_AS_BEFORE = typer.Option(metavar="MODULE", help="names the application as Wallaroo did, before all words")
_CONFIG = typer.Option(metavar="FILE", help="settings from a TOML file; options and variables come first")
_MODULE = typer.Argument(metavar="MODULE", help="the application: a module, or the path of its file")


@dataclass(frozen=True, slots=True)
class Command:
    """What a command line asks for."""

    program: Program
    settings: Settings
    # Where the settings came from, for who asks: those of the command line, and the file.
    options: Mapping[str, Any]
    config: str | None
    # Arguments of the application that look like options of ours, each with what it may be meant to be.
    misspelt: Mapping[str, str]

    def load(self) -> Loaded:
        """Import and compile the application; raises SettingsError for an option that was misspelt."""
        module = import_application(self.program.module)
        if self.misspelt:
            sources = own_sources(module)
            _refuse({wrong: right for wrong, right in self.misspelt.items() if not mentions(sources, wrong)})
        settings = self.settings
        return load(self.program.module, self.program.args, settings.application_id, settings.chosen_servers)

    def load_for_cluster(self) -> tuple[Loaded, Settings]:
        """The application, and the settings with the cluster that it runs on; raises as `load` does."""
        loaded = self.load()
        return loaded, with_own_cluster(self.settings, loaded.topology)


def takes_application(function: Callable[..., int]) -> Callable[..., int]:
    """A verb whose first parameter is a Command; its other ones are words and options of its own.

    Words stand behind the module, and are texts. A parameter that is a dataclass stands for several options,
    its fields. The words that are left, and options that nobody knows, are the application's.
    """
    hints = get_type_hints(function, include_extras=True)
    given_to = [each for each in inspect.signature(function).parameters.values() if each.name != "command"]
    groups = {each.name: hints[each.name] for each in given_to if is_dataclass(hints[each.name])}
    own = [each for each in given_to if each.name not in groups]
    for group in groups.values():
        hints |= get_type_hints(group, include_extras=True)
        own += inspect.signature(group).parameters.values()
    words = {each.name: each.default for each in own if _is_word(hints[each.name])}

    def verb(ctx: typer.Context, **given: Any) -> int:
        options = {name: given.pop(name) for name in Settings.model_fields}
        module, config = given.pop("application_module"), given.pop("config")
        rest = [given.pop(name) for name in ("module", *words)]
        rest = [*(word for word in rest if word is not None), *ctx.args]
        module, rest = _module(module, rest)
        for name, default in words.items():
            given[name], rest = _word(ctx, name, default, rest)
        for name, group in groups.items():
            given[name] = group(**{each: given.pop(each) for each in inspect.signature(group).parameters})
        return function(_command(module, rest, ctx.obj or (), options, config), **given)

    parameters = [*_shared_parameters(), *(_optional(each, hints[each.name]) for each in own)]
    return _like(function, verb, _words_first(parameters))


def takes_cluster(function: Callable[..., int]) -> Callable[..., int]:
    """A verb without an application, whose first parameter is the settings of a cluster."""
    hints = get_type_hints(function, include_extras=True)
    own = [each for each in inspect.signature(function).parameters.values() if each.name != "settings"]
    fields = {name: Settings.model_fields[name] for name in _CLUSTER}
    shared = [_parameter(name, _setting(name, field, "Cluster")) for name, field in fields.items()]

    def verb(**given: Any) -> int:
        options = {name: given.pop(name) for name in _CLUSTER}
        return function(load_settings(_given(options), given.pop("config")), **given)

    parameters = [each.replace(annotation=hints[each.name], kind=_BY_NAME) for each in own]
    parameters += [*shared, _parameter("config", Annotated[str | None, _CONFIG])]
    return _like(function, verb, parameters)


def parse(argv: Sequence[str]) -> Command:
    """The command that a line of options asks for, without a verb."""
    made: list[Command] = []
    lone = typer.Typer(add_completion=False)

    @lone.command(context_settings=PASS_ON)
    @takes_application
    def keep(command: Command) -> int:
        made.append(command)
        return 0

    before, behind = split(argv)
    typer.main.get_command(lone).main(before, "wallaroo", standalone_mode=False, obj=behind)
    return made[0]


def split(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """What stands before `--`, and behind it: there, options of the application may be named like ours."""
    at = argv.index("--") if "--" in argv else len(argv)
    return list(argv[:at]), list(argv[at + 1 :])


def _module(named: str | None, words: list[str]) -> tuple[str | None, list[str]]:
    # Only the first word can be the module: one behind an option of the application may be its value.
    if not named and words and not words[0].startswith("-"):
        return words[0], words[1:]
    return named, words


def _word(ctx: typer.Context, name: str, default: Any, rest: list[str]) -> tuple[Any, list[str]]:
    if rest:
        return rest[0], rest[1:]
    if default is not inspect.Parameter.empty:
        return default, rest
    raise SettingsError(f"no {name.upper()} is given; see {ctx.command_path} --help")


def _command(
    module: str | None, rest: list[str], behind: Sequence[str], options: dict[str, Any], config: str | None
) -> Command:
    misspelt = {each.partition("=")[0]: near for each in rest if (near := misspelt_option(each, _NAMES))}
    if not module:
        _refuse(misspelt)
        raise SettingsError(
            "no application is named; give its module first: wallaroo run topologies.alerts_stateful"
        )
    given = _given(options)
    program = Program(absolute(module), (sys.argv[0], *rest, *behind))
    return Command(program, load_settings(given, config), given, config, misspelt)


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    """The settings among the options that were given."""
    given = {name: value for name, value in options.items() if value is not None}
    given |= {name: _properties(name, given[name]) for name in MAPPINGS if name in given}
    _refuse_secrets(given)
    return given


def _refuse_secrets(given: Mapping[str, Any]) -> None:
    """Raise SettingsError if one of the options is a secret, which everybody on the host can read."""
    found = [
        (f"--{name.replace('_', '-')} {each}=", f"WALLAROO_{name.upper()}__{each.upper().replace('.', '_')}")
        for name in MAPPINGS
        for each in given.get(name, ())
        if is_secret(each)
    ]
    settings = [name for name in SECRET_SETTINGS if name in given]
    found += [(f"--{name.replace('_', '-')}", f"WALLAROO_{name.upper()}") for name in settings]
    if found:
        lines = [
            f"{option} is a secret, and everybody on this host can read a command line; set {variable}_FILE "
            f"or {variable}, or give it in the settings file"
            for option, variable in found
        ]
        raise SettingsError("\n".join(lines))


def _like(
    function: Callable[..., int], verb: Callable[..., int], parameters: Sequence[inspect.Parameter]
) -> Callable[..., int]:
    """The verb with these parameters, and the name and text of the function."""
    verb.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    verb.__annotations__ = {each.name: each.annotation for each in parameters}
    verb.__doc__, verb.__name__ = function.__doc__, function.__name__
    return verb


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


def _shared_parameters() -> Iterator[inspect.Parameter]:
    yield _parameter("ctx", typer.Context, inspect.Parameter.empty)
    yield _parameter("module", Annotated[str | None, _MODULE])
    yield _parameter("application_module", Annotated[str | None, _AS_BEFORE])
    yield _parameter("config", Annotated[str | None, _CONFIG])
    panel = ""
    for name, field in Settings.model_fields.items():
        panel = _PANELS.get(name, panel)
        yield _parameter(name, _setting(name, field, panel))


def _setting(name: str, field: FieldInfo, panel: str) -> Any:
    """How a setting is given as an option; whether its value is right, the settings say."""
    option = f"--{name.replace('_', '-')}"
    asked: dict[str, Any] = {
        "help": f"{field.description}{_default(field)}",
        "rich_help_panel": panel,
        "show_default": False,
    }
    if name in MAPPINGS:
        return Annotated[list[str] | None, typer.Option(option, metavar="PROPERTY=VALUE", **asked)]
    if field.annotation in (bool, bool | None):
        switch = f"{option}/--no-{option.removeprefix('--')}"
        return Annotated[bool | None, typer.Option(switch, **asked)]
    return Annotated[str | None, typer.Option(option, metavar=_metavar(field), **asked)]


def _default(field: FieldInfo) -> str:
    """The default as a person writes it."""
    if field.default in (None, {}):
        return ""
    return f" ({'on' if field.default is True else 'off' if field.default is False else field.default})"


def _metavar(field: FieldInfo) -> str:
    kinds = [field.annotation, *get_args(field.annotation)]
    if get_origin(field.annotation) is Literal:
        return "|".join(kinds[1:])
    if (
        isinstance(field.annotation, type)
        and issubclass(field.annotation, str)
        and field.annotation is not str
    ):
        return "|".join(field.annotation)  # type: ignore[arg-type]
    return "NUMBER" if int in kinds or Annotated[int | None, ...] in kinds else "TEXT"


def _is_word(hint: Any) -> bool:
    return any(isinstance(each, typer.models.ArgumentInfo) for each in get_args(hint)[1:])


def _optional(parameter: inspect.Parameter, hint: Any) -> inspect.Parameter:
    """The same parameter; a word may be missing, since others may stand in its place."""
    if not _is_word(hint):
        return parameter.replace(annotation=hint, kind=_BY_NAME)
    kind, *details = get_args(hint)
    optional = kind if isinstance(kind, UnionType) else kind | None
    return _parameter(parameter.name, Annotated[optional, *details])


def _parameter(name: str, annotation: Any, default: Any = None) -> inspect.Parameter:
    return inspect.Parameter(name, _BY_NAME, default=default, annotation=annotation)


def _words_first(parameters: Sequence[inspect.Parameter]) -> list[inspect.Parameter]:
    return sorted(parameters, key=lambda each: each.name != "ctx" and not _is_word(each.annotation))

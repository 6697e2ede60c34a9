"""Load an application module, compile what its `application_setup` returns, and find its own cluster."""

import importlib
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, TracebackType

from wallaroo.api.checks import describe
from wallaroo.api.pipeline import Application
from wallaroo.errors import ApplicationError, SettingsError, WallarooError
from wallaroo.serde.codecs import Codecs, codecs_of
from wallaroo.settings import Settings
from wallaroo.topology.compile import compile_topology
from wallaroo.topology.model import Topology, ToTopic, server_list
from wallaroo.topology.remote_sinks import addresses

_OURS = (__file__, importlib.__file__, "<frozen importlib")


@dataclass(frozen=True, slots=True)
class Loaded:
    """A compiled application and how its values become bytes."""

    topology: Topology
    codecs: Codecs


def load(
    module_name: str,
    args: Sequence[str],
    application_id: str | None = None,
    bootstrap_servers: str | None = None,
) -> Loaded:
    """Import the module, call its `application_setup(args)` and compile the result.

    `args` begins with the program's name, as in Wallaroo; `bootstrap_servers` is the cluster that the
    operator has chosen, if any. Raises SettingsError if there is no such module or setup,
    ApplicationError if one of them raises, and TopologyError if the pipeline cannot run.
    """
    module = _import(module_name)
    setup = getattr(module, "application_setup", None)
    if not callable(setup):
        raise SettingsError(f"module {module_name!r} has no function application_setup(args)")
    with _explained(f"application_setup of module {module_name!r} raised"):
        application = setup(list(args))
    if not isinstance(application, Application):
        raise SettingsError(
            f"{module_name}.application_setup returned {describe(application)}; "
            "return wallaroo.build_application(...)"
        )
    topology = compile_topology(application, application_id, args, bootstrap_servers)
    return Loaded(topology, codecs_of(module))


def _import(name: str) -> ModuleType:
    """A module by dotted name, looked for in the working directory first, or by the path of its file."""
    if name.endswith(".py"):
        path = Path(name).resolve()
        if not path.is_file():
            raise SettingsError(f"there is no file {name!r}; give the application's module or its file")
        folder, name = str(path.parent), path.stem
    else:
        folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    with _explained(f"module {name!r} cannot be loaded:"):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or not name.startswith(error.name):
                raise
            raise SettingsError(
                f"there is no module {name!r} in {folder} or on the path; give the application's module, "
                "for example topologies.alerts_stateful, or the path of its file"
            ) from error


@contextmanager
def _explained(what: str) -> Iterator[None]:
    """Turn an error of the application's own code into an ApplicationError that shows where it was raised."""
    try:
        yield
    except WallarooError:
        raise
    except Exception as error:
        own = "".join(traceback.format_exception(error.with_traceback(_own_frames(error)))).rstrip()
        raise ApplicationError(f"{what} {type(error).__name__}; mend it and start again\n{own}") from error


def _own_frames(error: Exception) -> TracebackType | None:
    """The traceback, without the frames from here to the application."""
    frame = error.__traceback__
    while frame is not None and frame.tb_frame.f_code.co_filename.startswith(_OURS):
        frame = frame.tb_next
    return frame


def with_own_cluster(settings: Settings, topology: Topology) -> Settings:
    """Settings whose `bootstrap_servers` are those the application is to run on.

    Raises SettingsError if sources and sinks name different clusters: a transaction spans one.
    """
    if settings.chosen_servers is not None:
        return settings
    named = list(_named_brokers(topology))
    if not named:
        return settings
    brokers, first = named[0]
    for others, other in named:
        if not addresses(brokers) & addresses(others):
            raise SettingsError(
                f"{first} and {other} name different brokers, and an application runs on one cluster: "
                "name the same ones, or set bootstrap_servers to the cluster that it is to be"
            )
    return settings.model_copy(update={"bootstrap_servers": server_list(brokers)})


def _named_brokers(topology: Topology) -> Iterator[tuple[Sequence[tuple[str, str]], str]]:
    for source in topology.sources:
        if source.brokers:
            yield source.brokers, f"the source {source.name!r}"
    for sub in topology.sub_topologies:
        for target in sub.targets:
            if isinstance(target, ToTopic) and target.brokers:
                yield target.brokers, f"the sink of {target.topic!r}"

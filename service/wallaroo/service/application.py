"""Load an application module and compile what its `application_setup` returns."""

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
from wallaroo.topology.compile import compile_topology
from wallaroo.topology.model import Topology

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
    operator has chosen, if any. Raises SettingsError where there is no such module or setup,
    ApplicationError where one of them raises, and TopologyError where the pipeline cannot run.
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
    """Whatever the application's own code raises, before there is a worker to be ended by it."""
    try:
        yield
    except WallarooError:
        raise
    except Exception as error:
        own = "".join(traceback.format_exception(error.with_traceback(_own_frames(error)))).rstrip()
        raise ApplicationError(f"{what} {type(error).__name__}; mend it and start again\n{own}") from error


def _own_frames(error: Exception) -> TracebackType | None:
    """Where it came from, without the way from here to the application."""
    frame = error.__traceback__
    while frame is not None and frame.tb_frame.f_code.co_filename.startswith(_OURS):
        frame = frame.tb_next
    return frame

"""Load an application module and compile what its `application_setup` returns."""

import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from wallaroo.api.pipeline import Application
from wallaroo.errors import SettingsError
from wallaroo.state.codecs import Codecs, codecs_of
from wallaroo.topology.compile import compile_topology
from wallaroo.topology.model import Topology


@dataclass(frozen=True, slots=True)
class Loaded:
    """A compiled application and how its values become bytes."""

    topology: Topology
    codecs: Codecs


def load(module_name: str, args: Sequence[str], application_id: str | None = None) -> Loaded:
    """Import the module, call its `application_setup(args)` and compile the result.

    `args` begins with the program's name, as in Wallaroo. Raises SettingsError where there is no such
    module or setup, and TopologyError where the pipeline cannot run.
    """
    module = _import(module_name)
    setup = getattr(module, "application_setup", None)
    if not callable(setup):
        raise SettingsError(f"module {module_name!r} has no function application_setup(args)")
    application = setup(list(args))
    if not isinstance(application, Application):
        raise SettingsError(
            f"{module_name}.application_setup returned {application!r}; "
            "return wallaroo.build_application(...)"
        )
    return Loaded(compile_topology(application, application_id, args), codecs_of(module))


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
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not name.startswith(error.name):
            raise
        raise SettingsError(
            f"there is no module {name!r} in {folder} or on the path; give the application's module, "
            "for example topologies.alerts_stateful, or the path of its file"
        ) from error

"""Load an application module and compile what its `application_setup` returns."""

import importlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from wallaroo.api.pipeline import Application
from wallaroo.errors import SettingsError
from wallaroo.state.codec import Codec, StateCodec, UserCodec
from wallaroo.state.pickles import RestrictedPickle
from wallaroo.state.values import ValueCodec
from wallaroo.topology.compile import compile_topology
from wallaroo.topology.model import Topology


@dataclass(frozen=True, slots=True)
class Loaded:
    """A compiled application and how its values become bytes."""

    topology: Topology
    values: Codec
    state_codec: Callable[[Callable[[], Any]], Codec]


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
            f"{module_name}.application_setup returned {application!r}; return wallaroo.build_application(...)"
        )
    topology = compile_topology(application, application_id, args)
    serialize, deserialize = getattr(module, "serialize", None), getattr(module, "deserialize", None)
    if callable(serialize) and callable(deserialize):
        own = UserCodec(serialize, deserialize)
        return Loaded(topology, own, lambda _initial: own)
    pickles = RestrictedPickle([module.__name__])
    return Loaded(topology, ValueCodec(pickles), lambda initial: StateCodec(initial, pickles))


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

"""Import the application's module: by its dotted name, or from its file, whatever that is called."""

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType, TracebackType

from wallaroo.errors import ApplicationError, SettingsError, WallarooError
from wallaroo.serde.own_modules import free_name, imported_modules, is_installed, is_user_module

_OURS = (__file__, importlib.__file__, "<frozen importlib", str(Path(__file__).with_name("application.py")))
# What a module's name may not have: dots would be packages, and a colon or a line ends it in stored bytes.
_NOT_IN_NAMES = frozenset(".:\n")


def absolute(name: str) -> str:
    """The same application, wherever the working directory is: a file by its whole path.

    A file in the working directory comes before a library's module of that name.
    """
    path = Path(name if name.endswith(".py") else f"{name}.py").resolve()
    is_file = path.is_file() and (name.endswith(".py") or (name.isidentifier() and _is_taken(name, path)))
    return str(path) if is_file else name


def import_application(name: str) -> ModuleType:
    """A module by dotted name, looked for in the working directory first, or by the path of its file.

    Raises SettingsError if there is none, and ApplicationError if it cannot be loaded.
    """
    if name.endswith(".py"):
        return _from_file(Path(name).resolve(), name)
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    with explained(f"module {name!r} cannot be loaded:"):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or not name.startswith(error.name):
                raise
            raise SettingsError(
                f"there is no module {name!r} in {folder} or on the path; give the application's module, "
                "for example topologies.alerts_stateful, or the path of its file"
            ) from error


def _from_file(path: Path, given: str) -> ModuleType:
    if not path.is_file():
        raise SettingsError(f"there is no file {given!r}; give the application's module or its file")
    folder, name = str(path.parent), path.stem
    is_taken = _is_taken(name, path)
    if folder not in sys.path:
        # Behind everything else where the file would be found in the place of a library's module.
        sys.path.insert(len(sys.path) if is_taken else 0, folder)
    name = free_name(name) if is_taken else name
    loaded = sys.modules.get(name)
    if loaded is not None and _is_at(loaded, path):
        return loaded
    with explained(f"module {name!r} cannot be loaded:"):
        return _execute(name, path)


def _execute(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise SettingsError(f"{str(path)!r} cannot be loaded as a Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return sys.modules[name]


def _is_taken(name: str, path: Path) -> bool:
    """Whether a name belongs to another module: a loaded one, or one of the standard library or a package."""
    if _NOT_IN_NAMES & set(name) or name in sys.stdlib_module_names or name in ("wallaroo", "__main__"):
        return True
    loaded = sys.modules.get(name)
    if loaded is not None:
        return not _is_at(loaded, path)
    found = PathFinder.find_spec(name)
    place = (
        None if found is None else found.origin or next(iter(found.submodule_search_locations or ()), None)
    )
    return place is not None and is_installed(place) and Path(place).resolve() != path


def _is_at(module: ModuleType, path: Path) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and Path(file).resolve() == path


def own_sources(application: ModuleType) -> str:
    """The text of the application's module and of its other own modules that this one has imported."""
    found, ahead = {application.__name__: application}, [application]
    while ahead:
        for name in imported_modules(ahead.pop()):
            module = sys.modules.get(name)
            if module is not None and name not in found and is_user_module(module):
                found[name] = module
                ahead.append(module)
    files = [Path(str(getattr(module, "__file__", None))) for module in found.values()]
    return "\n".join(file.read_text("utf-8", "replace") for file in files if file.is_file())


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn an error of the application's own code into an ApplicationError that shows where it was raised."""
    try:
        yield
    except (WallarooError, SystemExit, KeyboardInterrupt):
        raise
    except BaseException as error:
        own = "".join(traceback.format_exception(error.with_traceback(_own_frames(error)))).rstrip()
        raise ApplicationError(f"{what} {type(error).__name__}; mend it and start again\n{own}") from error


def _own_frames(error: BaseException) -> TracebackType | None:
    """The traceback, without the frames from here to the application."""
    frame = error.__traceback__
    while frame is not None and frame.tb_frame.f_code.co_filename.startswith(_OURS):
        frame = frame.tb_next
    return frame

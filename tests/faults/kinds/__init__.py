"""The kinds of faults: every module here lists its own in KINDS."""

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules

from tests.faults.plan import Kind


def all_kinds() -> Mapping[str, Kind]:
    """By name."""
    modules = [import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)]
    return {kind.name: kind for module in modules for kind in module.KINDS}

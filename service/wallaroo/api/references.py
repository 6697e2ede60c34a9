"""Wrappers are pickled as a reference to the place where the application declared them."""

import sys
from collections import Counter
from typing import Any
from weakref import WeakValueDictionary

from wallaroo.errors import WallarooParameterError

# module, qualified name, and how many of that name were declared before
Declaration = tuple[str, str, int]

_declared: WeakValueDictionary[Declaration, Any] = WeakValueDictionary()
_counts: Counter[tuple[str, str]] = Counter()


def declare(wrapper: Any) -> Declaration:
    """Note a new wrapper, so that one made inside a function can be found again.

    Every process of an application runs the same declarations in the same order, so the number
    means the same in each of them.
    """
    place = (wrapper.__module__, wrapper.__qualname__)
    declaration = (*place, _counts[place])
    _counts[place] += 1
    _declared[declaration] = wrapper
    return declaration


def recall(declaration: Declaration) -> Any:
    """The wrapper of a declaration; WallarooParameterError where this process has none."""
    wrapper = _declared.get(declaration)
    if wrapper is None:
        module, qualname, _ = declaration
        raise WallarooParameterError(
            f"{qualname} of module {module} is not declared in this process; "
            "import the module and run its application_setup before unpickling"
        )
    return wrapper


def is_global(wrapper: Any) -> bool:
    """Whether the wrapper's module and qualified name lead back to it."""
    target: Any = sys.modules.get(wrapper.__module__)
    for part in wrapper.__qualname__.split("."):
        target = getattr(target, part, None)
    return target is wrapper

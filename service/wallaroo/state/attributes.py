"""Objects that are their `__dict__` and nothing more, so that its bytes are theirs."""

import copyreg
from typing import Any

from wallaroo.errors import StoredValueError

# Defined by a class, any of these says that its __dict__ alone is not the object.
_OWN_PICKLING = (
    *("__reduce__", "__reduce_ex__", "__getstate__", "__setstate__"),
    *("__getnewargs__", "__getnewargs_ex__", "__slots__"),
)


def is_its_attributes(kind: type) -> bool:
    """Whether an object of this class is its __dict__ and nothing more."""
    parents = kind.__mro__[:-1]
    return (
        kind not in copyreg.dispatch_table
        and not any(name in vars(parent) for parent in parents for name in _OWN_PICKLING)
        and kind.__dictoffset__ != 0
        and kind.__basicsize__ == _Plain.__basicsize__
    )


def with_attributes(kind: Any, attributes: Any) -> Any:
    """An object of such a class; StoredValueError where this is no `__dict__`."""
    if type(attributes) is not dict:
        raise StoredValueError(f"what is stored of a {kind.__qualname__} are no attributes")
    revived = kind.__new__(kind)
    revived.__dict__.update(attributes)
    return revived


class _Plain:
    pass

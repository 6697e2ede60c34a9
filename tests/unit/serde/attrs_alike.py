"""Classes as attrs makes them: fields in slots, and pickled by methods that attrs has written.

The tests do not need attrs; the shape is that of version 25.
"""

import dataclasses

LIBRARY = """
def methods(names):
    def slots_getstate(self):
        return {name: getattr(self, name) for name in names}

    def slots_setstate(self, state):
        for name in names:
            if name in state:
                object.__setattr__(self, name, state[name])

    return slots_getstate, slots_setstate
"""


class Field:
    """An `attrs.Attribute`."""

    def __init__(self, name, default):
        self.name = name
        self.default = default


def define(kind, *, is_frozen=False):
    """What `attrs.define` makes of a class."""
    made = dataclasses.dataclass(slots=True)(kind)
    names = tuple(made.__dataclass_fields__)
    library = {"__name__": "attr._make"}
    exec(compile(LIBRARY, "/site-packages/attr/_make.py", "exec"), library)  # noqa: S102
    made.__getstate__, made.__setstate__ = library["methods"](names)
    made.__attrs_attrs__ = tuple(Field(f.name, f.default) for f in dataclasses.fields(made))
    if is_frozen:
        made.__setattr__ = refuse
    del made.__dataclass_fields__
    return made


def frozen(kind):
    """What `attrs.frozen` makes of a class; but for the test, `__init__` may set."""
    made = define(kind)
    init = made.__init__

    def make(self, **fields):
        made.__setattr__ = object.__setattr__
        init(self, **fields)
        made.__setattr__ = refuse

    made.__init__ = make
    make.__signature__ = __import__("inspect").signature(init)
    made.__setattr__ = refuse
    return made


def refuse(_self, name, _value):
    raise AttributeError(name)

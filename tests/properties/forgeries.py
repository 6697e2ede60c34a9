"""A module of an application that has imported dangerous things, as modules do, and forged pickles."""

import functools
import os
import pickle
import subprocess
from functools import partial
from subprocess import Popen

HERE = __name__


BEGIN = pickle.PROTO + b"\x05"


def text(value):
    """The opcodes of a short text."""
    made = value.encode()
    return pickle.SHORT_BINUNICODE, bytes([len(made)]), made


def named(module, name):
    """The opcodes of a class."""
    return *text(module), *text(name), pickle.STACK_GLOBAL


class Mine:
    ran = False

    class Inner:
        """Found behind the class only."""


mine = Mine()


class Call:
    """Pickles as a call of anything."""

    def __init__(self, function, *args):
        self.call = (function, args)

    def __reduce__(self):
        return self.call


def run_me(*_args):
    """A function of the application's own: not even that may a record call."""
    Mine.ran = True


def forged(module, name):
    """A pickle that calls whatever is at a place, written by hand."""
    return b"".join((BEGIN, *named(module, name), *text("echo"), pickle.TUPLE1, pickle.REDUCE, pickle.STOP))


CALLS = [
    Call(os.system, "echo forged"),
    Call(subprocess.Popen, ["echo", "forged"]),
    Call(Popen, ["echo", "forged"]),
    Call(eval, "1"),
    Call(exec, "1"),
    Call(getattr, Mine, "ran"),
    Call(partial, print, "forged"),
    Call(functools.reduce, print, [1]),
    Call(run_me),
    Call(open, "forged", "w"),
    Call(pickle.loads, b"N."),
]

PLACES = [
    ("os", "system"),
    ("posix", "system"),
    ("subprocess", "Popen"),
    ("builtins", "eval"),
    ("builtins", "__import__"),
    ("builtins", "getattr"),
    ("builtins", "object"),
    ("builtins", "type"),
    ("functools", "partial"),
    ("importlib", "import_module"),
    ("collections", "namedtuple"),
    ("wallaroo.serde.pickle", "RestrictedPickle"),
    ("wallaroo", "deserialize"),
    (HERE, "os.system"),
    (HERE, "subprocess.Popen"),
    (HERE, "Popen"),
    (HERE, "partial"),
    (HERE, "run_me"),
    (HERE, "Mine.__init__.__globals__"),
    (HERE, "Mine.__init__.__class__"),
    (HERE, "HERE.__class__"),
    (HERE, "mine.__class__"),
    (HERE, "mine.Inner"),
    (HERE, "Mine.__class__"),
    (HERE, "Mine.__base__"),
    (HERE, "Mine.mro"),
    (HERE, "Call.__init__"),
    (HERE, "nothing"),
    ("no.such.module", "Thing"),
    ("tests", "properties"),
]

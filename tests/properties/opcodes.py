"""Pickles written by hand, and classes that would do something if a pickle could call them."""

import io
import pickle
import socketserver
import subprocess
from collections import UserList

from tests.properties.forgeries import BEGIN, named, text


class Kind(type):
    """Classes of this class can be made anew."""


class OwnUserList(UserList):
    pass


class OwnList(UserList):
    def __getinitargs__(self):
        return ()


class OwnFile(io.FileIO):
    pass


class OwnServer(socketserver.TCPServer):
    pass


class OwnPopen(subprocess.Popen):
    pass


def whole(*parts):
    return b"".join((BEGIN, *parts, pickle.STOP))


def of(kind):
    """The opcodes of a class."""
    return b"".join(named(kind.__module__, kind.__qualname__))


def plain(value):
    """The opcodes of a value that needs no memo of its own."""
    return pickle.dumps(value, 5)[2:-1]


def arguments(*made):
    return b"".join((pickle.MARK, *made, pickle.TUPLE))


def called(kind, *made):
    """A class called with arguments, each made of opcodes."""
    return of(kind) + arguments(*made) + pickle.REDUCE


def made(kind, *parts):
    """An object as `__new__` makes it of arguments, each made of opcodes."""
    return of(kind) + arguments(*parts) + pickle.NEWOBJ


def built(target, state):
    return target + state + pickle.BUILD


def list_of(*items):
    return b"".join((pickle.EMPTY_LIST, pickle.MARK, *items, pickle.APPENDS))


def dict_of(**items):
    made = [part for name, value in items.items() for part in (*text(name), value)]
    return b"".join((pickle.EMPTY_DICT, pickle.MARK, *made, pickle.SETITEMS))

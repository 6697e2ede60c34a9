"""How a driver calls user code: each part of an application in a thread of its own, as a worker does.

The caller waits, so only one of these threads is at work at a time. They end in a crash, or with the driver.
"""

import ctypes
import decimal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import Context, copy_context
from functools import partial
from queue import Empty, SimpleQueue
from types import ModuleType
from typing import Any, TypeVar

from wallaroo.api.pipeline import Application
from wallaroo.engine.user_thread import new_user_thread
from wallaroo.errors import Interrupt, WallarooError
from wallaroo.serde.codecs import codecs_of
from wallaroo.testing.module_state import ModuleState
from wallaroo.testing.other_processes import check_names

T = TypeVar("T")
# Whether it failed, and what it returned or raised.
_Answer = SimpleQueue[tuple[bool, Any]]
_Calls = SimpleQueue[Callable[[], None] | None]
_LISTEN_SECONDS = 0.2


class UserCode:
    """The code of an application, called as by a worker that has just imported it.

    `module` is the one that a test names instead of that whose `application_setup` made the application;
    `args` is what command-line configurations read.
    """

    def __init__(self, application: Application, args: Sequence[str], module: ModuleType | None) -> None:
        self._application, self._args = application, args
        own = module or sys.modules.get(application.module or "")
        self.codecs = codecs_of(module, default=own)
        self._variables = ModuleState(own)
        self._imported = copy_context()
        self._decimal = decimal.getcontext().copy()
        self._interrupted = False
        self._begin()

    def _begin(self) -> None:
        self._threads: dict[str, _UserThread] = {}
        # The context can be changed in place: by the stages of one worker for each other, not for the test.
        self._imported.run(decimal.setcontext, self._decimal.copy())

    def call(self, part: str, function: Callable[..., T], *args: Any) -> T:
        """Call a function in the thread of a part of the application; raises what it raises."""
        self.check_not_interrupted()
        thread = self._threads.get(part)
        # After a fork there is none in the new process.
        if thread is None or not thread.is_alive():
            thread = self._threads[part] = _UserThread(part, self._imported)
        try:
            return thread.call(function, *args)
        finally:
            self._interrupted = thread.interrupted

    def check_not_interrupted(self) -> None:
        """Raises WallarooError if a call was interrupted: nobody knows how far it had come."""
        if self._interrupted:
            raise WallarooError("this driver was interrupted in a call; make a new one")

    def crash(self) -> None:
        """End the threads, and let the modules forget what they have kept since this was made.

        Raises TopologyError if other processes would not give the application the same names.
        """
        self.check_not_interrupted()
        check_names(self._application, self._args)
        for thread in self._threads.values():
            thread.end()
        self._begin()
        self._variables.forget()


class _UserThread:
    """A thread that calls what it is given, one after the other."""

    def __init__(self, name: str, imported: Context) -> None:
        self.interrupted = False
        self._calls: _Calls = SimpleQueue()
        # It does not refer to this object, with which it ends.
        self._thread = new_user_thread(name, imported, _serve, self._calls)
        self._thread.start()
        self.is_alive = self._thread.is_alive

    def call(self, function: Callable[..., T], *args: Any) -> T:
        """What a function returns or raises; if the wait is interrupted, so is the function."""
        if threading.current_thread() is self._thread:
            return function(*args)
        answer: _Answer = SimpleQueue()
        try:
            self._calls.put(partial(_answer, answer, function, args))
            failed, result = _wait_for(answer)
        except BaseException:  # Ctrl-C, or the alarm of a test that takes too long
            self._interrupt()
            raise
        if not failed:
            returned: T = result
            return returned
        try:
            raise result
        finally:
            del result

    def _interrupt(self) -> None:
        self.interrupted = True
        thread = ctypes.c_ulong(self._thread.ident or 0)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(Interrupt))

    def end(self) -> None:
        """End the thread, and what is bound to it."""
        self._calls.put(None)
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def __del__(self) -> None:
        self._calls.put(None)


def _serve(calls: _Calls) -> None:
    with suppress(Interrupt):
        while (call := calls.get()) is not None:
            call()
            # It refers to the driver, which could not end while this waits for the next one.
            del call


def _wait_for(answer: _Answer) -> tuple[bool, Any]:
    # A signal that comes just before a wait does not end it.
    while True:
        with suppress(Empty):
            return answer.get(timeout=_LISTEN_SECONDS)


def _answer(answer: _Answer, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
    try:
        result = function(*args)
    except BaseException as error:  # raised where the call came from
        answer.put((True, error))
    else:
        answer.put((False, result))

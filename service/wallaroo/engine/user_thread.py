"""The threads that call an application's functions: in copies of the context in which it was imported."""

import threading
from collections.abc import Callable
from contextvars import Context
from typing import Any


def new_user_thread(name: str, imported: Context, target: Callable[..., Any], *args: Any) -> threading.Thread:
    """A thread for one part of an application; `imported` is the context of the thread that imported it.

    A decimal context or context variable that was set there holds, what is bound to that thread does not.
    """
    return threading.Thread(target=imported.copy().run, args=(target, *args), name=name, daemon=True)

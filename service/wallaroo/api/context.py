"""Context: what a function may ask about the record in hand, if it takes one parameter more.

Rules for whoever edits this file:
1. A context is made for each record and each call, and costs no more than its making: what it says is looked
   up when it is asked for.
2. It ends with the call: one that is kept would speak of a record that is long gone.
"""

import inspect
from collections.abc import Callable
from typing import Any, NoReturn, Protocol

import msgspec

from wallaroo.errors import WallarooError

# (name, value) of each header of a record, in its order.
Headers = tuple[tuple[str, bytes | None], ...]


class RecordReader(Protocol):
    """Says what a context is asked; `origin` is what the engine knows of the record in hand.

    `what` names the stage, and `end` deletes the state of a key, if the stage keeps one.
    """

    what: str
    end: Callable[[bytes], None] | None

    def event_time(self, origin: Any) -> int: ...
    def headers(self, origin: Any) -> Headers: ...
    def source(self, origin: Any) -> tuple[str, int, int] | None: ...
    def watermark(self) -> int | None: ...
    def final(self, origin: Any) -> bool: ...


class Context(msgspec.Struct, eq=False, gc=False):
    """What is known of the record in hand: the last parameter of a function that takes one more.

    A computation may be `f(data)` or `f(data, context)`, one with state `f(data, state)` or
    `f(data, state, context)`, a decoder, a key extractor or an encoder `f(data)` or `f(data, context)`. What
    counts is how many parameters without a default there are. `wallaroo.testing.context` makes one for a
    test of such a function.

    Every attribute is read-only, and looked up when it is read. A context ends when the function returns:
    after that, reading or pickling it raises WallarooError, so keep what it says and not the context.

    Example:

    >>> from wallaroo.testing import context
    >>> @wallaroo.computation(name="stamp")
    ... def stamp(text, context):
    ...     return f"{context.key} at {context.event_time}: {text}"
    >>> stamp.compute("hello", context(key="Rex", event_time=5))
    'Rex at 5: hello'
    """

    _key: bytes | None
    _origin: Any
    _reader: Any

    @property
    def key(self) -> str | None:
        """The key of the record, as text; bytes that are no UTF-8 are escaped. None if it has no key.

        Behind a `key_by` it is that key; in a decoder, that of the source's record.
        """
        self._check()
        return None if self._key is None else self._key.decode(errors="backslashreplace")

    @property
    def event_time(self) -> int:
        """The event time of the record, in nanoseconds since the Unix epoch, the same behind every hop.

        That is what `event_time` of the source returns, or else the timestamp of the source's record. In a
        decoder it is always the timestamp, since there is no message yet.
        """
        return self._asked.event_time(self._origin)

    @property
    def headers(self) -> Headers:
        """The headers of the source's record, each as (name, value), in order, the same behind every hop.

        Empty for the result of a window over time, which no single record led to.
        """
        return self._asked.headers(self._origin)

    @property
    def topic(self) -> str | None:
        """The topic of the source's record; for a TCP source or a generator, its ingest topic.

        None for the result of a window over time, as are `partition` and `offset`.
        """
        found = self._asked.source(self._origin)
        return None if found is None else found[0]

    @property
    def partition(self) -> int | None:
        """The partition of the source's record."""
        found = self._asked.source(self._origin)
        return None if found is None else found[1]

    @property
    def offset(self) -> int | None:
        """The offset of the source's record."""
        found = self._asked.source(self._origin)
        return None if found is None else found[2]

    @property
    def watermark(self) -> int | None:
        """How far event time had come at this stage before this record, in nanoseconds since the Unix epoch.

        None before the first event, and in an application in which nothing needs event time, such as
        windows.
        """
        return self._asked.watermark()

    @property
    def final(self) -> bool:
        """False for what an early result of a window leads to: the final one is still to come.

        That is known up to the next `key_by`; behind it, this is True. Put `final` of the `Window` that
        `output` gets into the message where a later stage needs it.
        """
        return self._asked.final(self._origin)

    def delete(self) -> None:
        """End the state of this key with this record: it is deleted, in memory and in the changelog.

        The deletion is committed together with what the record leads to. Whatever the function does to the
        state after that is lost; a later record of the key finds a new state.

        Raises WallarooError in a stage without state.
        """
        reader = self._asked
        if reader.end is None or self._key is None:
            raise WallarooError(
                f"{reader.what} keeps no state that context.delete() could delete; declare it as a "
                "state_computation, or leave the call out"
            )
        reader.end(self._key)

    @property
    def _asked(self) -> RecordReader:
        self._check()
        reader: RecordReader = self._reader
        return reader

    def _check(self) -> None:
        if self._origin is None:
            raise WallarooError(
                "this context has ended: it is only good until the function that got it has returned; keep "
                "what it says, such as context.key, and not the context"
            )

    def __reduce__(self) -> NoReturn:
        raise WallarooError("a context cannot be stored; keep what it says, such as context.key")

    def __repr__(self) -> str:
        return "<Context that has ended>" if self._origin is None else f"<Context of key {self.key!r}>"


def takes_context(func: Callable[..., Any], arguments: int) -> bool:
    """Whether a function needs one argument more than these: then that is a context.

    As in Wallaroo, `self` of a bound method counts, so that there is none for it; nor is there for what has
    no code of its own, such as a built-in function.
    """
    code = getattr(func, "__code__", None)
    if code is None or inspect.ismethod(func):
        return False
    defaults: tuple[Any, ...] = getattr(func, "__defaults__", None) or ()
    required: int = code.co_argcount - len(defaults)
    return required == arguments + 1

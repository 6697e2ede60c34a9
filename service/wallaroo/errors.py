"""Every error that this package raises on purpose, and what is not a failure of user code.

User code may raise anything: what a native library raises in a panic, and `asyncio.CancelledError`, are no
`Exception`. Whoever calls it lets NOT_OF_USER_CODE pass, and takes every other BaseException for a failure.
"""

from __future__ import annotations

from collections.abc import Callable

_MAX_TEXT = 8_000
_MAX_NAME = 250


class WallarooError(Exception):
    """Base class of every error that this package raises on purpose; those of libraries stay their own."""


class WallarooParameterError(WallarooError):
    """The API was used wrongly; the text says what is wrong, where, and what to do.

    As in Wallaroo, declarations raise it; there it had no text.

    Example:

    >>> try:
    ...     wallaroo.computation(name="")
    ... except wallaroo.WallarooParameterError as error:
    ...     print(error)
    @computation needs a name: a str that is not empty, not ''
    """


class ApplicationError(WallarooError):
    """The application's module, or its `application_setup`, raised an error."""


class TopologyError(WallarooParameterError):
    """A pipeline cannot be compiled into sub-topologies, topics and stores."""


class SettingsError(WallarooError):
    """A setting is missing, malformed, or contradicts another."""


class RecordError(WallarooError):
    """One record could not be decoded, processed or encoded."""


class FramingError(WallarooError):
    """The header of a frame gives no valid length, so that the next frame cannot be found."""


class StoredValueError(WallarooError):
    """Bytes of a store or an internal topic do not decode to what was written."""


class UnreadableStateError(StoredValueError):
    """What is stored of a key cannot be read by this version of the application."""

    def __init__(self, store: str, changelog: str, partition: int, key: bytes, reason: str) -> None:
        self.changelog = changelog
        self.partition = partition
        self.key = key
        self.offset: int | None = None
        self._store = store
        self._reason = reason
        super().__init__(reason)

    def __str__(self) -> str:
        offset = "" if self.offset is None else f"@{self.offset}"
        place = f"{self.changelog}[{self.partition}]{offset}"
        return (
            f"the state of {self._store!r} for key {self.key!r}, in {place}, cannot be read: {self._reason}; "
            "let the application read what is stored, or give the stage a new name, so that it begins anew, "
            "or set on_unreadable_state=dead_letter: what cannot be read becomes a dead letter, and its key "
            "begins anew"
        )


class ForeignRecordError(RecordError):
    """A record of an internal topic that something else than this application has written."""


class KafkaSetupError(WallarooError):
    """A topic or a broker is not set up as the application needs it."""


class CommitError(WallarooError):
    """A worker can no longer commit; after a restart it, or another worker, can."""


class StopProcessing(WallarooError):  # noqa: N818 - a request, not a fault: the policy on_error=stop
    """A record failed and `on_error` is stop; nothing of its batch is committed."""


class StateError(RecordError):
    """The state that a record left behind cannot be stored."""

    def __init__(self, text: str, stage: str) -> None:
        super().__init__(text)
        self.stage = stage


class Interrupt(KeyboardInterrupt):
    """Ctrl-C while a driver runs: whatever code it interrupts has not failed."""


# What passes through user code and its callers: the record in hand is not to blame.
NOT_OF_USER_CODE = (StoredValueError, StopProcessing, Interrupt)


def text_of(error: BaseException, convert: Callable[[BaseException], str] = str) -> str:
    """The text of an error, cut to 8,000 characters; its class is the user's, and may raise here too."""
    try:
        # Of a subclass of str, the text itself.
        return str.__str__(convert(error))[:_MAX_TEXT]
    except Interrupt:
        raise
    except BaseException as failure:
        return f"an error without a text, since that raised {class_name_of(failure)}"


def class_name_of(error: BaseException) -> str:
    """The name of an error's class, which may be any text, cut to 250 characters."""
    name: str = type.__dict__["__name__"].__get__(type(error))
    return name[:_MAX_NAME]

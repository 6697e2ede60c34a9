"""Every error that this package raises on purpose."""

from __future__ import annotations


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

"""Every error that this package raises on purpose."""

from __future__ import annotations


class WallarooError(Exception):
    """Base of every error of this package."""


class WallarooParameterError(WallarooError):
    """The API was used wrongly; the text says what, where, and what to do."""


class ApplicationError(WallarooError):
    """The application's module, or its `application_setup`, has raised something."""


class TopologyError(WallarooParameterError):
    """A pipeline cannot be compiled into sub-topologies, topics and stores."""


class SettingsError(WallarooError):
    """A setting is missing, malformed, or contradicts another."""


class RecordError(WallarooError):
    """One record could not be decoded, processed or encoded."""


class FramingError(WallarooError):
    """The header of a frame cannot be believed, so that nobody knows where the next one begins."""


class StoredValueError(WallarooError):
    """Bytes of a store or an internal topic do not decode to what was written."""


class KafkaSetupError(WallarooError):
    """A topic or the broker is not set up as this application needs it."""


class CommitError(WallarooError):
    """A worker can commit no more; another, or the same one started again, may."""


class StopProcessing(WallarooError):  # noqa: N818 - a request, not a fault: the policy on_error=stop
    """A record failed and the policy is to stop; nothing of its batch is committed."""


class StateError(RecordError):
    """The state that a record left behind cannot be stored."""

    def __init__(self, text: str, stage: str) -> None:
        super().__init__(text)
        self.stage = stage

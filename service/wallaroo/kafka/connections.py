"""Connections: which brokers the clients of this process cannot reach, or are refused by, and why; pure.

A client tells it in its log alone, and does not say when it gives up a broker. So a failure counts until the
client is connected again, or has not tried for a while.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

# The client repeats a failure that is like the last one after half a minute.
_FORGOTTEN_SECONDS = 35.0
# A broker that expects log-ins may take a connection, and close it at the first request.
_SOUND_SECONDS = 1.0
_SOON_MS = 500
# A broker that is restarted takes a few seconds.
_LASTING_SECONDS = 3.0

_FAILED = "FAIL"
_STATE = "STATE"
_UP = re.compile(r": Broker changed state \w+ -> UP$")
_WHERE = re.compile(r"^(?:\[thrd:[^]]*\]: )?(?P<broker>(?:\w+: )?[^ ]+?)(?:/\w+)?: (?P<cause>.*)$", re.DOTALL)
_WHEN = re.compile(r" \(after (?P<ms>\d+)ms in state (?P<state>\w+).*$")
# The client itself has closed it, or never opened it.
_WANTED = re.compile(r"_DESTROY_BROKER|nodename change|Decommissioning|terminating|disconnect request", re.I)
_SCHEME = re.compile(r"^\w+://")
_OF_CERTIFICATES = re.compile(r"SSL handshake|certificate", re.IGNORECASE)
_CLOSED = re.compile(r"Disconnected")
_CONNECTED = ("UP", "UPDATE")

_CREDENTIALS = (
    "check sasl.mechanism, sasl.username and sasl.password, or what stands for them, in the setting kafka"
)
_CERTIFICATES = (
    "check security.protocol, ssl.ca.location and the client's certificate in the setting kafka, and the "
    "broker's certificate"
)
_PROTOCOL = (
    "the broker closes the connection as soon as it is made: check security.protocol in the setting kafka, "
    "which must be that of the listener (PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL)"
)
_ADDRESS = "see bootstrap_servers, and the listeners that the brokers advertise"


@dataclass(frozen=True, slots=True)
class Trouble:
    """A broker that a client cannot use: why, for how long, and what to check."""

    broker: str
    cause: str
    advice: str
    seconds: float
    is_refusal: bool = False
    """The broker is there, and refuses the client's credentials, or the client the broker's."""

    @property
    def is_lasting(self) -> bool:
        return self.seconds >= _LASTING_SECONDS

    @property
    def text(self) -> str:
        return f"{self.broker}: {self.cause}; {self.advice}"


@dataclass(frozen=True, slots=True)
class _Failure:
    cause: str
    advice: str
    is_refusal: bool
    since: float
    last: float
    up: float | None = None


class Connections:
    """Takes the lines of all clients of one process; times are monotonic seconds."""

    def __init__(self) -> None:
        self._failures: dict[tuple[str, str], _Failure] = {}

    def note(self, facility: str, client: str, line: str, now: float) -> None:
        """Take a line of a client's log."""
        if facility == _STATE:
            self._note_up(client, line, now)
        elif facility == _FAILED and (found := failure_in(line, now)) is not None:
            broker, failure = found
            before = self._failures.get((client, broker))
            since = before.since if before is not None and self._counts(before, now) else now
            self._failures[client, broker] = replace(failure, since=since)

    def _note_up(self, client: str, line: str, now: float) -> None:
        if not self._failures or not _UP.search(line):
            return
        matched = _WHERE.match(line)
        at = _address(matched["broker"]) if matched else ""
        for (other, broker), failure in list(self._failures.items()):
            # For this client any broker will do: where the first one failed, it has learned of the others.
            # What another one could not reach is there again; it may say so much later, when it is polled.
            if other == client or (broker == at and not failure.is_refusal):
                self._failures[other, broker] = replace(failure, up=now)

    def troubles(self, now: float) -> list[Trouble]:
        """One for each broker: refusals first, then what has lasted longest."""
        found: dict[str, Trouble] = {}
        for key, failure in list(self._failures.items()):
            if not self._counts(failure, now):
                self._failures.pop(key, None)
                continue
            trouble = Trouble(
                key[1], failure.cause, failure.advice, now - failure.since, is_refusal=failure.is_refusal
            )
            found[key[1]] = worst([found.get(key[1], trouble), trouble])
        return sorted(found.values(), key=_weight, reverse=True)

    def is_disturbed(self, now: float) -> bool:
        """Whether a client of this process cannot reach a broker."""
        return any(self._counts(failure, now) for failure in list(self._failures.values()))

    @staticmethod
    def _counts(failure: _Failure, now: float) -> bool:
        sound = failure.up is not None and failure.up >= failure.last and now - failure.up >= _SOUND_SECONDS
        return not sound and now - failure.last < _FORGOTTEN_SECONDS


def worst(troubles: Iterable[Trouble]) -> Trouble:
    """The one that says most; there has to be one."""
    return max(troubles, key=_weight)


def _weight(trouble: Trouble) -> tuple[bool, float]:
    return trouble.is_refusal, trouble.seconds


def failure_in(line: str, now: float) -> tuple[str, _Failure] | None:
    """The broker and the failure that a line tells of; None if a connection was only closed."""
    matched = _WHERE.match(line)
    if matched is None or _WANTED.search(line):
        return None
    broker = _address(matched["broker"])
    when = _WHEN.search(matched["cause"])
    cause = _WHEN.sub("", matched["cause"])
    state, lived_ms = (when["state"], int(when["ms"])) if when else ("", 0)
    is_closed = _CLOSED.match(cause) is not None
    # A coordinator may have no address yet.
    if ":" not in broker or (state in _CONNECTED and not (is_closed and lived_ms < _SOON_MS)):
        return None
    advice, is_refusal = _meaning(state, cause, is_closed=is_closed)
    return broker, _Failure(cause, advice, is_refusal, now, now)


def _address(broker: str) -> str:
    return _SCHEME.sub("", broker.rsplit(": ", maxsplit=1)[-1])


def _meaning(state: str, cause: str, *, is_closed: bool) -> tuple[str, bool]:
    """What to check, and whether it is a refusal."""
    if "AUTH" in state or cause.startswith("SASL"):
        return _CREDENTIALS, True
    if is_closed:
        return _PROTOCOL, False
    return (_CERTIFICATES, True) if _OF_CERTIFICATES.search(cause) else (_ADDRESS, False)

"""Outages: when Kafka cannot be reached, or refuses us, said once at the begin and once at the end; pure.

The supervisor asks the cluster itself, and hears from its workers which brokers their clients cannot use.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wallaroo.clock import utc
from wallaroo.kafka.connections import Trouble, worst

# Readiness is to show it within five seconds, a second of which may pass before the next question.
_SILENT_SECONDS = 3.0
# What is over for a moment only is not over.
_OVER_SECONDS = 2.0
# Clients come back one after the other, and workers report once a second.
_COMING_BACK_SECONDS = 5.0
_UNKNOWN = Trouble("", "no answer", "look at the brokers and the network; see bootstrap_servers", 0.0)


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known at one moment.

    `silent_seconds` is how long the cluster owes an answer; `troubles` are by who has them, this process or
    one of its workers.
    """

    silent_seconds: float
    troubles: Mapping[str, Sequence[Trouble]]


@dataclass(frozen=True, slots=True)
class Event:
    """A line for the log."""

    name: str
    fields: Mapping[str, object]
    is_begin: bool


@dataclass(slots=True)
class _Outage:
    who: str
    cause: Trouble
    brokers: str
    since: float
    since_ms: int
    over: float | None = None


class Outages:
    """Keeps the outage of the cluster, and that of single brokers while the others answer."""

    def __init__(self, cluster: str) -> None:
        self._cluster = cluster
        self._outage: _Outage | None = None
        self._brokers: dict[str, _Outage] = {}
        # When the last outage of the cluster was over.
        self._back = -_COMING_BACK_SECONDS

    @property
    def is_open(self) -> bool:
        return self._outage is not None

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the service is not ready; empty if it may be."""
        return () if self._outage is None else (_text(self._outage),)

    def update(self, seen: Seen, now: float, now_ms: int) -> list[Event]:
        """What is to be logged, given what is known now: monotonic seconds, and milliseconds of the time."""
        return [*self._update_cluster(seen, now, now_ms), *self._update_brokers(seen, now, now_ms)]

    def _update_cluster(self, seen: Seen, now: float, now_ms: int) -> list[Event]:
        found = self._found(seen, now, now_ms)
        before = self._outage
        if found is None:
            if before is None or not _is_over(before, now):
                return []
            self._outage, self._back = None, now
            return [_end("Kafka can be reached again", before, now)]
        if before is None:
            self._outage = found
            return [_begin(found)]
        before.over = None
        if before.cause.is_refusal == found.cause.is_refusal or not found.cause.broker:
            return []
        found.since, found.since_ms = before.since, before.since_ms
        self._outage = found
        return [_begin(found)]

    def _found(self, seen: Seen, now: float, now_ms: int) -> _Outage | None:
        troubles = [(who, trouble) for who, each in seen.troubles.items() for trouble in each]
        refusals = [(who, trouble) for who, trouble in troubles if trouble.is_refusal]
        is_silent = seen.silent_seconds >= _SILENT_SECONDS
        if not refusals and not is_silent:
            return None
        chosen = refusals or troubles
        cause = worst(trouble for _, trouble in chosen) if chosen else _UNKNOWN
        brokers = ", ".join(sorted({trouble.broker for _, trouble in chosen})) or self._cluster
        who = ", ".join(sorted({who for who, _ in refusals}))
        ago = seen.silent_seconds if is_silent else cause.seconds
        return _Outage(who, cause, brokers, now - ago, now_ms - round(ago * 1000))

    def _update_brokers(self, seen: Seen, now: float, now_ms: int) -> list[Event]:
        is_coming_back = now - self._back < _COMING_BACK_SECONDS
        if self._outage is not None or seen.silent_seconds >= 1 or is_coming_back:
            # It is all of them, or will be, or was.
            self._brokers.clear()
            return []
        troubles = [trouble for each in seen.troubles.values() for trouble in each]
        lasting = {trouble.broker: trouble for trouble in troubles if trouble.is_lasting}
        events = []
        for broker, trouble in lasting.items():
            if broker in self._brokers:
                self._brokers[broker].over = None
                continue
            since_ms = now_ms - round(trouble.seconds * 1000)
            self._brokers[broker] = _Outage("", trouble, broker, now - trouble.seconds, since_ms)
            events.append(_begin(self._brokers[broker], "a broker cannot be reached"))
        for broker, outage in list(self._brokers.items()):
            if broker not in lasting and _is_over(outage, now):
                del self._brokers[broker]
                events.append(_end("a broker can be reached again", outage, now))
        return events


def _is_over(outage: _Outage, now: float) -> bool:
    """Whether it is over, and has been for a moment."""
    if outage.over is None:
        outage.over = now
    return now - outage.over >= _OVER_SECONDS


def _begin(outage: _Outage, name: str = "") -> Event:
    refused = "a connection to Kafka is refused"
    fields = {
        "brokers": outage.brokers,
        "since": utc(outage.since_ms),
        "cause": outage.cause.cause,
        "advice": outage.cause.advice,
        **({"by": outage.who} if outage.who else {}),
    }
    return Event(name or (refused if outage.cause.is_refusal else "Kafka cannot be reached"), fields, True)


def _end(name: str, outage: _Outage, now: float) -> Event:
    fields = {"brokers": outage.brokers, "seconds": round((outage.over or now) - outage.since, 1)}
    return Event(name, fields, False)


def _text(outage: _Outage) -> str:
    what = f"Kafka cannot be used by {outage.who}" if outage.cause.is_refusal else "Kafka cannot be reached"
    since = utc(outage.since_ms)
    return f"{what} since {since} at {outage.brokers}: {outage.cause.cause}; {outage.cause.advice}"

"""What must come out: random transactions, and the alerts, totals and dead letters that they make."""

import json
import pickle
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from confluent_kafka import Message

from tests.kafka.cluster import Sent
from wallaroo.state.store import POSITION_KEY

LIMIT = 2000
USERS = 150
MALFORMED = (
    b"",
    b"{",
    b"not json",
    b'{"user": 1, "amount": 2}',
    b'{"user": "Fido", "amount": "2"}',
    b'{"user": "Fido", "amount": NaN}',
    b'{"amount": 2}',
    b"\xff\xfe",
)
# One record in so many is malformed.
MALFORMED_SHARE = 50

Alerts = dict[str, list[float]]


@dataclass(slots=True)
class Expected:
    """The outcome of a stream: alerts of each user in order, final totals, and what is malformed."""

    alerts: Alerts = field(default_factory=lambda: defaultdict(list))
    totals: dict[bytes, float] = field(default_factory=lambda: defaultdict(int))
    dead: list[tuple[bytes | str | None, bytes | str | None]] = field(default_factory=list)

    def add(self, records: Iterable[Sent]) -> None:
        for record in records:
            try:
                transaction = json.loads(record.value or "")
                user, amount = transaction["user"], transaction["amount"]
                well_formed = isinstance(user, str) and abs(amount) < float("inf")
            except (ValueError, KeyError, TypeError):
                well_formed = False
            if not well_formed or user.startswith("faulty"):
                self.dead.append((record.key, record.value))
                continue
            self.totals[user.encode()] += amount
            if abs(total := self.totals[user.encode()]) > LIMIT:
                self.alerts[user].append(total)

    @property
    def alert_count(self) -> int:
        return sum(map(len, self.alerts.values()))


def transactions(rng: random.Random, count: int, users: int = USERS) -> list[Sent]:
    """Keyed by user; a few users have most of the records, some have names that are no ASCII."""
    names = [f"user-{n}" if n % 5 else f"Käfer-{n}-狗" for n in range(users)]
    weights = [1 / (rank + 1) for rank in range(users)]
    return [_record(rng, user) for user in rng.choices(names, weights, k=count)]


def transaction(user: str, amount: float, key: bytes | str | None = None) -> Sent:
    return Sent(user if key is None else key, json.dumps({"user": user, "amount": amount}))


def _record(rng: random.Random, user: str) -> Sent:
    if not rng.randrange(MALFORMED_SHARE):
        return Sent(user, rng.choice(MALFORMED))
    amount = rng.randrange(-700, 705)
    return transaction(user, amount + 0.25 if amount % 10 == 0 else amount)


def alerts_in(messages: Iterable[Message]) -> Alerts:
    """What was alerted, by user and in order; AssertionError where key and user differ."""
    alerts: Alerts = defaultdict(list)
    for message in messages:
        alert = json.loads(message.value())
        assert message.key() == alert["user"].encode()
        assert alert["kind"] == ("deposit" if alert["total"] > 0 else "withdrawal")
        alerts[alert["user"]].append(alert["total"])
    return alerts


def totals_in(messages: Iterable[Message]) -> Mapping[bytes, float]:
    """The last value of every key of a changelog, without the position of its task."""
    latest = {message.key(): message.value() for message in messages if message.key() != POSITION_KEY}
    return {key: _total(value) for key, value in latest.items() if value is not None}


def dead_in(messages: Iterable[Message]) -> Sequence[str]:
    """Keys and values of dead letters, sorted."""
    return sorted(shown(m.key(), m.value()) for m in messages)


def dead_as_read(expected: Expected) -> Sequence[str]:
    return sorted(shown(_as_read(key), _as_read(value)) for key, value in expected.dead)


def _as_read(data: bytes | str | None) -> bytes | None:
    return data.encode() if isinstance(data, str) else data


def shown(key: bytes | None, value: bytes | None) -> str:
    """The same for the same JSON: what fails behind a hop has been written anew."""
    try:
        return f"{key!r}: {json.dumps(json.loads(value or b''))}"
    except ValueError:
        return f"{key!r}: {value!r}"


def _total(value: bytes) -> float:
    if value.startswith(b"1D"):
        return pickle.loads(value[2:])["total"]  # noqa: S301 - written by the service under test
    assert value.startswith(b"1J"), value
    return json.loads(value[2:])["total"]

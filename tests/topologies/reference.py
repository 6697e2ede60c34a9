"""What the alerts applications must do, in as few words as possible and with nothing of theirs.

JSON is read here by the standard library, under the rules of RFC 8259 and these:
1. User and amount are UTF-8, without a byte order mark; other fields may hold any bytes. A lone surrogate
   that is written as an escape is refused everywhere.
2. Of equal names in an object the last one counts, but each user and each amount must be one.
3. An integer of more than 4300 characters is no amount. Containers may be nested 200 deep, not 100,000.
4. NaN and the infinities are no JSON, and a number beyond a float is no amount.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

Number = int | float
Pair = tuple[bytes | None, bytes | None]
Alerts = dict[str, list[dict[str, Any]]]

LONGEST_INTEGER = 4300


@dataclass(frozen=True, slots=True)
class Expected:
    """What must come of some transactions.

    `dead` are the values that become dead letters, in order; `failed` those among them that are
    transactions, but leave a total that is no finite number. Behind a repartition these have another form.
    """

    alerts_by_user: Alerts = field(default_factory=dict)
    dead: list[bytes | None] = field(default_factory=list)
    failed: list[bytes | None] = field(default_factory=list)
    totals: dict[str, Number] = field(default_factory=dict)


def expected(
    transactions: Iterable[Pair], *, limit: int = 2000, partitioned_by_user: bool = False
) -> Expected:
    """What `alerts_stateful` makes of (key, value) pairs; those of one user must be read in this order."""
    result = Expected()
    for key, value in transactions:
        transaction = parse(value)
        if transaction is None or (partitioned_by_user and key != transaction[0].encode()):
            result.dead.append(value)
            continue
        user, amount = transaction
        total = _sum(result.totals.get(user, 0), amount)
        if total is None:
            result.dead.append(value)
            result.failed.append(value)
            continue
        result.totals[user] = total
        _alert(result, user, "total", total, limit)
    return result


def expected_stateless(transactions: Iterable[Pair], *, limit: int = 1000) -> Expected:
    """What `alerts_stateless` makes of (key, value) pairs."""
    result = Expected()
    for _, value in transactions:
        transaction = parse(value)
        if transaction is None:
            result.dead.append(value)
        else:
            _alert(result, transaction[0], "amount", transaction[1], limit)
    return result


def parse(value: bytes | None) -> tuple[str, Number] | None:
    """User and amount, or None where the value is malformed."""
    try:
        # Not only user and amount: what is not UTF-8 has been replaced, what cannot be encoded is an escape.
        json.dumps(read_json(value, "replace"), ensure_ascii=False).encode()
        found = read_json(value, "surrogateescape")
    except (ValueError, RecursionError):
        return None
    if type(found) is not Members:
        return None
    users, amounts = found.all("user"), found.all("amount")
    if not users or not amounts or not all(map(_is_user, users)) or not all(map(_is_amount, amounts)):
        return None
    return users[-1], amounts[-1]


class Members(list[tuple[str, Any]]):
    """An object in JSON: its names and values in order, equal names and all."""

    def all(self, name: str) -> list[Any]:
        return [value for its_name, value in self if its_name == name]


def read_json(value: bytes | None, errors: str = "strict") -> Any:
    """The value, with objects as Members; ValueError where it is not JSON under the rules above."""
    if value is None:
        raise ValueError("there is no value")
    text = value.decode("utf-8", errors)
    return json.loads(text, object_pairs_hook=Members, parse_int=_int, parse_constant=_constant)


def read_alerts(records: Iterable[Pair]) -> Alerts:
    """The alerts in (key, value) pairs of the topic `alerts`, by user; each must be keyed by its user."""
    alerts: Alerts = {}
    for key, value in records:
        alert = dict(read_json(value))
        assert key == alert["user"].encode()
        alerts.setdefault(alert["user"], []).append(alert)
    return alerts


def exactly(value: Any) -> str:
    """A text that differs where JSON does: 1 is not 1.0, and 0.0 is not -0.0."""
    return json.dumps(value, sort_keys=True)


def _sum(total: Number, amount: Number) -> Number | None:
    """The new total, or None where it is no longer a finite number."""
    try:
        added = total + amount
    except OverflowError:
        return None
    return added if type(added) is int or isfinite(added) else None


def _alert(result: Expected, user: str, name: str, number: Number, limit: int) -> None:
    if abs(number) > limit:
        alert = {"kind": "deposit" if number > 0 else "withdrawal", "user": user, name: number}
        result.alerts_by_user.setdefault(user, []).append(alert)


def _is_user(value: Any) -> bool:
    return type(value) is str and value.encode(errors="ignore").decode() == value


def _is_amount(value: Any) -> bool:
    return type(value) is int or (type(value) is float and isfinite(value))


def _int(text: str) -> int | None:
    return int(text) if len(text) <= LONGEST_INTEGER else None


def _constant(text: str) -> Any:
    raise ValueError(f"{text} is no JSON")

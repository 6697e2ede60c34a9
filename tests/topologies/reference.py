"""What the alerts applications must do, in as few words as possible and with nothing of theirs.

JSON is read here by the standard library, under the rules of RFC 8259 and these:
1. UTF-8 and nothing else, without a byte order mark; no lone surrogate, however it is written.
2. Of equal names in an object the last one counts.
3. More than 200 containers in each other are refused (an empty one does not count), as is a number with
   more than 4300 digits before the point.
4. NaN and the infinities are read, so that a field nobody asks for may hold them; as an amount they are
   refused.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

Number = int | float
Pair = tuple[bytes | None, bytes | None]
Alerts = dict[str, list[dict[str, Any]]]

DEEPEST = 200
MOST_DIGITS = 4300


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
        found = read_json(value)
    except ValueError:
        return None
    if type(found) is not dict:
        return None
    user, amount = found.get("user"), found.get("amount")
    if type(user) is not str or type(amount) not in (int, float):
        return None
    return (user, amount) if type(amount) is int or isfinite(amount) else None


def read_json(value: bytes | None) -> Any:
    """The value; ValueError where it is not JSON under the rules above."""
    if value is None:
        raise ValueError("there is no value")
    text = value.decode("utf-8")
    if _depth(text) > DEEPEST:
        raise ValueError("too many containers in each other")
    return json.loads(text, object_pairs_hook=_object, parse_float=_float, parse_int=_int)


def read_alerts(records: Iterable[Pair]) -> Alerts:
    """The alerts in (key, value) pairs of the topic `alerts`, by user; each must be keyed by its user."""
    alerts: Alerts = {}
    for key, value in records:
        alert = read_json(value)
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


def _depth(text: str) -> int:
    """How deep it goes, or 0 where that is no matter."""
    if text.count("[") + text.count("{") <= DEEPEST:
        return 0
    without_strings = re.sub(r'"[^"\\]*(?:\\.[^"\\]*)*"', "0", text, flags=re.DOTALL)
    depth = deepest = 0
    for bracket in re.findall(r"[\[\]{}]", re.sub(r"\[\s*\]|\{\s*\}", "0", without_strings)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # A lone surrogate cannot be encoded, and hides nowhere from this: not behind an equal name either.
    json.dumps(pairs, ensure_ascii=False).encode("utf-8")
    return dict(pairs)


def _float(text: str) -> float:
    whole = re.match(r"-?(\d*)", text)
    if whole is None or len(whole[1]) > MOST_DIGITS:
        raise ValueError("too many digits")
    return float(text)


def _int(text: str) -> int:
    if len(text.lstrip("-")) > MOST_DIGITS:
        raise ValueError("too many digits")
    return int(text)

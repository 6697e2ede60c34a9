"""The ledger of a demo: every payment it makes, and the alerts that must follow from them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import NamedTuple

Number = int | float

LIMIT = 2000
EVERY_MALFORMED = 2_000

# fmt: off
_USERS = [
    "Fido", "Rex", "Bella", "Luna", "Max", "Zoë", "Milo", "Ωμέγα",
    "Nala", "Tigris", "Şeker", "さくら", "Biscuit", "Coco", "Pépin", "Жучка",
    "Frida", "Otto", "小黑", "Mango", "Pixel", "Søren", "Kiki", "Waldi",
]
# fmt: on
_MALFORMED = (
    b"not JSON at all",
    b'{"user": "Fido", "amount": NaN}',
    b'{"user": "Rex", "amount": "a hundred"}',
    b'{"amount": 100}',
)


class Payment(NamedTuple):
    """A record for the topic of transactions."""

    key: bytes
    value: bytes


@dataclass(slots=True)
class Ledger:
    """The running totals, and by user the alerts that are due, in order, as lines of text."""

    totals: dict[str, Number] = field(default_factory=dict)
    alerts: dict[str, list[str]] = field(default_factory=dict)
    due: int = 0
    malformed: int = 0

    def enter(self, user: str, amount: Number) -> None:
        total = self.totals[user] = self.totals.get(user, 0) + amount
        if abs(total) > LIMIT:
            kind = "deposit" if total > 0 else "withdrawal"
            self.alerts.setdefault(user, []).append(line(kind, user, total))
            self.due += 1


@dataclass(frozen=True, slots=True)
class Verdict:
    """How the alerts that arrived compare with those that were due."""

    missing: int = 0
    wrong: int = 0
    repeated: int = 0

    @property
    def ok(self) -> bool:
        return not self.missing and not self.wrong


def payments(rng: Random, ledger: Ledger) -> Iterator[Payment]:
    """Endless payments, each entered into the ledger; now and then a malformed one."""
    for number in count(1):
        if number % EVERY_MALFORMED == 0:
            ledger.malformed += 1
            yield Payment(b"", _MALFORMED[ledger.malformed % len(_MALFORMED)])
            continue
        # The first users pay most often.
        user = _USERS[int(len(_USERS) * rng.random() ** 2)]
        amount = _amount(rng, ledger.totals.get(user, 0))
        ledger.enter(user, amount)
        yield Payment(user.encode(), json.dumps({"user": user, "amount": amount, "id": number}).encode())


def line(kind: str, user: str, total: Number) -> str:
    """An alert as a line of text."""
    return f"{kind.title()} Alert for {user}: {total}"


def judge(due: Mapping[str, Sequence[str]], arrived: Mapping[str, Sequence[str]]) -> Verdict:
    """Compare alerts user by user; one that arrived again is repeated, which at-least-once allows."""
    missing = wrong = repeated = 0
    for user in {*due, *arrived}:
        expected, taken = due.get(user, ()), 0
        for alert in arrived.get(user, ()):
            if taken < len(expected) and alert == expected[taken]:
                taken += 1
            elif alert in expected[:taken]:
                repeated += 1
            else:
                wrong += 1
        missing += len(expected) - taken
    return Verdict(missing, wrong, repeated)


def _amount(rng: Random, total: Number) -> Number:
    """Whole or in quarters; the further the total is from zero, the likelier the amount leads back to it."""
    amount = rng.choice((rng.randint(1, 900), rng.randint(1, 3_600) / 4))
    upwards = rng.random() > 0.5 + total / 8_000
    return amount if upwards else -amount

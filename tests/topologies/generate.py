"""Nasty transactions, the same for the same seed: a stream that leaves nothing out that a topic may hold.

Records of one user are in order whatever the number of partitions: they share one record key, or are
the only one of their user. What is malformed has any key, or none.
"""

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.topologies.malformed import MALFORMED
from tests.topologies.reference import Pair

USERS = (
    *("Fido", "Rex", "Zoë", "Zoe\u0308", "日本", "Ωμέγα", "अर्चना", "مريم", "😀"),
    *("👩\u200d👩\u200d👧", "", " ", "null", "-1", 'a "quoted" one', "back\\slash", "two\nlines", "tab\t"),
    *("nul\x00", "\x7f", "\u2028", "\ufeff", "\U0010ffff", "{}", "/", "Fido ", "fido", "é", "e\u0301"),
    "x" * 10_000,
)
WHALES = ("whale", "🐳", "bank")

Random = random.Random


@dataclass(frozen=True, slots=True)
class Mix:
    """What a stream is made of; shares are of 1, and what is left are good transactions.

    `overflows` are transactions that may leave a total that is no finite number. `keyed_by_user` is
    False for a stream that producers key by something else.
    """

    users: int = len(USERS)
    malformed: float = 0.1
    null_keys: float = 0.02
    whales: float = 0.02
    overflows: float = 0.0
    megabytes: int = 0
    keyed_by_user: bool = True


def transactions(seed: int, count: int, mix: Mix | None = None) -> list[Pair]:
    """So many (key, value) pairs; of these `mix.megabytes` have a value of a million bytes."""
    rng, mix = Random(seed), mix or Mix()
    made = [_record(rng, mix, number) for number in range(count - mix.megabytes)]
    for number in range(mix.megabytes):
        made.insert(rng.randrange(len(made) + 1), _megabyte(rng, number, mix))
    return made


def _record(rng: Random, mix: Mix, number: int) -> Pair:
    shares = (mix.malformed, mix.null_keys, mix.whales, mix.overflows)
    (make,) = rng.choices((_bad, _loner, _whale, _overflow, _good), (*shares, 1 - sum(shares)))
    return make(rng, mix, number)


def _good(rng: Random, mix: Mix, _number: int) -> Pair:
    user = _user(rng.randrange(mix.users))
    return _key(user, mix), _written(rng, user, rng.choice(_ORDINARY)(rng))


def _bad(rng: Random, _mix: Mix, _number: int) -> Pair:
    kind = rng.choice(sorted(MALFORMED))
    return rng.choice([None, b"", b"Fido", b"\xff\xfe", b"anybody"]), MALFORMED[kind]


def _loner(rng: Random, _mix: Mix, number: int) -> Pair:
    return None, _written(rng, f"loner {number}", rng.choice(_ORDINARY)(rng))


def _whale(rng: Random, mix: Mix, _number: int) -> Pair:
    user = rng.choice(WHALES)
    return _key(user, mix), _written(rng, user, rng.choice(_HUGE)(rng))


def _overflow(rng: Random, mix: Mix, _number: int) -> Pair:
    user = rng.choice(WHALES)
    return _key(user, mix), _written(rng, user, rng.choice(_EXTREME)(rng))


def _user(number: int) -> str:
    return USERS[number] if number < len(USERS) else f"user-{number}"


def _key(user: str, mix: Mix) -> bytes:
    return user.encode() if mix.keyed_by_user else b"account of " + user.encode()


# Each makes the text of a number, as JSON may write it.
_ORDINARY: tuple[Callable[[Random], str], ...] = (
    lambda rng: str(rng.randint(-3000, 3000)),
    lambda rng: str(rng.randint(-3000, 3000)),
    lambda rng: repr(round(rng.uniform(-3000, 3000), 2)),
    lambda rng: repr(rng.uniform(-1, 1)),
    lambda rng: rng.choice(["0", "-0", "0.0", "-0.0", "1e3", "1E+3", "-2.5e-2", "1e-400", "2000", "-2000"]),
    lambda rng: rng.choice(["2000.0", "2000.0000000000002", "2001", "0.1", "0.2", "1000", "1000.0"]),
)
_HUGE: tuple[Callable[[Random], str], ...] = (
    lambda rng: str(rng.randint(-(2**70), 2**70)),
    lambda rng: str(rng.choice([2**53 + 1, 2**63, -(2**63) - 1, 2**64, 10**30])),
    lambda rng: repr(rng.uniform(-1e30, 1e30)),
)
_EXTREME: tuple[Callable[[Random], str], ...] = (
    lambda rng: rng.choice(["1e308", "-1e308", "1.7976931348623157e308"]),
    lambda rng: rng.choice(["-", ""]) + str(rng.randint(1, 9)) + "0" * 400,
)


def _written(rng: Random, user: str, amount: str) -> bytes:
    """One of the many ways in which JSON can say it."""
    raw = rng.random() < 0.5
    pairs = [(_text("user", raw=True), _text(user, raw=raw)), ('"amount"', amount)]
    if rng.random() < 0.3:
        pairs += [(_text(name, raw=raw), _json(value, raw=raw)) for name, value in _extras(rng)]
    rng.shuffle(pairs)
    if rng.random() < 0.05:
        pairs.insert(0, ('"user"', '"somebody else"'))
    colon, comma, space = rng.choice([(":", ",", ""), (": ", ", ", ""), (" :\t", "\r\n,", "\n ")])
    body = comma.join(f"{name}{colon}{value}" for name, value in pairs)
    return f"{space}{{{body}}}{space}".encode()


def _extras(rng: Random) -> Iterator[tuple[str, Any]]:
    yield "id", rng.randrange(10**9)
    yield "note", rng.choice(["", "überwiesen 💸", "\\", '"', "x" * 3_000])
    yield "Amount", "not this one"
    yield "more", {"amount": None, "deep": [[[[{}]]]], "rate": 1.5}


def _text(text: str, *, raw: bool) -> str:
    return _json(text, raw=raw)


def _json(value: Any, *, raw: bool) -> str:
    return json.dumps(value, ensure_ascii=not raw)


def _megabyte(rng: Random, number: int, mix: Mix) -> Pair:
    """Good or cut off in the middle, in turn."""
    user = rng.choice(USERS[:2])
    head = f'{{"user": {json.dumps(user)}, "amount": {rng.randint(-3000, 3000)}, "note": "'.encode()
    tail = b'"}' if number % 2 == 0 else b""
    return _key(user, mix), head + b"x" * (1_000_000 - len(head) - len(tail)) + tail

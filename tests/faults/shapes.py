"""Shapes of applications under faults: what goes in, and what must come out of what is in the input topic."""

import json
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from confluent_kafka import Message

from tests.faults.app import COUNT, Change
from tests.faults.checker import Expected, Results
from tests.kafka.cluster import Sent
from tests.kafka.model import MALFORMED, MALFORMED_SHARE, shown

USERS = 60
SPAN_MS, SLIDE_MS = 4_000, 2_000
STEP_MS = 3
HOUR_MS = 3_600_000
CLOCK_SPAN_MS, CLOCK_SLIDE_MS, CLOCK_DELAY_MS = 2_000, 1_000, 20_000
CLOCK_KEYS = tuple(f"key-{n}" for n in range(USERS))
RIGHT, BEHIND, AHEAD = "right", "behind", "ahead"
GENERATED = 60_000
CLOSER = "close-"
Load = Callable[[random.Random, int], list[Sent]]


@dataclass(frozen=True, slots=True)
class Shape:
    """An application with its load and its model.

    `expected` is given the input topic, partition by partition; `identify` says what one result is.
    """

    name: str
    application: str
    arguments: Sequence[str]
    load: Load
    expected: Callable[[Sequence[Message]], Expected]
    identify: Callable[[Message], tuple[str, str]]


def changes(rng: random.Random, count: int) -> list[Sent]:
    """Changes of many users, a few of which have most; some records are malformed."""
    names = [f"user-{n}" if n % 5 else f"Käfer-{n}-狗" for n in range(USERS)]
    weights = [1 / (rank + 1) for rank in range(USERS)]
    users = rng.choices(names, weights, k=count)
    return [_change(rng, user, number) for number, user in enumerate(users)]


def change(user: str, number: int, amount: int, nap_seconds: float = 0.0, partition: int = -1) -> Sent:
    value = {"user": user, "number": number, "amount": amount, "nap_seconds": nap_seconds}
    return Sent(user, msgspec.json.encode(value), partition)


def _change(rng: random.Random, user: str, number: int) -> Sent:
    if not rng.randrange(MALFORMED_SHARE):
        return Sent(user, rng.choice(MALFORMED))
    return change(user, number, rng.randrange(-700, 705))


def _balances(messages: Sequence[Message]) -> Expected:
    results: dict[str, list[str]] = defaultdict(list)
    totals: dict[str, int] = defaultdict(int)
    read, dead = _split(messages)
    for each in read:
        totals[each.user] += each.amount
        results[each.user].append(f"{each.number}:{len(results[each.user]) + 1}:{totals[each.user]}")
    states = {user: [len(found), totals[user]] for user, found in results.items()}
    return Expected(results, dead, states)


def _counted(messages: Sequence[Message]) -> Expected:
    numbers: dict[str, list[int]] = defaultdict(list)
    read, dead = _split(messages)
    for each in read:
        numbers[each.user].append(each.number)
    return Expected({user: _in_threes(found) for user, found in numbers.items()}, dead)


def _in_threes(numbers: Sequence[int]) -> list[str]:
    whole = len(numbers) // COUNT * COUNT
    return ["-".join(map(str, numbers[at : at + COUNT])) for at in range(0, whole, COUNT)]


def _split(messages: Sequence[Message]) -> tuple[list[Change], list[str]]:
    """What the stages can take, and what becomes a dead letter."""
    read, dead = [], []
    for message in messages:
        try:
            found = msgspec.json.decode(message.value() or b"", type=Change)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            found = None
        if found is None or found.user.startswith("faulty"):
            dead.append(shown(message.key(), message.value()))
        else:
            read.append(found)
    return read, dead


def _told(rng: random.Random, count: int) -> list[Sent]:
    """Messages in the order of their timestamps, from two hours ago on."""
    begin = int(time.time() * 1000) // HOUR_MS * HOUR_MS - 2 * HOUR_MS
    keys = rng.choices([f"key-{n}" for n in range(USERS)], k=count)
    return [_message(key, number, begin + STEP_MS * number) for number, key in enumerate(keys)]


def _message(key: str, value: int, at: int, partition: int = -1) -> Sent:
    return Sent(key, json.dumps({"key": key, "value": value, "at": at}), partition, at)


def closers(partitions: int) -> list[Sent]:
    """One message for each partition, long after all others: it closes their windows."""
    now = int(time.time() * 1000)
    return [_message(f"{CLOSER}{number}", 0, now, number) for number in range(partitions)]


def _windows(messages: Sequence[Message]) -> Expected:
    return _in_windows((json.loads(message.value()) for message in messages), SPAN_MS, SLIDE_MS)


def _in_windows(all_told: Iterable[Mapping[str, Any]], span_ms: int, slide_ms: int) -> Expected:
    open_windows: dict[tuple[str, int], list[int]] = defaultdict(list)
    for told in all_told:
        last = told["at"] // slide_ms * slide_ms
        for begin in range(last, told["at"] - span_ms, -slide_ms):
            open_windows[told["key"], begin + span_ms].append(told["value"])
    results: dict[str, list[str]] = defaultdict(list)
    for key, end in sorted(open_windows):
        if not key.startswith(CLOSER):
            results[key].append(f"{end}:{sorted(open_windows[key, end])}")
    return Expected(results)


def clock_message(key: str, number: int, at: int, partition: int = -1, clock: str = RIGHT) -> Sent:
    """A message that says how its producer's clock is."""
    value = {"key": key, "value": number, "at": at, "clock": clock}
    return Sent(key, msgspec.json.encode(value), partition, at)


def _clocks(messages: Sequence[Message]) -> Expected:
    """What is far behind is late and dropped, what is far ahead is a dead letter."""
    told = [(json.loads(message.value()), message) for message in messages]
    dead = [shown(message.key(), message.value()) for value, message in told if value["clock"] == AHEAD]
    timely = [value for value, _ in told if value["clock"] == RIGHT]
    return replace(_in_windows(timely, CLOCK_SPAN_MS, CLOCK_SLIDE_MS), dead=dead)


def _no_load(_rng: random.Random, _count: int) -> list[Sent]:
    return []


def _doubles(_messages: Sequence[Message]) -> Expected:
    return Expected({"": [str(2 * number) for number in range(GENERATED)]})


def _identify_number(message: Message) -> tuple[str, str]:
    return "", message.value().decode()


def _identify(message: Message) -> tuple[str, str]:
    return message.key().decode(), message.value().decode()


def _identify_window(message: Message) -> tuple[str, str]:
    made = json.loads(message.value())
    return made["key"], f"{message.timestamp()[1] + 1}:{made['values']}"


def sorted_out(results: Sequence[tuple[str, str]], only_number: bool) -> Results:
    """By key and in order; after a repetition, state shows it, and only the number of a change counts."""
    found: dict[str, list[str]] = defaultdict(list)
    for key, result in results:
        found[key].append(result.partition(":")[0] if only_number else result)
    return found


def without_states(expected: Expected) -> Expected:
    """What must come at least once: the number of each change, however often it is in the input."""
    numbers = {
        key: list(dict.fromkeys(result.partition(":")[0] for result in found))
        for key, found in expected.results.items()
    }
    return Expected(numbers, expected.dead)


_OURS = "tests.faults.app"
_WINDOW_ARGUMENTS = (f"--range-ms={SPAN_MS}", f"--slide-ms={SLIDE_MS}")
_CLOCK_ARGUMENTS = (
    f"--range-ms={CLOCK_SPAN_MS}",
    f"--slide-ms={CLOCK_SLIDE_MS}",
    f"--delay-ms={CLOCK_DELAY_MS}",
)
_COUNTING = (f"--end={GENERATED}", "--pause-ms=0.1")
_ALL = (
    Shape("keyed", _OURS, ("--shape=keyed",), changes, _balances, _identify),
    Shape("hop", _OURS, ("--shape=hop",), changes, _balances, _identify),
    Shape("count", _OURS, ("--shape=count",), changes, _counted, _identify),
    Shape("tcp-sink", _OURS, ("--shape=tcp-sink",), changes, _balances, _identify),
    Shape("windows", "tests.kafka.window_app", _WINDOW_ARGUMENTS, _told, _windows, _identify_window),
    Shape("clock", "tests.kafka.window_app", _CLOCK_ARGUMENTS, _no_load, _clocks, _identify_window),
    Shape("generator", "tests.kafka.counting", _COUNTING, _no_load, _doubles, _identify_number),
)
SHAPES: Mapping[str, Shape] = {shape.name: shape for shape in _ALL}

"""Checker: what should have come out against what has, key by key. No I/O."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

Results = Mapping[str, Sequence[str]]
Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Expected:
    """What must come of an input: results of each key in order, dead letters, and final states by key.

    No key has the same result twice. `states` is None where states are not compared.
    """

    results: Results
    dead: Sequence[str] = ()
    states: Mapping[str, object] | None = None

    @property
    def count(self) -> int:
        return sum(map(len, self.results.values()))


@dataclass(frozen=True, slots=True)
class Verdict:
    """`repeated` is what was promised to be possible; `wrong` says in words what else is wrong."""

    lost: int = 0
    doubled: int = 0
    out_of_order: int = 0
    repeated: int = 0
    wrong: Sequence[str] = field(default=())

    @property
    def is_right(self) -> bool:
        return not (self.lost or self.doubled or self.out_of_order or self.wrong)


def check(expected: Expected, results: Results, repeats: bool) -> Verdict:
    """The verdict on all keys; with `repeats`, results may come again, from any place on and in order."""
    keys = sorted({*expected.results, *results})
    verdicts = [_of_key(key, expected.results.get(key, ()), results.get(key, ()), repeats) for key in keys]
    return Verdict(
        sum(verdict.lost for verdict in verdicts),
        sum(verdict.doubled for verdict in verdicts),
        sum(verdict.out_of_order for verdict in verdicts),
        sum(verdict.repeated for verdict in verdicts),
        tuple(words for verdict in verdicts for words in verdict.wrong),
    )


def _of_key(key: str, wanted: Sequence[str], found: Sequence[str], repeats: bool) -> Verdict:
    if wanted == found:
        return Verdict()
    place = {result: number for number, result in enumerate(wanted)}
    known = [place[result] for result in found if result in place]
    strange = [result for result in found if result not in place]
    first = list(dict.fromkeys(known))
    again = len(known) - len(first)
    disordered = sum(after < before for before, after in pairwise(first))
    return Verdict(
        lost=len(wanted) - len(first),
        doubled=0 if repeats else again,
        out_of_order=disordered,
        repeated=again if repeats else 0,
        wrong=(f"{key}: {len(strange)} unexpected, the first is {strange[0]}",) if strange else (),
    )


def check_dead(expected: Iterable[str], found: Iterable[str], repeats: bool) -> list[str]:
    """What is wrong with the dead letters; nothing if they are the malformed inputs."""
    wanted, there = Counter(expected), Counter(found)
    if repeats:
        wanted, there = Counter(set(wanted)), Counter(set(there))
    missing, extra = wanted - there, there - wanted
    return [
        f"{letters.total()} dead letters {what}, the first is {next(iter(letters))}"
        for what, letters in (("are missing", missing), ("are too many", extra))
        if letters
    ]


def check_beginning(expected: Expected, results: Results) -> list[str]:
    """What is wrong with the results of an application that began anew later: they end anywhere, no more."""
    wrong = [
        key
        for key, found in results.items()
        if list(expected.results.get(key, ()))[: len(found)] != list(found)
    ]
    return [f"before all began anew, {key} is no beginning of what was expected" for key in sorted(wrong)[:1]]


def check_states(expected: Mapping[str, object], found: Mapping[str, object]) -> list[str]:
    """What is wrong with the states; nothing if they are equal."""
    differing = [key for key in sorted({*expected, *found}) if expected.get(key) != found.get(key)]
    if not differing:
        return []
    key = differing[0]
    return [f"{len(differing)} states differ, the first: {key} is {found.get(key)}, not {expected.get(key)}"]


def longest_stall(arrivals: Sequence[float], away: Sequence[Span]) -> float:
    """The longest time in seconds between two arrivals, without the time in which nothing could arrive."""
    return max(
        (after - before - _shared((before, after), away) for before, after in pairwise(arrivals)), default=0
    )


def _shared(span: Span, away: Sequence[Span]) -> float:
    """How long any of the times away lasts within a span; they do not overlap."""
    return sum(max(0.0, min(span[1], end) - max(span[0], begin)) for begin, end in away)

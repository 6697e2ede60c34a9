"""The functions on a record's way and on a commit's way, told from what the threads of a loop have called.

A turn is what the loop's thread does from one call of `Consumer.consume` or `poll` to the next. Turns with
records run code of the application; a turn starts a commit where it asks for the group's metadata.

- A record's way: what is on the stack when the client has returned the records, and what is called from there
  until the output of the last one has been appended. Nothing is left out.
- A commit's way: what is called in the turn that starts it, in the last turn that has to do with it, and in
  the thread that begins the transaction, with everything on the stack. What idle turns call too, or turns
  with records that start no commit, is on it only where it leads to something that they do not call. Left out
  are the function that the loop's thread runs, and modules that count or tell the time (`LEFT_OUT`).

A function is on a way if it is there in most rounds; the first round warms up.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import NamedTuple

LEFT_OUT = {"clock", "measure", "metrics", "measurements"}


class Mark(Enum):
    """Where a thread is, said by the client and the application."""

    POLL = "the client is asked for records"
    POLLED = "it has answered"
    APPLICATION = "the application's code runs"
    OUTPUT = "an output has been appended"
    METADATA = "a commit starts"
    BEGIN = "a transaction begins"
    COMMITTED = "it has been committed"


class Function(NamedTuple):
    """A function of ours: its file below the package, and its qualified name."""

    file: str
    name: str


Stack = tuple[Function, ...]


class Call(NamedTuple):
    """A function of ours is entered, or with a mark: something else happens there."""

    mark: Mark | None
    stack: Stack
    idle: bool


Turn = list[Call]


@dataclass(frozen=True, slots=True)
class Ways:
    """The functions on both ways, in the order of their first call where one thread calls them.

    `commit_room` is the folder of the function that begins the transaction.
    """

    record: list[Function]
    commit: list[Function]
    commit_room: str


def ways(threads: Sequence[Turn]) -> Ways:
    """Both ways, from the calls of every thread; RuntimeError where those do not show them."""
    [loop] = [calls for calls in threads if _has(calls, Mark.METADATA)]
    turns = list(_split(loop, Mark.POLL))
    first = next(n for n, turn in enumerate(turns) if _has(turn, Mark.METADATA))
    commits, others = _commits_and_others(turns[first:])
    records = [_of_records(turn) for turn in others if _has(turn, Mark.APPLICATION)]
    if not (records and commits[1:]):
        raise RuntimeError("there must be turns with records that start no commit, and two commits at least")
    elsewhere = {call.stack[-1] for turn in others for call in turn if call.mark is None}
    written = [
        list(_split(calls, Mark.BEGIN))[1:]
        for calls in threads
        if calls is not loop and _has(calls, Mark.BEGIN)
    ]
    begin = next(call for calls in threads for call in calls if call.mark is Mark.BEGIN)
    own = [_of_commit(commit, elsewhere) for commit in commits[1:]]
    thread_target = loop[0].stack[0]
    commit = _usual(own) + _usual(_functions(calls) for thread in written for calls in thread)
    return Ways(
        record=_usual(records),
        commit=[f for f in commit if f != thread_target and Path(f.file).stem not in LEFT_OUT],
        commit_room=Path(begin.stack[-1].file).parent.as_posix(),
    )


def _commits_and_others(turns: Sequence[Turn]) -> tuple[list[list[Turn]], list[Turn]]:
    """The turns from the start of a commit to the next records or to idleness; and all others."""
    commits: list[list[Turn]] = []
    others: list[Turn] = []
    under_way = False
    for turn in turns:
        if _has(turn, Mark.METADATA):
            commits.append([])
            under_way = True
        elif turn[0].idle or _has(turn, Mark.APPLICATION):
            under_way = False
        (commits[-1] if under_way else others).append(turn)
    return commits, others


def _of_commit(commit: Sequence[Turn], elsewhere: set[Function]) -> list[Function]:
    own = [[c for c in turn if c.mark is None and c.stack[-1] not in elsewhere] for turn in commit]
    start, *later = own
    landing = next((calls for calls in reversed(later) if calls), [])
    return _functions([*start, *landing])


def _of_records(turn: Turn) -> list[Function]:
    ran = [n for n, call in enumerate(turn) if call.mark is Mark.APPLICATION]
    polled = max(n for n, call in enumerate(turn[: ran[0]]) if call.mark is Mark.POLLED)
    output = next((n for n, c in enumerate(turn) if c.mark is Mark.OUTPUT and n > ran[-1]), None)
    if output is None:
        raise RuntimeError("no list was seen to which outputs are appended; mend the mark OUTPUT")
    return _functions(turn[polled : output + 1])


def _functions(calls: Iterable[Call]) -> list[Function]:
    """What was called, and what led there, in the order of the first call."""
    return list(dict.fromkeys(function for call in calls for function in call.stack))


def _usual(rounds: Iterable[list[Function]]) -> list[Function]:
    """What is in most of them."""
    all_rounds = list(rounds)
    counted = Counter(function for functions in all_rounds for function in functions)
    return [function for function, times in counted.items() if 2 * times > len(all_rounds)]


def _has(calls: Iterable[Call], mark: Mark) -> bool:
    return any(call.mark is mark for call in calls)


def _split(calls: Iterable[Call], mark: Mark) -> Iterator[Turn]:
    """A new list begins at each of these marks."""
    turn: Turn = []
    for call in calls:
        if call.mark is mark and turn:
            yield turn
            turn = []
        turn.append(call)
    if turn:
        yield turn

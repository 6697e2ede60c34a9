"""Judge: reads what a run has left on the topics, and compares it with what must come of its input."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from confluent_kafka import Message

from tests.faults.checker import Expected, Verdict, check, check_beginning, check_dead, check_states
from tests.faults.finished import states_in
from tests.faults.plan import AT_LEAST_ONCE
from tests.faults.shapes import CLOSER, sorted_out, without_states
from tests.kafka.cluster import read_topic
from tests.kafka.model import shown

if TYPE_CHECKING:
    from tests.faults.run import Run

MOST_MEMORY_MIB = 400
Pairs = Sequence[tuple[str, str]]


def judge(run: "Run") -> tuple[Verdict, int, int]:
    """The verdict, and how many records and results it is about."""
    scenario, repeats = run.scenario, run.plan.variant.guarantee == AT_LEAST_ONCE
    inputs = read_topic(scenario.servers, scenario.in_topic)
    expected = run.shape.expected(inputs)
    if repeats:
        expected = without_states(expected)
    wrong: list[str] = []
    *begun, last = _lives(run)
    for life in begun:
        wrong += check_beginning(expected, sorted_out(life, repeats))
    found = {k: v for k, v in sorted_out(last, repeats).items() if not k.startswith(CLOSER)}
    verdict = check(expected, found, repeats or run.shape.name == "tcp-sink")
    wrong += _others(run, expected, repeats or bool(begun))
    count = sum(map(len, begun)) + len(last)
    return replace(verdict, wrong=(*verdict.wrong, *wrong)), len(inputs) or len(last), count


def _others(run: "Run", expected: Expected, repeats: bool) -> list[str]:
    """What is wrong with dead letters, states and memory."""
    scenario = run.scenario
    letters = read_topic(scenario.servers, scenario.dead_letters)
    wrong = check_dead(expected.dead, [shown(each.key(), each.value()) for each in letters], repeats)
    if expected.states is not None:
        wrong += check_states(expected.states, states_in(scenario))
    if run.memory_mib > MOST_MEMORY_MIB:
        wrong.append(f"a worker holds {run.memory_mib} MiB at the end")
    return wrong


def _lives(run: "Run") -> list[Pairs]:
    """The results, and apart from them those before each time that the application began anew."""
    if run.shape.name == "tcp-sink":
        lines = [line.decode().split(" ") for line in run.receiver.lines()]
        return [[(user, result) for user, result in lines]]
    left = run.scenario.tail(run.scenario.out_topic).messages
    lives = []
    for begin in run.anew_from:
        lives.append(_identified(run, [m for m in left if m.offset() < begin[m.partition()]]))
        left = [m for m in left if m.offset() >= begin[m.partition()]]
    return [*lives, _identified(run, left)]


def _identified(run: "Run", messages: Sequence[Message]) -> Pairs:
    identify = run.shape.identify
    return [identify(message) for message in messages]

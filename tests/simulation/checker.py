"""What is in the topics at the end, beside what the model makes of the input."""

import json
from collections import Counter, defaultdict

from tests.simulation.applications import BOOM, EARLY, LATER, MALFORMED, ONCE, Outcome
from wallaroo.state.store import POSITION_KEY
from wallaroo.task.dead_letters import REASON_PREFIX
from wallaroo.task.position import Position
from wallaroo.task.stores import new_stores
from wallaroo.topology.steps import Stateful, Window
from wallaroo.windows.kinds import open_state

# The deed of the records that fail in a stage; the others are windows.
_DEED_OF_STAGE = {"in": MALFORMED, "check": EARLY, "sum": LATER}
_WHERE = {MALFORMED: "in", EARLY: "check", LATER: "sum"}


def check(world):
    """Every difference between what is there and what should be, as lines; none if all is right."""
    failed, failed_windows = _dead_letters(world)
    found = [*_wrong_dead_letters(world, failed)]
    partitions = {
        number: [
            Outcome(sent, failed[number, offset][0] if (number, offset) in failed else None)
            for offset, sent in records
        ]
        for number, records in world.input.items()
    }
    results, states, spoilt = world.app.model(partitions)
    found += _differences("results", dict(results), _results(world))
    found += _differences("failed windows", dict(spoilt), failed_windows)
    found += _wrong_states(world, states)
    found += _wrong_positions(world)
    return found


def _differences(what, expected, got):
    for key in sorted({*expected, *got}, key=str):
        if expected.get(key) != got.get(key):
            yield f"{what} of {key}: expected {expected.get(key)}, got {got.get(key)}"


def _logs(world, topic):
    return [world.broker.logs[topic, number] for number in range(world.partitions[topic])]


def _records(log):
    return log.read(0, len(log.entries))


def _results(world):
    found = defaultdict(list)
    for log in _logs(world, "out"):
        for entry in _records(log):
            found[entry.key.decode()].append(json.loads(entry.value))
    return dict(found)


def _dead_letters(world):
    """The deeds of dead letters, by place of the record in the source; and those of windows, by key."""
    found, windows = defaultdict(list), Counter()
    for log in _logs(world, world.app.topology.dead_letters):
        for entry in _records(log):
            reasons = {name.removeprefix(REASON_PREFIX): value.decode() for name, value in entry.headers}
            source = "source." if "source.topic" in reasons else ""
            if reasons[f"{source}topic"] != "in":
                windows[entry.key.decode()] += 1
                continue
            place = int(reasons[f"{source}partition"]), int(reasons[f"{source}offset"])
            found[place].append(_DEED_OF_STAGE.get(reasons["stage"], BOOM))
    return dict(found), dict(windows)


def _wrong_dead_letters(world, failed):
    """Each record that is to fail has one dead letter, one that fails by chance has one or none."""
    for number, records in world.input.items():
        for offset, sent in records:
            deeds = failed.get((number, offset), [])
            fails = sent.deed in (MALFORMED, EARLY, BOOM, LATER)
            right = deeds == [sent.deed] if fails else len(deeds) <= (sent.deed == ONCE)
            if not right:
                yield f"dead letters of in[{number}]@{offset}, {sent.value!r}: {deeds}"
    known = {(number, offset) for number, records in world.input.items() for offset, _ in records}
    for place in failed.keys() - known:
        yield f"dead letters of {place}, where no record is: {failed[place]}"


def _wrong_states(world, expected):
    for sub in world.app.subs:
        for step in sub.steps:
            if isinstance(step, Stateful):
                wanted = expected.get(step.name, expected.get(None))
                yield from _differences(f"state of {step.name}", wanted, _states(world, sub, step))


def _states(world, sub, step):
    """The committed state of a stage, as its changelog has it."""
    found, number_of = {}, Counter()
    for log in _logs(world, step.store.changelog):
        store = new_stores(sub, world.app.codecs.state)[step.store.name]
        for key, value in log.compacted().items():
            if key != POSITION_KEY:
                store.restore(key, value)
                number_of[key] += 1
                found[key.decode()] = _comparable(step, store.peek(key))
    return found | {key.decode(): "in two partitions" for key, n in number_of.items() if n > 1}


def _comparable(step, state):
    if isinstance(step, Window):
        return open_state(step, state)
    return (state.total, state.seen) if step.name == "total" else state.total


def _wrong_positions(world):
    """The last position of each task is the offset of its group."""
    for sub in world.app.subs:
        group = world.broker.groups[sub.group]
        for number in range(group.partitions):
            logs = [world.broker.logs[store.changelog, number] for store in sub.stores]
            positions = [log.compacted()[POSITION_KEY] for log in logs if POSITION_KEY in log.compacted()]
            last = max((Position.decode(data).next for data in positions), default=None)
            at, _ = group.committed.get(number, (None, None))
            if last != at:
                yield f"position of {sub.name}[{number}]: the group is at {at}, the state at {last}"

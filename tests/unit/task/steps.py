"""Steps that tests put into a task, and what is done with a task again and again."""

from wallaroo.topology.steps import Apply, Store, Update


class Total:
    total = 0


TOTALS = Store("total", "app-total-changelog", Total)
COUNTS = Store("count", "app-count-changelog", Total)


def add(value, state):
    """Add a number; a text that is none fails half-way."""
    state.total += 1000
    state.total += int(value) - 1000
    return str(state.total)


def keep_unstorable(value, state):
    state.kept = (lambda: None) if value == "unstorable" else value
    return value


def count(value, state):
    state.total += 1
    return value


def upper(value):
    return value.upper() if value != "bad" else int(value)


ADD = Update("add", add, TOTALS)
UPPER = Apply("upper", upper)


def carefully(made, some):
    """Run a first slice through a task as a loop would, a second time where it asks to."""
    if made.process(some) is not None:
        made.rollback()
        assert made.process(some) is None
    return made


def committed(made):
    batch = made.collect()
    made.committed(batch)
    return batch

"""How deep objects are nested that are freed by a call inside of a call: too deep, and the process ends.

Other containers put off what is too deep; these do not.
"""

from collections import defaultdict, deque
from typing import Any

from wallaroo.errors import StoredValueError
from wallaroo.serde.pickling.budget import DEEPEST

FRAGILE = frozenset({deque, defaultdict})


def check_nesting(made: list[Any]) -> None:
    """StoredValueError where these objects are in each other, more of them than can be freed."""
    if len(made) > DEEPEST and not _is_freed(made):
        raise StoredValueError("a stored value is nested too deep")


def take_apart(made: list[Any]) -> None:
    """Empty these objects, so that none of them frees another."""
    if len(made) > DEEPEST:
        for each in made:
            each.clear()


def _is_freed(made: list[Any]) -> bool:
    holders: defaultdict[int, list[int]] = defaultdict(list)
    holds = dict.fromkeys(map(id, made), 0)
    for each in made:
        for part in each.values() if isinstance(each, dict) else each:
            if id(part) in holds:
                holders[id(part)].append(id(each))
                holds[id(each)] += 1
    # Those that hold none of the others, then those that hold only these, and so on; circles are left.
    level = [each for each, count in holds.items() if not count]
    for _ in range(DEEPEST):
        freed = [holder for each in level for holder in holders[each]]
        for each in level:
            del holds[each]
        for holder in freed:
            holds[holder] -= 1
        level = [holder for holder in dict.fromkeys(freed) if not holds[holder]]
    return len(holds) <= DEEPEST

"""How messages become accumulators: an aggregation changes one in place, or returns a new one."""

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

from wallaroo.api.aggregation import Window, wants_window
from wallaroo.topology import steps

# What an aggregation's output may be told of its window.
About: TypeAlias = Window

# (key, accumulator, what the window is known by, whether its result is final): the result of a window.
Result = Callable[[bytes, Any, Any, bool], Any]


class Aggregation(Protocol):
    """What a user's aggregation can do; see `wallaroo.Aggregation`."""

    def initial_accumulator(self) -> Any: ...
    def update(self, input: Any, acc: Any) -> Any: ...  # noqa: A002 - the user's name for it
    def combine(self, acc1: Any, acc2: Any) -> Any: ...
    def output(self, key: str, acc: Any, /, *window: Window) -> Any: ...


def add(aggregation: Aggregation, accumulators: dict[int, Any], index: int, message: Any) -> None:
    """Add a message to the accumulator at an index; costs one `update`."""
    if index not in accumulators:
        accumulators[index] = aggregation.initial_accumulator()
    replaced = aggregation.update(message, accumulators[index])
    if replaced is not None:
        accumulators[index] = replaced


def alone(aggregation: Aggregation, message: Any) -> Any:
    """The accumulator of a single message."""
    made = aggregation.initial_accumulator()
    replaced = aggregation.update(message, made)
    return made if replaced is None else replaced


def result_of(step: steps.Window, about: Callable[[Any, bool], Window]) -> Result:
    """The function that makes the results of a stage; `about` is asked only if `output` gets the window.

    The key is text to `output`, whatever its bytes.
    """
    output = step.declared.aggregation.output

    def result(key: bytes, accumulator: Any, _window: Any, _final: bool) -> Any:
        return output(key.decode(errors="backslashreplace"), accumulator)

    def result_with_window(key: bytes, accumulator: Any, window: Any, final: bool) -> Any:
        return output(key.decode(errors="backslashreplace"), accumulator, about(window, final))

    return result_with_window if wants_window(step.declared.aggregation) else result

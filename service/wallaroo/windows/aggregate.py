"""How messages become accumulators: an aggregation changes one in place, or returns a new one."""

from typing import Any, Protocol


class Aggregation(Protocol):
    """What a user's aggregation can do; see `wallaroo.Aggregation`."""

    def initial_accumulator(self) -> Any: ...
    def update(self, input: Any, acc: Any) -> Any: ...  # noqa: A002 - the user's name for it
    def combine(self, acc1: Any, acc2: Any) -> Any: ...
    def output(self, key: str, acc: Any) -> Any: ...


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


def key_text(key: bytes) -> str:
    """The key as `output` gets it: text, whatever the bytes."""
    return key.decode(errors="backslashreplace")

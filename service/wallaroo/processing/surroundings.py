"""What all tasks of an application share."""

from collections.abc import Mapping
from dataclasses import dataclass

from wallaroo.processing.rejections import OnError
from wallaroo.state.codec import Codec


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The codec of what crosses a topic, the partitions of every topic, and what becomes of failures."""

    values: Codec
    partitions: Mapping[str, int]
    dead_letters: str
    on_error: OnError = OnError.DEAD_LETTER

"""What all tasks of an application share."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from wallaroo.serde.object_codec import TopicCodec
from wallaroo.task.dead_letters import OnError


@dataclass(frozen=True, slots=True)
class ApplicationContext:
    """The codec of what crosses a topic, the partitions of every topic, and what becomes of failures.

    `room` is what topics take, in bytes a record: it fills up, and changes, as the cluster is asked.
    """

    values: TopicCodec
    partitions: Mapping[str, int]
    dead_letters: str
    on_error: OnError = OnError.DEAD_LETTER
    room: dict[str, int] = field(default_factory=dict)

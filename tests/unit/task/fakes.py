"""Records, stores and tasks without a broker."""

from wallaroo.record import Partition
from wallaroo.serde.object_codec import message_codec, state_codec
from wallaroo.serde.pickle import RestrictedPickle
from wallaroo.state.memory import MemoryStore
from wallaroo.state.store import POSITION_KEY
from wallaroo.task.context import ApplicationContext
from wallaroo.task.dead_letters import OnError
from wallaroo.task.task import Task
from wallaroo.testing.logs import Message, Record
from wallaroo.topology.model import Input, SubTopology, ToTopic

PICKLES = RestrictedPickle(["tests"])
PARTITIONS = {"in": 2, "out": 3, "box": 2, "repartition": 5, "dlq": 2}


def record(offset=0, value=b"", key=None, timestamp_ms=0, headers=()):
    return Message(Record("in", 1, offset, value, key, timestamp_ms, headers))


def records(*values, start=0, key=b"k"):
    """Records of consecutive offsets, a millisecond apart."""
    return [record(start + n, value, key, 1000 + n) for n, value in enumerate(values)]


def stores(*declared):
    return {s.name: MemoryStore(s.name, s.initial, state_codec(s.initial, PICKLES)) for s in declared}


def sub_topology(*steps, targets=None, decode=bytes.decode, by_slice=True):
    ends = targets or (ToTopic("encode", "out", str.encode),)
    return SubTopology("sub", "app-sub", (Input("source", "in", decode, by_slice=by_slice),), steps, ends)


def task(*steps, start=0, on_error=OnError.DEAD_LETTER, room=None, exactly_once=True, **rest):
    """A task of partition 1 of the topic `in`."""
    sub = sub_topology(*steps, **rest)
    application_context = ApplicationContext(
        message_codec(PICKLES), PARTITIONS, "dlq", on_error, room or {}, exactly_once=exactly_once
    )
    return Task(sub, Partition("in", 1), start, stores(*sub.stores), application_context)


def changed(batch):
    """What a batch changes, by store, without the position of its task."""
    return {c.store: dict(c.values) for c in batch.changes if POSITION_KEY not in c.values}


def written(batch, topic="out"):
    """The values that a batch writes to a topic."""
    return [output[1] for output in batch.outputs if output[0] == topic]

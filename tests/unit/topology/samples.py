"""Declarations that the tests of the compiler share."""

import wallaroo
from wallaroo.topology.compile import compile_topology


@wallaroo.decoder()
def decode(bs):
    return bs.decode()


@wallaroo.encoder
def encode(message):
    return message


@wallaroo.key_extractor
def user(message):
    return message


@wallaroo.key_extractor
def account(message):
    return message


@wallaroo.computation("look")
def look(message):
    return message


@wallaroo.computation_multi("split")
def split(message):
    return [message]


@wallaroo.state_computation("total", list)
def total(message, _state):
    return message


@wallaroo.state_computation_multi("history", list)
def history(message, _state):
    return [message]


KAFKA_SINK = wallaroo.KafkaSinkConfig("out", encoder=encode)
TCP_SINK = wallaroo.TCPSinkConfig("localhost", 7010, encode)


def source(name="in", partitioned_by=None):
    config = wallaroo.KafkaSourceConfig(
        f"{name} topic".replace(" ", "-"), decoder=decode, partitioned_by=partitioned_by
    )
    return wallaroo.source(name, config)


def compiled(pipeline, *sinks, application_id=None):
    """The topology of a pipeline that is still open."""
    finished = pipeline.to_sinks(list(sinks) or [KAFKA_SINK])
    return compile_topology(wallaroo.build_application("Some App", finished), application_id)


def shape(topology):
    """Each sub-topology as (group, input, stages, outputs)."""
    return [
        (sub.group, sub.input.topic, [step.name for step in sub.steps], [t.topic for t in sub.targets])
        for sub in topology.sub_topologies
    ]


def named(kind, name):
    """A stage of the given kind with the given name."""
    if kind == "state":
        return wallaroo.state_computation(name, list)(lambda message, _state: message)
    return wallaroo.computation(name)(lambda message: message)

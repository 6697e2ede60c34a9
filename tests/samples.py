"""Stages, sources, sinks and windows for every test that needs some, and how a pipeline is compiled."""

import wallaroo
from wallaroo.topology.compile import compile_topology


class Total:
    total = 0


class Count(wallaroo.Aggregation):
    def initial_accumulator(self):
        return 0

    def update(self, _input, acc):
        return acc + 1

    def combine(self, acc1, acc2):
        return acc1 + acc2

    def output(self, _key, acc):
        return acc


class Numbers:
    """A generator of 1, 2, 3, ..."""

    def initial_value(self):
        return 1

    def apply(self, previous):
        return previous + 1


@wallaroo.decoder()
def decode(bs):
    return bs.decode()


@wallaroo.decoder(header_length=2, length_fmt=">H")
def decode_text(bs):
    return bs.decode()


@wallaroo.encoder
def encode(message):
    return str(message)


@wallaroo.key_extractor
def user(message):
    return message


@wallaroo.key_extractor
def account(message):
    return message


@wallaroo.key_extractor
def extract_user(transaction):
    return transaction.user


@wallaroo.computation("look")
def look(message):
    return message


@wallaroo.computation_multi(name="split")
def split(message):
    return message.split()


@wallaroo.state_computation("total", Total)
def total(number, state):
    state.total += number
    return state.total


@wallaroo.state_computation_multi("history", list)
def history(message, state):
    state.append(message)
    return state


def plain(data):
    """What nobody has decorated."""
    return data


KAFKA_SINK = wallaroo.KafkaSinkConfig("out", encoder=encode)
TCP_SINK = wallaroo.TCPSinkConfig("localhost", 7010, encode)


def source(name="in", partitioned_by=None):
    config = wallaroo.KafkaSourceConfig(
        f"{name} topic".replace(" ", "-"), decoder=decode, partitioned_by=partitioned_by
    )
    return wallaroo.source(name, config)


def tcp_source(name, port=7010, host="127.0.0.1", **options):
    config = wallaroo.TCPSourceConfig(name, host, port, decode_text, **options)
    return wallaroo.source(name, config)


def generator_source(name="numbers", generator=None):
    return wallaroo.source(name, wallaroo.GenSourceConfig(name, generator or Numbers()))


def windows():
    return wallaroo.range_windows(wallaroo.seconds(9)).over(Count)


def compiled(pipeline, *sinks, application_id=None):
    """The topology of a pipeline that is still open."""
    finished = pipeline.to_sinks(list(sinks) or [KAFKA_SINK])
    return compile_topology(wallaroo.build_application("Some App", finished), application_id)

"""Totals of payments; `--version` chooses the class of the state: versions of one application."""

import argparse
import json

import pydantic

import wallaroo
from tests.kafka.totals import Sum


def application_setup(args):
    parser = argparse.ArgumentParser()
    parser.add_argument("--in-topic", required=True)
    parser.add_argument("--out-topic", required=True)
    parser.add_argument("--version", required=True)
    options, _ = parser.parse_known_args(args)
    source = wallaroo.KafkaSourceConfig(options.in_topic, decoder=decode, partitioned_by=extract_user)
    payments = wallaroo.source("payments", source).key_by(extract_user)
    sink = wallaroo.KafkaSinkConfig(options.out_topic, encoder=encode)
    if options.version in WINDOWS:
        summed = payments.to(wallaroo.range_windows(WINDOWS[options.version]).over(Sum))
        return wallaroo.build_application("versions", summed.to_sink(sink))
    kind, field = VERSIONS[options.version]

    @wallaroo.state_computation(name="add", state=kind)
    def add(message, state):
        setattr(state, field, getattr(state, field) + message["amount"])
        return {**message, "total": getattr(state, field)}

    return wallaroo.build_application("versions", payments.to(add).to_sink(sink))


class Slots:
    __slots__ = ("seen", "total")

    def __init__(self):
        self.seen, self.total = ["first"], 0


class FewerSlots:
    __slots__ = ("total",)

    def __init__(self):
        self.total = 0


class Plain:
    def __init__(self):
        self.total = 0
        self.bonus = 0


class Model(pydantic.BaseModel):
    total: int = 0


class Strict(pydantic.BaseModel):
    """What the others have stored does not validate."""

    total: int = pydantic.Field(default=0, le=15)


WINDOWS = {"hours": wallaroo.hours(1), "days": wallaroo.days(1)}
VERSIONS = {
    "slots": (Slots, "total"),
    "fewer slots": (FewerSlots, "total"),
    "plain": (Plain, "total"),
    "model": (Model, "total"),
    "strict": (Strict, "total"),
}


@wallaroo.decoder()
def decode(data):
    return json.loads(data)


@wallaroo.key_extractor
def extract_user(message):
    return message["user"]


@wallaroo.encoder
def encode(message):
    return json.dumps(message)

"""Payments added up, counted or gathered in windows, over topics of any name; each result has its number."""

import argparse
import json

import wallaroo


def application_setup(args):
    options = _options(args)
    source = wallaroo.KafkaSourceConfig(
        options.in_topic, decoder=decode, partitioned_by=None if options.hop else extract_user
    )
    payments = wallaroo.source("payments", source).key_by(extract_user)
    for stage in options.stages.split(","):
        payments = payments.to(STAGES[stage])
    if options.receiver:
        host, _, port = options.receiver.rpartition(":")
        return wallaroo.build_application(
            "totals", payments.to_sink(wallaroo.TCPSinkConfig(host, int(port), encoder=encode_line))
        )
    return wallaroo.build_application(
        "totals", payments.to_sink(wallaroo.KafkaSinkConfig(options.out_topic, encoder=encode))
    )


class Total:
    total = 0


class Count:
    count = 0


class Sum(wallaroo.Aggregation):
    def initial_accumulator(self):
        return 0

    def update(self, message, total):
        return total + message["amount"]

    def combine(self, one, other):
        return one + other

    def output(self, key, total):
        return {"user": key, "total": total}


@wallaroo.state_computation(name="add", state=Total)
def add(message, state):
    state.total += message["amount"]
    return {**message, "total": state.total}


@wallaroo.state_computation(name="count", state=Count)
def count(message, state):
    state.count += 1
    return {**message, "count": state.count}


@wallaroo.computation(name="copy")
def copy(message):
    return {**message, "total": message["amount"]}


@wallaroo.decoder()
def decode(data):
    return json.loads(data)


@wallaroo.key_extractor
def extract_user(message):
    return message["user"]


@wallaroo.encoder
def encode(message):
    return json.dumps(message), message["user"]


@wallaroo.encoder
def encode_line(message):
    return json.dumps(message).encode() + b"\n"


STAGES = {
    "add": add,
    "count": count,
    "copy": copy,
    "windows": wallaroo.range_windows(wallaroo.seconds(1)).over(Sum),
}


def _options(args):
    parser = argparse.ArgumentParser(prog="totals")
    parser.add_argument("--in-topic", required=True)
    parser.add_argument("--out-topic", required=True)
    parser.add_argument("--stages", default="add")
    parser.add_argument("--hop", action="store_true")
    parser.add_argument("--receiver")
    return parser.parse_known_args(args)[0]

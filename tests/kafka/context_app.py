"""Headers, times and deletions across a hop, on topics of any name."""

import argparse

import wallaroo


class Orders:
    def __init__(self):
        self.count = 0


@wallaroo.decoder()
def decode(bs, context):
    if bs == b"bad":
        raise ValueError(f"bad at {context.offset}")
    return bs.decode()


@wallaroo.key_extractor
def by_tenant(order, context):
    return dict(context.headers)["tenant"]


@wallaroo.state_computation("count", state=Orders)
def count(order, orders, context):
    orders.count += 1
    if order == "delete":
        context.delete()
    if order == "delete and fail":
        context.delete()
        raise ValueError(order)
    return f"{context.key} {orders.count} {context.partition}@{context.offset} {context.event_time}"


@wallaroo.encoder
def encode(text, context):
    headers = {"kind": "count", "empty": None}
    return wallaroo.Output(text, context.key, headers, timestamp=context.event_time + 1_000_000)


def application_setup(args):
    parser = argparse.ArgumentParser()
    parser.add_argument("--in-topic", required=True)
    parser.add_argument("--out-topic", required=True)
    options, _ = parser.parse_known_args(args)
    source = wallaroo.KafkaSourceConfig(options.in_topic, decoder=decode, carry_headers=("trace",))
    counts = wallaroo.source("orders", source).key_by(by_tenant).to(count)
    sink = wallaroo.KafkaSinkConfig(options.out_topic, encoder=encode)
    return wallaroo.build_application("orders", counts.to_sink(sink))

"""Messages counted by key, with a time to live of ten minutes, over topics of any name."""

import argparse

import wallaroo


def application_setup(args):
    parser = argparse.ArgumentParser(prog="ttl_app")
    parser.add_argument("--in-topic", required=True)
    parser.add_argument("--out-topic", required=True)
    options = parser.parse_known_args(args)[0]
    source = wallaroo.KafkaSourceConfig(options.in_topic, decoder=decode)
    sink = wallaroo.KafkaSinkConfig(options.out_topic, encoder=encode)
    counts = wallaroo.source("messages", source).key_by(extract_key).to(count)
    return wallaroo.build_application("ttl", counts.to_sink(sink))


class Count:
    count = 0


@wallaroo.state_computation(name="count", state=Count, ttl=wallaroo.minutes(10))
def count(key, state):
    state.count += 1
    return key, state.count


@wallaroo.key_extractor
def extract_key(key):
    return key


@wallaroo.decoder()
def decode(data):
    return data.decode()


@wallaroo.encoder
def encode(made):
    return str(made[1]), made[0]

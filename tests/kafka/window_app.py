"""The values of each key in windows, by default of four seconds every two, over topics of any name."""

import argparse
import json

import wallaroo


def application_setup(args):
    options = _options(args)
    source = wallaroo.KafkaSourceConfig(
        options.in_topic,
        decoder=decode,
        partitioned_by=extract_key if options.partitioned else None,
        event_time=told if options.event_time else None,
    )
    windows = _sessions(options) if options.gap_ms else _ranges(options)
    windows = windows.with_delay(wallaroo.milliseconds(options.delay_ms)).over(Values)
    sink = wallaroo.KafkaSinkConfig(options.out_topic, encoder=encode)
    gathered = wallaroo.source("messages", source).key_by(extract_key).to(windows)
    return wallaroo.build_application("windows", gathered.to_sink(sink))


def _ranges(options):
    windows = wallaroo.range_windows(wallaroo.milliseconds(options.range_ms))
    return windows.with_slide(wallaroo.milliseconds(options.slide_ms))


def _sessions(options):
    return wallaroo.session_windows(wallaroo.milliseconds(options.gap_ms))


class Values(wallaroo.Aggregation):
    def initial_accumulator(self):
        return []

    def update(self, message, values):
        values.append(message["value"])

    def combine(self, one, other):
        return one + other

    def output(self, key, values):
        return {"key": key, "values": sorted(values)}


@wallaroo.decoder()
def decode(data):
    return json.loads(data)


def told(message):
    return message["at"]


@wallaroo.key_extractor
def extract_key(message):
    return message["key"]


@wallaroo.encoder
def encode(made):
    return json.dumps(made), made["key"]


def _options(args):
    parser = argparse.ArgumentParser(prog="window_app")
    parser.add_argument("--in-topic", required=True)
    parser.add_argument("--out-topic", required=True)
    parser.add_argument("--partitioned", action="store_true")
    parser.add_argument("--event-time", action="store_true", help="messages say when they happened")
    parser.add_argument("--range-ms", type=int, default=4_000)
    parser.add_argument("--slide-ms", type=int, default=2_000)
    parser.add_argument("--gap-ms", type=int, default=0, help="sessions instead of windows of a range")
    parser.add_argument("--delay-ms", type=int, default=0)
    return parser.parse_known_args(args)[0]

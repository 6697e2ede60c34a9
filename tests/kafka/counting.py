"""A generator that counts, as slowly as it is told, straight to a topic: not one number may be missing."""

import argparse
import time

import wallaroo

# The number on which the stage raises.
refused: set[int] = set()


def application_setup(args):
    options = _options(args)
    refused.clear()
    refused.update([] if options.refused is None else [options.refused])
    source = wallaroo.GenSourceConfig("numbers", Counting(options.end, options.pause_ms / 1000, options.huge))
    numbers = wallaroo.source("numbers", source).to(double)
    sink = wallaroo.KafkaSinkConfig(options.out_topic, encoder=encode_number)
    return wallaroo.build_application("counting", numbers.to_sink(sink))


class Counting:
    """Where it is, only the object knows: the values say nothing about the next one."""

    def __init__(self, end, pause_seconds, huge):
        self.end = end
        self.pause_seconds = pause_seconds
        self.huge = huge
        self.made = 0

    def initial_value(self):
        return 0

    def apply(self, _previous):
        if self.pause_seconds:
            time.sleep(self.pause_seconds)
        self.made += 1
        if self.made == self.huge:
            return 10**4_000
        return self.made if self.made < self.end else None


@wallaroo.computation(name="double")
def double(number):
    if number in refused:
        raise ValueError(f"{number} is not welcome")
    return number * 2


@wallaroo.encoder
def encode_number(number):
    return b"%d" % number


def _options(args):
    parser = argparse.ArgumentParser(prog="counting")
    parser.add_argument("--out-topic", required=True)
    parser.add_argument("--end", type=int, default=1_000)
    parser.add_argument("--pause-ms", type=float, default=0)
    parser.add_argument("--refused", type=int)
    parser.add_argument("--huge", type=int, help="this number takes some thousand digits")
    return parser.parse_known_args(args)[0]

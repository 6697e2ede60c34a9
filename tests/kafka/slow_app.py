"""Totals behind a hop, with user code that stands still, or ends its process, as long as a file is there."""

import argparse
import os
import time
from pathlib import Path

import wallaroo
from tests.samples import Total, extract_user
from wallaroo import KafkaSinkConfig, KafkaSourceConfig


def application_setup(args):
    parser = argparse.ArgumentParser(prog="slow")
    parser.add_argument("--in-topic", required=True)
    parser.add_argument("--out-topic", required=True)
    parser.add_argument("--folder", required=True)
    options = parser.parse_known_args(args)[0]
    folder = Path(options.folder)
    source = KafkaSourceConfig(options.in_topic, decoder=decode)
    totals = wallaroo.source("numbers", source).key_by(extract_user).to(add_up_in(folder))
    return wallaroo.build_application(
        "slow", totals.to_sink(KafkaSinkConfig(options.out_topic, encoder=encode))
    )


class Number:
    def __init__(self, user):
        self.user = user


@wallaroo.decoder()
def decode(data):
    return Number(data.decode())


def add_up_in(folder):
    @wallaroo.state_computation(name="add up", state=Total)
    def add_up(number, state):
        while (folder / "block").exists():
            time.sleep(0.05)
        if (folder / "crash").exists():
            os._exit(1)
        state.total += 1
        return number.user if number.user == "last" else None

    return add_up


@wallaroo.encoder
def encode(user):
    return user.encode()

"""The shipped `alerts_stateful` over topics of any name, as it is in every other respect."""

import argparse
from functools import partial
from unittest.mock import patch

import wallaroo
from topologies import alerts_stateful


def application_setup(args):
    options = _options(args)
    source = partial(_renamed, wallaroo.KafkaSourceConfig, options.in_topic)
    sink = partial(_renamed, wallaroo.KafkaSinkConfig, options.out_topic)
    with patch.multiple(wallaroo, KafkaSourceConfig=source, KafkaSinkConfig=sink):
        return alerts_stateful.application_setup(args)


def _renamed(config, topic, _shipped_name, **settings):
    return config(topic, **settings)


def _options(args):
    parser = argparse.ArgumentParser(prog="shipped", allow_abbrev=False)
    parser.add_argument("--in-topic", required=True)
    parser.add_argument("--out-topic", required=True)
    return parser.parse_known_args(args)[0]

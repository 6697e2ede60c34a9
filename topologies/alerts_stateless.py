"""Stateless alerts: an alert for every single transaction beyond the limit."""

import argparse

import wallaroo
from schemas.alert import AmountAlert
from schemas.transaction import Transaction

LIMIT = 1000


def application_setup(args):
    """Transactions in; alerts out to the topic `alerts`, or with --out to TCP."""
    source = wallaroo.KafkaSourceConfig("transactions", decoder=wallaroo.json_decoder(Transaction))
    sinks = [wallaroo.KafkaSinkConfig("alerts", encoder=encode_json)]
    if parse_options(args).out:
        addresses = wallaroo.tcp_parse_output_addrs(args)
        sinks = [wallaroo.TCPSinkConfig(host, port, encode_line) for host, port in addresses]
    pipeline = wallaroo.source("transactions", source).to(check_transaction).to_sinks(sinks)
    return wallaroo.build_application("alerts-stateless", pipeline)


@wallaroo.computation(name="check transaction")
def check_transaction(transaction):
    if transaction.amount > LIMIT:
        return AmountAlert("deposit", transaction.user, transaction.amount)
    if transaction.amount < -LIMIT:
        return AmountAlert("withdrawal", transaction.user, transaction.amount)
    return None


@wallaroo.encoder
def encode_json(alert):
    return alert.to_json(), alert.user


@wallaroo.encoder
def encode_line(alert):
    line = f"{alert.kind.title()} Alert for {alert.user}: {alert.amount}"
    return line.replace("\n", "\\n") + "\n"


def parse_options(args):
    parser = argparse.ArgumentParser(prog="alerts_stateless")
    parser.add_argument("-o", "--out", help="HOST:PORT[,...] of a TCP receiver of text lines")
    return parser.parse_known_args(args)[0]

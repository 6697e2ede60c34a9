"""Stateful alerts: a running total per user, and an alert whenever it is beyond the limit."""

import argparse

import wallaroo
from schemas.alert import TotalAlert
from schemas.transaction import Transaction

LIMIT = 2000


def application_setup(args):
    """Transactions in; alerts out to the topic `alerts`, or with --out to TCP."""
    options = parse_options(args)
    source = wallaroo.KafkaSourceConfig(
        options.in_topic,
        decoder=wallaroo.json_decoder(Transaction),
        partitioned_by=extract_user if options.partitioned_by_user else None,
    )
    sinks = [wallaroo.KafkaSinkConfig(options.out_topic, encoder=encode_json)]
    if options.out:
        addresses = wallaroo.tcp_parse_output_addrs(args)
        sinks = [wallaroo.TCPSinkConfig(host, port, encode_line) for host, port in addresses]
    transactions = wallaroo.source("transactions", source)
    pipeline = transactions.key_by(extract_user).to(check_transaction_total).to_sinks(sinks)
    return wallaroo.build_application("alerts-stateful", pipeline)


class TransactionTotal:
    """What a user's transactions add up to."""

    __slots__ = ("total",)

    def __init__(self):
        self.total = 0


@wallaroo.key_extractor
def extract_user(transaction):
    return transaction.user


@wallaroo.state_computation(name="check transaction total", state=TransactionTotal)
def check_transaction_total(transaction, state):
    state.total += transaction.amount
    if state.total > LIMIT:
        return TotalAlert("deposit", transaction.user, state.total)
    if state.total < -LIMIT:
        return TotalAlert("withdrawal", transaction.user, state.total)
    return None


@wallaroo.encoder
def encode_json(alert):
    return alert.to_json(), alert.user


@wallaroo.encoder
def encode_line(alert):
    line = f"{alert.kind.title()} Alert for {alert.user}: {alert.total}"
    return line.replace("\n", "\\n") + "\n"


def parse_options(args):
    parser = argparse.ArgumentParser(prog="alerts_stateful")
    parser.add_argument("-o", "--out", help="HOST:PORT[,...] of a TCP receiver of text lines")
    parser.add_argument("--in-topic", default="transactions", help="where transactions are read")
    parser.add_argument("--out-topic", default="alerts", help="where alerts go, unless to TCP")
    parser.add_argument("--partitioned-by-user", action="store_true", help="producers key by user already")
    return parser.parse_known_args(args)[0]

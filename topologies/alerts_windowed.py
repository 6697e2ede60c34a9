"""Windowed alerts: every three seconds the sum of each user's last nine, and an alert if it is too much."""

import argparse

import wallaroo
from schemas.alert import TotalAlert
from schemas.transaction import Transaction

LIMIT = 2000


def application_setup(args):
    """Transactions in; alerts out to the topic `alerts`, or with --out to TCP."""
    options = parse_options(args)
    source = wallaroo.KafkaSourceConfig(
        "transactions",
        decoder=wallaroo.json_decoder(Transaction),
        partitioned_by=extract_user if options.partitioned_by_user else None,
    )
    sinks = [wallaroo.KafkaSinkConfig("alerts", encoder=encode_json)]
    if options.out:
        addresses = wallaroo.tcp_parse_output_addrs(args)
        sinks = [wallaroo.TCPSinkConfig(host, port, encode_line) for host, port in addresses]
    windows = wallaroo.range_windows(wallaroo.seconds(9)).with_slide(wallaroo.seconds(3))
    transactions = wallaroo.source("transactions", source)
    pipeline = transactions.key_by(extract_user).to(windows.over(SumOfTransactions)).to_sinks(sinks)
    return wallaroo.build_application("alerts-windowed", pipeline)


class TransactionTotal:
    """What some transactions of a user add up to."""

    def __init__(self, total=0):
        self.total = total


class SumOfTransactions(wallaroo.Aggregation):
    def name(self):
        return "sum of transactions"

    def initial_accumulator(self):
        return TransactionTotal()

    def update(self, transaction, acc):
        acc.total += transaction.amount

    def combine(self, acc1, acc2):
        return TransactionTotal(acc1.total + acc2.total)

    def output(self, key, acc):
        if acc.total > LIMIT:
            return TotalAlert("deposit", key, acc.total)
        if acc.total < -LIMIT:
            return TotalAlert("withdrawal", key, acc.total)
        return None


@wallaroo.key_extractor
def extract_user(transaction):
    return transaction.user


@wallaroo.encoder
def encode_json(alert):
    return alert.to_json(), alert.user


@wallaroo.encoder
def encode_line(alert):
    line = f"{alert.kind.title()} Alert for {alert.user}: {alert.total}"
    return line.replace("\n", "\\n") + "\n"


def parse_options(args):
    parser = argparse.ArgumentParser(prog="alerts_windowed")
    parser.add_argument("-o", "--out", help="HOST:PORT[,...] of a TCP receiver of text lines")
    parser.add_argument("--partitioned-by-user", action="store_true", help="producers key by user already")
    return parser.parse_known_args(args)[0]

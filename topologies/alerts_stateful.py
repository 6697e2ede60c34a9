"""Stateful alerts: a running total per user, an alert whenever it is beyond the limit."""

import argparse

import wallaroo
from schemas.alert import TotalAlert
from schemas.transaction import Transaction

LIMIT = 2000


def application_setup(args):
    options = _options(args)
    source = wallaroo.KafkaSourceConfig(
        "transactions",
        decoder=wallaroo.json_decoder(Transaction),
        partitioned_by=extract_user if options.partitioned_by_user else None,
    )
    transactions = wallaroo.source("transactions", source)
    pipeline = transactions.key_by(extract_user).to(check_transaction_total).to_sink(
        wallaroo.KafkaSinkConfig("alerts", encoder=encode_alert))
    return wallaroo.build_application("alerts-stateful", pipeline)


class TransactionTotal:
    total = 0


@wallaroo.key_extractor
def extract_user(transaction):
    return transaction.user


@wallaroo.state_computation(name="check transaction total", state=TransactionTotal)
def check_transaction_total(transaction, state):
    state.total += transaction.amount
    if state.total > LIMIT:
        return TotalAlert(kind="deposit", user=transaction.user, total=state.total)
    if state.total < -LIMIT:
        return TotalAlert(kind="withdrawal", user=transaction.user, total=state.total)
    return None

@wallaroo.encoder
def encode_alert(alert):
    return alert.model_dump_json().encode(), alert.user

def _options(args):
    parser = argparse.ArgumentParser(prog="alerts_stateful")
    parser.add_argument("--partitioned-by-user", action="store_true")
    return parser.parse_known_args(args)[0]

"""The stateful alerts over topics of any name, with user code that fails on demand."""

import argparse
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

import wallaroo
from tests.samples import Total, extract_user

LIMIT = 2000
# Not empty if `add up` has learnt to take every user.
mended: set[bool] = set()


class Transaction(BaseModel):
    model_config = ConfigDict(strict=True)
    user: str
    amount: int | Annotated[float, Field(allow_inf_nan=False)]


class Alert(BaseModel):
    kind: str
    user: str
    total: int | float


def application_setup(args):
    options = _options(args)
    mended.clear()
    mended.update([True] if options.mended else [])
    source = wallaroo.KafkaSourceConfig(
        options.in_topic,
        decoder=wallaroo.json_decoder(Transaction),
        partitioned_by=extract_user if options.partitioned_by_user else None,
    )
    transactions = wallaroo.source("transactions", source)
    alerts = transactions.key_by(extract_user).to(add_up)
    brokers = [options.out_broker.split(":")] if options.out_broker else None
    sink = wallaroo.KafkaSinkConfig(options.out_topic, brokers, encoder=encode_alert)
    return wallaroo.build_application("alerts", alerts.to_sink(sink))


@wallaroo.state_computation(name="add up", state=Total)
def add_up(transaction, state):
    state.total += transaction.amount
    if transaction.user.startswith("faulty") and not mended:
        raise ValueError(f"{transaction.user} is not welcome")
    if state.total > LIMIT:
        return Alert(kind="deposit", user=transaction.user, total=state.total)
    if state.total < -LIMIT:
        return Alert(kind="withdrawal", user=transaction.user, total=state.total)
    return None


@wallaroo.encoder
def encode_alert(alert):
    key = None if alert.user.startswith("keyless") else alert.user
    return alert.model_dump_json().encode(), key


def _options(args):
    parser = argparse.ArgumentParser(prog="apps")
    parser.add_argument("--in-topic", required=True)
    parser.add_argument("--out-topic", required=True)
    parser.add_argument("--out-broker")
    parser.add_argument("--partitioned-by-user", action="store_true")
    parser.add_argument("--mended", action="store_true")
    return parser.parse_known_args(args)[0]

"""An application whose names are longer than any column, and one that a careless page would execute."""

import wallaroo

HOSTILE = "<img src=x onerror=window.executed=1>"
LONG = "total of all payments of one customer over every channel that has ever been opened for them"


class Total:
    def __init__(self):
        self.amount = 0
        self.note = HOSTILE


@wallaroo.decoder()
def decode(data):
    return data.decode()


@wallaroo.key_extractor
def customer(payment):
    return payment.split()[0]


@wallaroo.key_extractor
def country_of_the_bank_that_the_payment_has_gone_through(payment):
    return str(len(payment))


@wallaroo.computation(HOSTILE)
def look(payment):
    if payment.endswith("13"):
        raise ValueError(HOSTILE)
    return payment


@wallaroo.state_computation(LONG, Total)
def add_up(payment, total):
    total.amount += int(payment.split()[1])
    return payment


class Count(wallaroo.Aggregation):
    def name(self):
        return "payments a minute"

    def initial_accumulator(self):
        return 0

    def update(self, _payment, acc):
        return acc + 1

    def combine(self, one, other):
        return one + other

    def output(self, key, acc):
        return f"{key} {acc}"


@wallaroo.encoder
def encode(payment):
    return payment.encode()


def application_setup(_args):
    source = wallaroo.source("payments", wallaroo.KafkaSourceConfig("payments", decoder=decode))
    windows = wallaroo.range_windows(wallaroo.seconds(5)).over(Count)
    pipeline = (
        source.to(look)
        .key_by(customer)
        .to(add_up)
        .key_by(country_of_the_bank_that_the_payment_has_gone_through)
        .to(windows)
    )
    return wallaroo.build_application(
        "shop", pipeline.to_sink(wallaroo.KafkaSinkConfig("counts", encoder=encode))
    )

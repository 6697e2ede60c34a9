"""Pipelines that fit, as `mypy --strict` and pyright see them: annotated, and without any annotation."""

from typing import Any, assert_type

import msgspec

import wallaroo


class Order(msgspec.Struct):
    user: str
    amount: float


class Alert(msgspec.Struct):
    user: str
    total: float


class Total:
    amount: float = 0


@wallaroo.decoder()
def decode_order(bs: bytes) -> Order | None:
    return msgspec.json.decode(bs, type=Order) if bs else None


@wallaroo.computation(name="amount")
def amount_of(order: Order) -> float:
    return order.amount


@wallaroo.computation(name="with context")
def with_context(order: Order, context: Any) -> Order:
    return Order(str(context), order.amount)


@wallaroo.computation_multi(name="halves")
def halves(order: Order) -> list[Order] | None:
    return [Order(order.user, order.amount / 2)] * 2


@wallaroo.key_extractor
def user_of(order: Order) -> str:
    return order.user


@wallaroo.state_computation(name="total", state=Total)
def add_up(order: Order, total: Total) -> Alert | None:
    total.amount += order.amount
    return Alert(order.user, total.amount) if total.amount > 100 else None


@wallaroo.state_computation_multi(name="totals", state=Total)
def add_up_each(order: Order, total: Total, context: Any) -> list[Alert | None]:
    return [Alert(order.user, total.amount)]


@wallaroo.encoder
def encode_alert(alert: Alert) -> tuple[str, str]:
    return alert.user, str(alert.total)


@wallaroo.encoder
def encode_number(number: float | str) -> str:
    return str(number)


class Sum(wallaroo.Aggregation):
    def initial_accumulator(self) -> float:
        return 0

    def update(self, order: Order, acc: float) -> float:
        return acc + order.amount

    def combine(self, acc1: float, acc2: float) -> float:
        return acc1 + acc2

    def output(self, key: str, acc: float) -> Alert:
        return Alert(key, acc)


class SumInPlace:
    def name(self) -> str:
        return "sum in place"

    def initial_accumulator(self) -> list[float]:
        return []

    def update(self, order: Order, acc: list[float]) -> None:
        acc.append(order.amount)

    def combine(self, acc1: list[float], acc2: list[float]) -> list[float]:
        return acc1 + acc2

    def output(self, key: str, acc: list[float], window: object) -> Alert | None:
        return Alert(f"{key} {window}", sum(acc))


def time_of(order: Order) -> int:
    return int(order.amount)


orders = wallaroo.source(
    "orders",
    wallaroo.KafkaSourceConfig("orders", decoder=decode_order, partitioned_by=user_of, event_time=time_of),
)
others = wallaroo.source(
    "others", wallaroo.TCPSourceConfig("others", "localhost", 7000, wallaroo.json_decoder(Order))
)
alerts = wallaroo.KafkaSinkConfig("alerts", encoder=encode_alert)
numbers = wallaroo.TCPSinkConfig("localhost", 7001, encode_number)

assert_type(orders, wallaroo.Pipeline[Order])
assert_type(orders.to(amount_of), wallaroo.Pipeline[float])
assert_type(orders.to(with_context).to(halves), wallaroo.Pipeline[Order])
assert_type(orders.key_by(user_of).to(add_up), wallaroo.Pipeline[Alert])
assert_type(orders.key_by(user_of).to(add_up_each), wallaroo.Pipeline[Alert])
assert_type(add_up, wallaroo.StateComputation[Order, Total, Alert])
every_minute = wallaroo.range_windows(wallaroo.minutes(1))
assert_type(orders.to(every_minute.over(Sum)), wallaroo.Pipeline[Alert])
assert_type(orders.to(wallaroo.count_windows(3).over(SumInPlace)), wallaroo.Pipeline[Alert])
assert_type(orders.merge(others.to(amount_of)), wallaroo.Pipeline[Order | float])
application = wallaroo.build_application(
    "orders",
    orders.merge(others)
    .key_by(user_of)
    .to(add_up)
    .to_sinks([alerts, wallaroo.KafkaSinkConfig("copies", encoder=wallaroo.json_encoder)]),
)
wallaroo.build_application("numbers", orders.to(amount_of).to_sink(numbers))

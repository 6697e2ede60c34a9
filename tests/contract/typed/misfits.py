"""Stages that do not fit: a line with `# misfit` must be an error, and no other line may be one."""

import wallaroo
from tests.contract.typed.fits import (
    Alert,
    Order,
    Sum,
    Total,
    add_up,
    alerts,
    amount_of,
    decode_order,
    halves,
    numbers,
    orders,
    user_of,
)

numbered = orders.to(amount_of)
in_threes = wallaroo.count_windows(3)


def time_of(alert: Alert) -> int:
    return int(alert.total)


numbered.to(amount_of)  # misfit
numbered.to(halves)  # misfit
numbered.to(add_up)  # misfit
numbered.key_by(user_of)  # misfit
numbered.to_sink(alerts)  # misfit
orders.to_sink(numbers)  # misfit
orders.to_sinks([alerts])  # misfit
orders.merge(numbered).key_by(user_of)  # misfit
numbered.to(in_threes.over(Sum))  # misfit
orders.to(in_threes.over(Total))  # misfit
wallaroo.KafkaSourceConfig("orders", decoder=decode_order, event_time=time_of)  # misfit
wallaroo.json_decoder(Order).decode(b"")


@wallaroo.state_computation(name="another", state=Total)  # misfit
def another_state(order: Order, alert: Alert) -> Order:
    return order


@wallaroo.computation(name="too many")  # misfit
def too_many(order: Order, context: object, more: object) -> Order:
    return order


@wallaroo.key_extractor  # misfit
def no_key(order: Order) -> float:
    return order.amount

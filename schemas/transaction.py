"""A transaction as it is on the topic `transactions`."""
from typing import Annotated
from pydantic import BaseModel, ConfigDict, Field
class Transaction(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")
    user: str
    amount: int | Annotated[float, Field(allow_inf_nan=False)]

"""x"""
from typing import Literal
from pydantic import BaseModel
class TotalAlert(BaseModel):
    kind: Literal["deposit","withdrawal"]
    user: str
    total: int | float

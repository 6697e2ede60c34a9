"""Test applications without a broker: the real topology and tasks over in-memory topics.

`ApplicationDriver` has an example.
"""

from wallaroo.testing.contexts import context
from wallaroo.testing.driver import ApplicationDriver, Pace, Turn
from wallaroo.testing.logs import DeadLetter, Record

__all__ = ["ApplicationDriver", "DeadLetter", "Pace", "Record", "Turn", "context"]

"""Test applications without a broker: the real topology and tasks over in-memory topics.

`ApplicationDriver` has an example.
"""

from wallaroo.testing.driver import ApplicationDriver
from wallaroo.testing.logs import DeadLetter, Record
from wallaroo.testing.schedule import Pace, Turn

__all__ = ["ApplicationDriver", "DeadLetter", "Pace", "Record", "Turn"]

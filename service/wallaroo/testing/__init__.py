"""Test applications without a broker: the real topology and tasks over in-memory logs.

driver = ApplicationDriver(application_setup(["test"]))
driver.send("transactions", '{"user": "Rex", "amount": 2100}')
driver.run()
assert driver.read("alerts") == [b'{"kind":"deposit","user":"Rex","total":2100}']
"""

from wallaroo.testing.dead_letters import DeadLetter
from wallaroo.testing.driver import ApplicationDriver
from wallaroo.testing.logs import Record
from wallaroo.testing.schedule import Pace, Turn

__all__ = ["ApplicationDriver", "DeadLetter", "Pace", "Record", "Turn"]

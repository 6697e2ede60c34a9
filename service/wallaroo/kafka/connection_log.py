"""ConnectionLog: what a client says of its connections, and whether a request may still be on its way.

When a connection ends before a request has been answered, the client sends the request once more, over
another one, and tells nobody. The first copy may still arrive, at any time. Only the client's log shows it
in time and every time (decision 0028): its statistics come by the second, its error callback says nothing.
"""

import logging
import re

from wallaroo.clock import Clock, SystemClock
from wallaroo.kafka.connections import Connections
from wallaroo.kafka.errors import OWN_CONNECTIONS

# Properties of a client whose logger is a ConnectionLog. The context `broker` logs every connection that
# ends; without it, of several that end alike within half a minute most are left out.
CONTEXT = "broker"

_FAILED = "FAIL"
_TIMED_OUT = "REQTMOUT"
_STATE = re.compile(r" in state (\w+)")
# No request has been sent in these: the connection was still to be made.
_UNCONNECTED = frozenset(("INIT", "DOWN", "TRY_CONNECT", "CONNECT", "SSL_HANDSHAKE", "APIVERSION_QUERY"))
# As soon as a client knows the brokers of the cluster, it drops the connection that told it.
_INTRODUCED = re.compile(r"/bootstrap: .*\(_DESTROY_BROKER\)")
# The level of Python's logging for each of the client's, as confluent-kafka translates them.
_LEVELS = (50, 50, 50, 40, 30, 20, 20, 10)


# Connections that break and are made again: `Connections` is told, and the supervisor tells the operator.
_PASSING = frozenset((_FAILED, _TIMED_OUT, "ALLBROKERSDOWN"))
_GOES_ON = re.compile(
    r": retrying$|Local: (Broker transport failure|Timed out|All broker connections are down)"
)
_SESSION_OVER = "SESSTMOUT"
_REFUSED_TOPIC = re.compile(r'Failed to add partition "([^"]+)" .*: Broker: Topic authorization failed')


class ConnectionLog:
    """The `logger` of one client: notes when requests came into doubt, and passes the rest on.

    `doubt` is the first line that says so, and stays: what is in doubt is replaced. `refused_topics` are
    those that this client may not write. The client calls `log` only while it is polled.
    """

    def __init__(
        self,
        target: logging.Logger,
        least_level: int,
        connections: Connections = OWN_CONNECTIONS,
        clock: Clock | None = None,
    ) -> None:
        """Lines below the level, one of Python's, are only looked at."""
        self.doubt = ""
        self.refused_topics: set[str] = set()
        self._target = target
        self._least_level = least_level
        self._connections = connections
        self._clock = clock or SystemClock()

    def log(self, level: int, template: str, facility: str, client: str, line: str) -> None:
        """Take a line, as confluent-kafka hands it over."""
        if not self.doubt and leaves_doubt(facility, line):
            self.doubt = line
        now = self._clock.monotonic()
        self._connections.note(facility, client, line, now)
        if level < self._least_level:
            return
        if refused := _REFUSED_TOPIC.search(line):
            self.refused_topics.add(refused[1])
        self._target.log(min(level, self._level(facility, line, now)), template, facility, client, line)

    def _level(self, facility: str, line: str, now: float) -> int:
        """The highest level at which this is worth a line of its own."""
        disturbed = facility == _SESSION_OVER and self._connections.is_disturbed(now)
        return (
            logging.DEBUG if facility in _PASSING or disturbed or _GOES_ON.search(line) else logging.CRITICAL
        )


def leaves_doubt(facility: str, line: str) -> bool:
    """Whether this line means that a request which was sent may not have been answered."""
    if facility == _TIMED_OUT:
        return True
    if facility != _FAILED or _INTRODUCED.search(line):
        return False
    states = _STATE.findall(line)
    return not states or states[-1] not in _UNCONNECTED


def least_level(log_level: int | None, *, debugs: bool) -> int:
    """What passes if `log_level`, one of the client's, and debugging are what an operator has asked for."""
    if debugs:
        return logging.DEBUG
    return logging.INFO if log_level is None else _LEVELS[log_level]

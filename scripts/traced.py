"""Follow records and commits through a loop of the service, which runs in a thread of this process.

It is that of `topologies.alerts_stateful` as one sub-topology, as a worker builds it, on the embedded broker.
Every call of a function of ours is noted while rounds of records come in; lambdas, comprehensions and nested
generators belong to the function around them. Where a thread is, calls of the Kafka client and of the
application say: no name of ours decides what counts, so that everything may move.
"""

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

from confluent_kafka import Consumer, Producer

import wallaroo
from scripts.ways import Call, Function, Mark, Stack, Ways, ways
from wallaroo.demo.embedded import embedded_broker
from wallaroo.kafka.clients import admin_client
from wallaroo.kafka.topics import ensure_topics

# All that is known here of the package's inside; used in `trace_ways` and `_new_loop` only.
from wallaroo.service.application import load
from wallaroo.service.assemble import WorkerContext, build_loops
from wallaroo.service.protocol import WorkerSpec
from wallaroo.settings import Settings

PACKAGE = Path(wallaroo.__file__).parent
APPLICATION = "topologies.alerts_stateful"

_OURS = f"{PACKAGE}/"
_APPLICATIONS = f"{Path(__file__).parents[1] / 'topologies'}/"
_INPUT, _OUTPUT = "transactions", "figures-output"
_ROUNDS = 6
_RECORDS = 5
# A commit waits so long after the last one, so that there are turns with records that start none.
_LINGER_MS = 500
_SETTLE_SECONDS = 0.1
# Longer than the second in which a loop looks after everything else.
_IDLE_SECONDS = 2.5
_LONGEST_SECONDS = 60.0


class Runnable(Protocol):
    """A loop of the service."""

    def run(self) -> None: ...
    def stop(self) -> None: ...


def trace_ways() -> Ways:
    """Run a loop and follow records and commits through it; takes some seconds."""
    trace = Trace()
    with embedded_broker() as broker:
        loop = _new_loop(broker)
        thread = threading.Thread(target=loop.run, name="traced loop", daemon=True)
        threading.setprofile(trace.profile)
        try:
            thread.start()
            _drive(trace, thread, broker)
        finally:
            loop.stop()
            thread.join(_LONGEST_SECONDS)
            threading.setprofile(None)
    return ways(list(trace.calls.values()))


def _new_loop(broker: str) -> Runnable:
    args = ["figures", "--partitioned-by-user", "--in-topic", _INPUT, "--out-topic", _OUTPUT]
    settings = Settings(
        bootstrap_servers=broker,
        embedded_broker=True,
        group_protocol="consumer",
        consumer={"fetch.wait.max.ms": "20"},
        commit_linger_ms=_LINGER_MS,
        commit_interval_ms=600_000,
    )
    loaded = load(APPLICATION, args, "figures")
    partitions = ensure_topics(admin_client(settings, "figures"), loaded.topology, settings)
    spec = WorkerSpec(0, "figures", APPLICATION, args, "figures", settings, partitions)
    [loop] = build_loops(WorkerContext(spec, loaded))
    return loop


def _drive(trace: "Trace", thread: threading.Thread, broker: str) -> None:
    """Rounds of a few records and a commit, and then nothing for a while."""
    producer = Producer({"bootstrap.servers": broker, "partitioner": "murmur2_random"})
    for commits in range(1, _ROUNDS + 1):
        for _ in range(_RECORDS):
            producer.produce(_INPUT, b'{"user": "rex", "amount": 3000}', b"rex")
        producer.flush(_LONGEST_SECONDS)
        deadline = time.monotonic() + _LONGEST_SECONDS
        while trace.commits < commits:
            if not thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError("the traced loop does not commit; see its error above, if it has ended")
            thread.join(0.01)
        thread.join(_SETTLE_SECONDS)
    trace.idle = True
    thread.join(_IDLE_SECONDS)
    trace.ended = True


@dataclass
class Trace:
    """What each thread calls, in order."""

    commits: int = 0
    idle: bool = False
    ended: bool = False
    calls: dict[int, list[Call]] = field(default_factory=dict)

    def profile(self, frame: FrameType, event: str, arg: Any) -> None:
        """For `threading.setprofile`."""
        if self.ended:
            return
        file = frame.f_code.co_filename
        if event == "call":
            if file.startswith(_OURS):
                self._note(frame, None)
            elif file.startswith(_APPLICATIONS):
                self._note(frame, Mark.APPLICATION)
        elif event in ("c_call", "c_return"):
            mark = _mark(arg, before=event == "c_call")
            if mark is not None:
                self._note(frame, mark)
                self.commits += mark is Mark.COMMITTED

    def _note(self, frame: FrameType, mark: Mark | None) -> None:
        call = Call(mark, _stack(frame), self.idle)
        self.calls.setdefault(threading.get_ident(), []).append(call)


def _mark(called: Any, *, before: bool) -> Mark | None:
    match getattr(called, "__self__", None), called.__name__, before:
        case Consumer(), "consume" | "poll", _:
            return Mark.POLL if before else Mark.POLLED
        case Consumer(), "consumer_group_metadata", True:
            return Mark.METADATA
        case Producer(), "begin_transaction", True:
            return Mark.BEGIN
        case Producer(), "commit_transaction", False:
            return Mark.COMMITTED
        case list() as appended, "append" | "extend", False if _OUTPUT in repr(appended[-1:]):
            return Mark.OUTPUT
    return None


def _stack(frame: FrameType | None) -> Stack:
    """The functions of ours, outermost first."""
    found: list[Function] = []
    while frame is not None:
        code = frame.f_code
        if code.co_filename.startswith(_OURS):
            found.append(Function(code.co_filename.removeprefix(_OURS), _named(code.co_qualname)))
        frame = frame.f_back
    return tuple(reversed(found))


def _named(qualified: str) -> str:
    """The function around a lambda, comprehension or generator expression."""
    while qualified.endswith(">") and ".<locals>." in qualified:
        qualified = qualified.rpartition(".<locals>.")[0]
    return qualified

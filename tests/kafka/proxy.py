"""A proxy between clients and a broker that holds requests back, resets connections, and delivers late.

What it imitates: a request is on its way when its connection breaks. The client opens another connection and
sends the request once more. The first one still arrives, at a moment of its own.
"""

import random
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

_ANSWER_SECONDS = 10.0
# With these, closing a socket sends a reset at once, whatever is still to be sent.
_RESET = struct.pack("ii", 1, 0)


class Api(IntEnum):
    """Keys of Kafka's requests, as far as the tests name them."""

    PRODUCE = 0
    INIT_PRODUCER_ID = 22
    ADD_PARTITIONS_TO_TXN = 24
    ADD_OFFSETS_TO_TXN = 25
    END_TXN = 26
    TXN_OFFSET_COMMIT = 28


@dataclass(frozen=True, slots=True)
class Request:
    """A request as the client sent it, without the length before it; `number` counts those of its kind."""

    api: int
    version: int
    correlation: int
    client: str
    frame: bytes
    number: int = 0

    @property
    def commits(self) -> bool:
        """Of EndTxn up to version 2: whether the transaction is to be committed."""
        return self.frame[-1] == 1


class Plan(Protocol):
    """What goes wrong. Both are called for one request after the other, whatever the connection."""

    def holds(self, request: Request) -> bool:
        """Whether to keep this request and reset its connection."""

    def on_answer(self, request: Request, deliver: Callable[[Request], None]) -> None:
        """Called when the broker has answered this request and the client does not know it yet."""


class Nothing:
    """The plan of a quiet network."""

    def holds(self, _request: Request) -> bool:
        return False

    def on_answer(self, _request: Request, _deliver: Callable[[Request], None]) -> None:
        return


class LateOnce:
    """Hold back one request, and deliver it when the broker has answered a later one of the same client."""

    def __init__(self, held: Callable[[Request], bool], place: Api, skip: int = 2) -> None:
        """The first `skip` requests that `held` names pass, and so does the first `place` of the retry."""
        self.delivered = threading.Event()
        self._held = held
        self._place = place
        self._skip = skip
        self._kept: Request | None = None
        self._ended = False

    def holds(self, request: Request) -> bool:
        if self._kept is not None or not self._held(request):
            return False
        self._skip -= 1
        if self._skip >= 0:
            return False
        self._kept = request
        return True

    def on_answer(self, request: Request, deliver: Callable[[Request], None]) -> None:
        kept = self._kept
        if kept is None or request.client != kept.client or self.delivered.is_set():
            return
        if self._ended and request.api == self._place:
            self.delivered.set()
            deliver(kept)
        elif request.api == Api.END_TXN:
            # The transaction of the request that is held is over: from now on it is late.
            self._ended = True


class RandomResets:
    """Reset connections at random, and deliver what was on its way some milliseconds after its repetition."""

    def __init__(
        self,
        rng: random.Random,
        share: float,
        most: int,
        apis: Sequence[Api] = (Api.END_TXN, Api.TXN_OFFSET_COMMIT, Api.ADD_PARTITIONS_TO_TXN),
        delay_seconds: tuple[float, float] = (0.004, 0.06),
    ) -> None:
        self.resets = 0
        self._rng = rng
        self._share = share
        self._most = most
        self._apis = apis
        self._delay = delay_seconds
        self._held: list[Request] = []

    def holds(self, request: Request) -> bool:
        if request.api not in self._apis or self.resets >= self._most or self._rng.random() >= self._share:
            return False
        self.resets += 1
        self._held.append(request)
        return True

    def on_answer(self, request: Request, deliver: Callable[[Request], None]) -> None:
        late = [held for held in self._held if self._is_repeated(held, request)]
        for held in late:
            self._held.remove(held)
            timer = threading.Timer(self._rng.uniform(*self._delay), deliver, [held])
            timer.daemon = True
            timer.start()

    def _is_repeated(self, held: Request, request: Request) -> bool:
        return request.client == held.client and request.api in (held.api, Api.END_TXN)


class FaultyProxy:
    """Listens on a port of its own and passes on to `upstream`; `plan` may be replaced at any time.

    While `requests_pass` or `answers_pass` is cleared, nothing goes in that direction.
    """

    def __init__(self, port: int, upstream: int) -> None:
        self.plan: Plan = Nothing()
        self.seen: Counter[tuple[str, int]] = Counter()
        self.versions: dict[int, int] = {}
        self.answers: list[tuple[Request, bytes]] = []
        self.requests_pass, self.answers_pass = threading.Event(), threading.Event()
        self.requests_pass.set()
        self.answers_pass.set()
        self._upstream = upstream
        self._lock = threading.RLock()
        self._connections: set[_Connection] = set()
        self._listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def quiet(self) -> None:
        """From now on nothing goes wrong."""
        self.plan = Nothing()
        self.requests_pass.set()
        self.answers_pass.set()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in list(self._connections):
            connection.reset()

    def reset_all(self, client: str = "") -> int:
        """Reset the connections of the clients whose id begins so; returns how many."""
        found = [c for c in list(self._connections) if c.client is not None and c.client.startswith(client)]
        for connection in found:
            connection.reset()
        return len(found)

    def swallow(self, is_chosen: Callable[[str], bool]) -> int:
        """From now on nothing passes, and nothing ends, on the connections of clients with such an id."""
        found = [c for c in list(self._connections) if c.client is not None and is_chosen(c.client)]
        for connection in found:
            connection.is_swallowed.set()
        return len(found)

    def deliver(self, request: Request) -> None:
        """Hand a held request to the broker over a connection of its own, and wait for the answer."""
        with socket.create_connection(("127.0.0.1", self._upstream), _ANSWER_SECONDS) as late:
            late.sendall(_framed(request.frame))
            answer = next(_frames(late), b"")
        with self._lock:
            self.answers.append((request, answer))

    def admit(self, request: Request) -> Request | None:
        """The request with its number; None if it is held."""
        with self._lock:
            self.seen[request.client, request.api] += 1
            self.versions[request.api] = request.version
            return None if self.plan.holds(request) else request

    def answered(self, request: Request) -> None:
        with self._lock:
            plan = self.plan
        plan.on_answer(request, self.deliver)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                try:
                    upstream = socket.create_connection(("127.0.0.1", self._upstream), _ANSWER_SECONDS)
                except OSError:
                    client.close()
                    continue
                upstream.settimeout(None)
                upstream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection = _Connection(self, client, upstream)
                self._connections.add(connection)
                connection.start(self._connections.discard)


class _Connection:
    """One connection of a client, and the one to the broker that belongs to it."""

    def __init__(self, proxy: FaultyProxy, client: socket.socket, upstream: socket.socket) -> None:
        self.client: str | None = None
        self._proxy = proxy
        self._client = client
        self._upstream = upstream
        self._unanswered: dict[int, Request] = {}
        # As a broker does, the proxy takes the next request of a connection when the one before is answered.
        # So a plan that delivers something on an answer does so between two requests, and not beside them.
        self._next = threading.Semaphore()
        self.is_swallowed = threading.Event()

    def start(self, done: Callable[["_Connection"], None]) -> None:
        def run(pump: Callable[[], None]) -> None:
            with suppress(OSError):
                pump()
            self.reset()
            done(self)

        for pump in (self._requests, self._answers):
            threading.Thread(target=run, args=[pump], daemon=True).start()

    def reset(self) -> None:
        with suppress(OSError):
            self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        for end in (self._client, self._upstream):
            # A thread that reads holds the socket open: shutting it down wakes it. Towards the client for
            # reading alone, so that it gets no end but the reset.
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR if end is self._upstream else socket.SHUT_RD)
            end.close()
        self._next.release()

    def _requests(self) -> None:
        for frame in _frames(self._client):
            self._next.acquire()
            request = _parsed(frame)
            self.client = request.client
            if self._proxy.admit(request) is None:
                return
            self._proxy.requests_pass.wait()
            if self.is_swallowed.is_set():
                self._next.release()
                continue
            self._unanswered[request.correlation] = request
            self._upstream.sendall(_framed(frame))

    def _answers(self) -> None:
        for frame in _frames(self._upstream):
            request = self._unanswered.pop(struct.unpack_from(">i", frame)[0], None)
            if request is not None:
                self._proxy.answered(request)
            self._next.release()
            self._proxy.answers_pass.wait()
            if self.is_swallowed.is_set():
                continue
            self._client.sendall(_framed(frame))


def _parsed(frame: bytes) -> Request:
    api, version, correlation, length = struct.unpack_from(">hhih", frame)
    client = frame[10 : 10 + max(0, length)].decode()
    return Request(api, version, correlation, client, frame)


def _framed(frame: bytes) -> bytes:
    return struct.pack(">i", len(frame)) + frame


def _frames(source: socket.socket) -> Iterator[bytes]:
    while header := _exactly(source, 4):
        frame = _exactly(source, struct.unpack(">i", header)[0])
        if not frame:
            return
        yield frame


def _exactly(source: socket.socket, size: int) -> bytes:
    """That many bytes; none if the connection has ended before."""
    parts = []
    while size:
        part = source.recv(min(size, 262_144))
        if not part:
            return b""
        parts.append(part)
        size -= len(part)
    return b"".join(parts)

"""Questions: what a supervisor asks one worker over a pipe, by several threads at once.

Rules for whoever edits this file:
1. Nobody who asks waits for another one: a question is written at once, and its answer comes as a future.
2. Answers come in the order of the questions. A thread reads them, until the pipe is closed.
3. Writing must not block: to a worker that stands still only as much is written as its pipe holds.
4. A future always gets a result: None, once there will be no answer.
5. A worker's exit reason is no answer; it is there once `await_end` returns.
"""

import threading
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import TypeAlias

from wallaroo.service.protocol import ExitReason, Reply, Request, StateRequest

# Together far less than a socket holds.
_MOST_UNANSWERED = 64
_MOST_UNANSWERED_BYTES = 65_536

Answer: TypeAlias = "Future[Reply | None]"


class Questions:
    """The questions to one process of a worker, from its start to its end."""

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._unanswered: deque[tuple[Answer, int]] = deque()
        self._unanswered_bytes = 0
        self._ended = False
        self.exit_reason = ""
        self._reader = threading.Thread(target=self._read, name=f"{name} answers", daemon=True)
        self._reader.start()

    def ask(self, request: Request) -> Answer:
        """The answer, as soon as it comes; None where there will be none."""
        answer: Answer = Future()
        size = len(request.key) if isinstance(request, StateRequest) else 0
        with self._lock:
            if self._ended or self._is_full(size):
                answer.set_result(None)
                return answer
            self._unanswered.append((answer, size))
            self._unanswered_bytes += size
            # If the process has ended, the reader notices it too, and gives up what is unanswered.
            with suppress(OSError):
                self._connection.send(request)
        return answer

    def _is_full(self, size: int) -> bool:
        many = len(self._unanswered) >= _MOST_UNANSWERED
        return many or (bool(self._unanswered) and self._unanswered_bytes + size > _MOST_UNANSWERED_BYTES)

    def _read(self) -> None:
        try:
            while True:
                reply: Reply | ExitReason = self._connection.recv()
                if isinstance(reply, ExitReason):
                    self.exit_reason = reply.text
                    continue
                with self._lock:
                    if self._ended:
                        break
                    answer, size = self._unanswered.popleft()
                    self._unanswered_bytes -= size
                answer.set_result(reply)
        except (OSError, EOFError):
            pass
        self.end()
        self._connection.close()

    def await_end(self, seconds: float) -> None:
        """Wait until everything has been read that a process, which has ended, has left in the pipe."""
        self._reader.join(seconds)

    def end(self) -> None:
        """There will be no more answers."""
        with self._lock:
            self._ended = True
            given_up = [answer for answer, _ in self._unanswered]
            self._unanswered.clear()
        for answer in given_up:
            answer.set_result(None)

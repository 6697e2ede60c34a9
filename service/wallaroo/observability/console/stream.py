"""The stream of the console: server-sent events, a second apart, for as long as somebody reads them.

Rules for whoever edits this file:
1. It runs in the loop of all pages: what may wait for others is asked in a thread, and sent when it is there.
2. It ends when the service does, which would wait for it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

IS_STOPPING = "wallaroo.is_stopping"
"""Where a request has what says whether the service is about to end."""

_EVERY_SECONDS = 1.0
# Less than the service waits for its answers when it ends.
_LOOK_SECONDS = 0.25
_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}


def stream(request: Request, snapshot: Callable[[], bytes], instances: Callable[[], bytes]) -> Response:
    """The answer that goes on: a `snapshot` each second, which never waits, and `instances` that change."""
    is_stopping = request.scope.get(IS_STOPPING, lambda: False)
    return StreamingResponse(
        _events(is_stopping, snapshot, instances), headers=_HEADERS, media_type="text/event-stream"
    )


async def _events(
    is_stopping: Callable[[], bool], snapshot: Callable[[], bytes], instances: Callable[[], bytes]
) -> AsyncIterator[bytes]:
    told = b""
    asked = asyncio.ensure_future(run_in_threadpool(instances))
    while not is_stopping():
        yield _event(b"snapshot", snapshot())
        if asked.done():
            if asked.result() != told:
                told = asked.result()
                yield _event(b"instances", told)
            asked = asyncio.ensure_future(run_in_threadpool(instances))
        await _pause(is_stopping)


async def _pause(is_stopping: Callable[[], bool]) -> None:
    left = _EVERY_SECONDS
    while left > 0 and not is_stopping():
        await asyncio.sleep(_LOOK_SECONDS)
        left -= _LOOK_SECONDS


def _event(name: bytes, data: bytes) -> bytes:
    """Data without a line feed, as JSON is written here."""
    return b"event: " + name + b"\ndata: " + data + b"\n\n"

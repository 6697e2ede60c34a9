"""HttpServer on a real port."""

from __future__ import annotations

import asyncio
import threading

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from wallaroo.errors import SettingsError
from wallaroo.observability.console.stream import IS_STOPPING
from wallaroo.observability.server import HttpServer

APP = Starlette(routes=[Route("/", lambda _: PlainTextResponse(threading.current_thread().name))])


@pytest.fixture(scope="module")
def server():
    running = HttpServer(APP, "127.0.0.1", 0)
    running.start()
    yield running
    running.stop()


def test_port_0_takes_a_free_port_that_answers_from_the_moment_start_returns(server):
    response = httpx.get(f"http://127.0.0.1:{server.port}/")
    assert response.status_code == 200
    assert server.port != 0


def test_requests_are_answered_outside_the_main_thread(server):
    assert httpx.get(f"http://127.0.0.1:{server.port}/").text != threading.main_thread().name


def test_a_taken_port_is_an_error_that_names_the_setting(server):
    with pytest.raises(SettingsError, match="WALLAROO_HTTP_PORT") as caught:
        HttpServer(APP, "127.0.0.1", server.port).start()
    assert f"http_port: cannot listen on 127.0.0.1:{server.port}" in str(caught.value)
    assert "address already in use" in str(caught.value).lower()
    assert isinstance(caught.value.__cause__, OSError)


def test_a_stopped_server_gives_its_port_back():
    first = HttpServer(APP, "127.0.0.1", 0)
    first.start()
    first.stop()
    second = HttpServer(APP, "127.0.0.1", first.port)
    second.start()
    answer = httpx.get(f"http://127.0.0.1:{second.port}/")
    second.stop()
    assert answer.status_code == 200
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{second.port}/")


def test_stopping_twice_or_before_the_start_does_nothing():
    server = HttpServer(APP, "127.0.0.1", 0)
    server.stop()
    server.start()
    server.stop()
    server.stop()


def test_an_answer_that_goes_on_is_told_when_the_server_stops():
    async def forever(scope, _receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        while not scope[IS_STOPPING]():
            await asyncio.sleep(0.01)
        await send({"type": "http.response.body", "body": b" ended"})

    running = HttpServer(forever, "127.0.0.1", 0)
    running.start()
    with httpx.stream("GET", f"http://127.0.0.1:{running.port}/", timeout=60) as answer:
        parts = answer.iter_text()
        assert next(parts) == "begun"
        running.stop()
        assert "".join(parts) == " ended"

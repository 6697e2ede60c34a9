"""Whatever a client sends is answered on a real port, and never by a traceback."""

from __future__ import annotations

import logging
import socket

import pytest

from wallaroo.observability.answers import NoSuchKey, NoSuchStage, StateAnswer
from wallaroo.observability.exposition import SnapshotCollector
from wallaroo.observability.health import HealthReport
from wallaroo.observability.http import PageSources, build_app
from wallaroo.observability.server import HttpServer

COLLECTOR = SnapshotCollector(application="alerts", version="0.1.0", librdkafka="2.16.1")


def state(stage: str, _key: bytes) -> StateAnswer:
    return NoSuchKey() if stage == "add" else NoSuchStage(("add",))


@pytest.fixture(scope="module")
def server():
    pages = PageSources(COLLECTOR.render, lambda: HealthReport(True), lambda: HealthReport(True), str, state)
    running = HttpServer(build_app(pages), "127.0.0.1", 0)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def ask(server, caplog):
    """A function that sends bytes and returns the status and what follows it."""

    def status_and_text(request: bytes) -> tuple[int, str]:
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
            connection.sendall(request)
            answer = b"".join(iter(lambda: connection.recv(65_536), b""))
        return int(answer.split()[1]), answer.decode("utf-8", "replace")

    yield status_and_text
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def request(path: bytes, method: bytes = b"GET", *headers: bytes) -> bytes:
    given = headers if any(header.startswith(b"Host") for header in headers) else (b"Host: x", *headers)
    return b"\r\n".join([method + b" " + path + b" HTTP/1.1", *given, b"Connection: close", b"", b""])


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (b"/state/add/a", "has no state for key 'a'"),
        (b"/state/add/a%0Ab", r"has no state for key 'a\\nb'"),
        (b"/state/add/%0A", r"has no state for key '\\n'"),
        (b"/state/add/a/b", "has no state for key 'a/b'"),
        (b"/state/add/a%2Fb", "has no state for key 'a/b'"),
        (b"/state/add//", "has no state for key '/'"),
        (b"/state/add/", "has no state for key ''"),
        (b"/state/add/..", "has no state for key '..'"),
        (b"/state/add/%", "has no state for key '%'"),
        (b"/state/add/%zz%2", "has no state for key '%zz%2'"),
        (b"/state/add/%2525", "has no state for key '%25'"),
        (b"/state/add/%ff%00", "has no state for key"),
        (b"/state/add/%ED%A0%80", "has no state for key"),
        (b"/state/add/" + b"k" * 10_000, "has no state for key"),
        (b"/state/add/a?own=1&x=%ff", "has no state for key 'a'"),
        (b"/state/%00/a", "no stage"),
        (b"/state/../a", "no stage '..'"),
        (b"/state/%E5%90%88%E8%A8%88/a", "no stage '合計'"),
        (b"/state/%ff/a", "no stage"),
        (b"/state/%0A/a", "no stage"),
        (b"/state//a", "no stage ''"),
        (b"/state/add%2Fa/b", "no stage 'add/a'"),
        (b"/state%2Fadd/a", "endpoints"),
        (b"/state%2Fadd%2Fa", "endpoints"),
        (b"/state/add", "endpoints"),
        (b"/state/add%2Fa", "endpoints"),
        (b"/state/", "endpoints"),
        (b"/state", "endpoints"),
        (b"/%73tate/add/a", "endpoints"),
        (b"//state/add/a", "endpoints"),
        (b"/metrics/", "endpoints"),
        (b"/no%0Asuch%00page", "endpoints"),
        (b"/%ff%ED%A0%80", "endpoints"),
        (b"http://[/metrics", "endpoints"),
        (b"*", "endpoints"),
    ],
)
def test_a_path_that_leads_nowhere_is_404_and_a_text(ask, path, text):
    status, answer = ask(request(path))
    assert (status, text in answer) == (404, True)


@pytest.mark.parametrize(
    "path", [b"/metrics?x=%ff&&=", b"/healthz?", b"/readyz?%00", b"/topology?format=json&format=%"]
)
def test_a_query_that_means_nothing_is_passed_over_or_refused(ask, path):
    assert ask(request(path))[0] in (200, 400)


@pytest.mark.parametrize(
    "accept",
    [
        b"application/openmetrics-text; version=x.y",
        b"application/openmetrics-text; version=1.0.0; escaping=\xff",
        b"text/plain; version=-1.0,,;;=",
        b"a" * 10_000,
    ],
)
def test_metrics_are_shown_whatever_is_accepted(ask, accept):
    assert ask(request(b"/metrics", b"GET", b"Accept: " + accept))[0] == 200


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"DELETE", b"OPTIONS", b"TRACE", b"STATE"])
def test_another_method_is_405_on_every_page(ask, method):
    statuses = [ask(request(path, method))[0] for path in (b"/", b"/metrics", b"/readyz", b"/state/add/a")]
    assert statuses == [405] * 4


def test_a_head_request_is_answered_like_a_get_without_a_body(ask):
    assert ask(request(b"/metrics", b"HEAD"))[1].endswith("\r\n\r\n")
    assert ask(request(b"/state/add/a", b"HEAD"))[0] == 404


@pytest.mark.parametrize("host", [b"Host: [", b"Host: [::1", b"Host: a b", b"Host: \xff", b"Host:"])
def test_a_host_that_is_none_changes_nothing(ask, host):
    assert [ask(request(path, b"GET", host))[0] for path in (b"/healthz", b"/nowhere", b"/metrics/")] == [
        200,
        404,
        404,
    ]


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /metrics HTTP/1.1\r\n" + b"X: " + b"y" * 100_000 + b"\r\n\r\n",
        b"GET /state/add/" + b"k" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"\r\n\r\n\r\n\r\nnothing\r\n\r\n",
    ],
)
def test_what_is_no_request_or_too_large_is_400(ask, sent):
    assert ask(sent + b"\r\n\r\n")[0] in (400, 431)

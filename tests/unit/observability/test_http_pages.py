"""The pages, asked without a network."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import httpx
import pytest

from wallaroo.observability.answers import (
    NoSuchKey,
    NoSuchStage,
    StateFound,
    StateHidden,
    StateUnavailable,
)
from wallaroo.observability.health import HealthReport
from wallaroo.observability.http import ENDPOINTS, PageSources, build_app

SOURCES = PageSources(
    metrics=lambda accept: (f"text/plain; asked={accept}", b"wallaroo_build_info 1\n"),
    health=lambda: HealthReport(True),
    readiness=lambda: HealthReport(True),
    topology=lambda wanted: f'"{wanted}"',
    state=lambda _stage, key: StateFound(partition=2, worker=1, value=key),
)


def get(path: str, accept: str = "*/*", method: str = "GET", **changes: object) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(build_app(replace(SOURCES, **changes)))
        async with httpx.AsyncClient(transport=transport, base_url="http://wallaroo") as client:
            return await client.request(method, path, headers={"accept": accept})

    return asyncio.run(ask())


def test_the_first_page_lists_the_endpoints():
    response = get("/")
    assert response.headers["content-type"].startswith("text/plain")
    assert [line.split()[0] for line in response.text.splitlines()] == list(ENDPOINTS)


def test_metrics_come_with_the_content_type_that_the_accept_header_chose():
    response = get("/metrics", accept="text/plain;version=0.0.4")
    assert response.headers["content-type"] == "text/plain; asked=text/plain;version=0.0.4"
    assert response.text == "wallaroo_build_info 1\n"


@pytest.mark.parametrize(
    ("path", "source", "good", "bad"),
    [("/healthz", "health", "healthy", "not healthy"), ("/readyz", "readiness", "ready", "not ready")],
)
def test_a_verdict_is_200_or_503_with_its_reasons(path, source, good, bad):
    fine = get(path, **{source: lambda: HealthReport(True)})
    ill = get(path, **{source: lambda: HealthReport(False, ("worker 1 is not running",))})
    assert (fine.status_code, fine.json()) == (200, {"status": good, "reasons": []})
    assert (ill.status_code, ill.json()) == (503, {"status": bad, "reasons": ["worker 1 is not running"]})


@pytest.mark.parametrize(
    ("path", "accept", "wanted", "content_type"),
    [
        ("/topology", "*/*", "json", "application/json"),
        ("/topology", "text/html,*/*", "json", "application/json"),
        ("/topology", "text/plain", "text", "text/plain; charset=utf-8"),
        ("/topology?format=text", "application/json", "text", "text/plain; charset=utf-8"),
        ("/topology?format=mermaid", "*/*", "mermaid", "text/plain; charset=utf-8"),
        ("/topology?format=json", "text/plain", "json", "application/json"),
    ],
)
def test_the_topology_comes_in_the_format_asked_for(path, accept, wanted, content_type):
    response = get(path, accept)
    assert response.text == f'"{wanted}"'
    assert response.headers["content-type"] == content_type


def test_an_unknown_format_is_refused_with_those_there_are():
    response = get("/topology?format=yaml")
    assert response.status_code == 400
    assert response.json() == {"error": "no format 'yaml'; the formats are json, text, mermaid"}


def test_a_state_is_shown_with_where_it_lives():
    response = get(
        "/state/totals/rex", state=lambda *_: StateFound(partition=2, worker=1, value={"total": 5})
    )
    assert response.status_code == 200
    assert response.json() == {
        "stage": "totals",
        "key": "rex",
        "partition": 2,
        "worker": 1,
        "value": {"total": 5},
    }


@pytest.mark.parametrize(
    ("path", "stage", "key"),
    [
        ("/state/totals/rex", "totals", b"rex"),
        ("/state/total%20per%20user/rex", "total per user", b"rex"),
        ("/state/totals/%D0%96%D1%83%D1%87%D0%BA%D0%B0", "totals", "Жучка".encode()),
        ("/state/totals/a/b", "totals", b"a/b"),
        ("/state/totals/a%2Fb%3F", "totals", b"a/b?"),
        ("/state/a%2Fb/rex", "a/b", b"rex"),
        ("/state/totals/%FF%00", "totals", b"\xff\x00"),
        ("/state/totals/a+b", "totals", b"a+b"),
        ("/state/totals/rex?pretty=1", "totals", b"rex"),
        ("/state/totals/", "totals", b""),
    ],
)
def test_stage_and_key_are_percent_decoded(path, stage, key):
    asked: list[tuple[str, bytes]] = []

    def state(stage: str, key: bytes) -> NoSuchKey:
        asked.append((stage, key))
        return NoSuchKey()

    get(path, state=state)
    assert asked == [(stage, key)]


@pytest.mark.parametrize(
    ("answer", "status", "error"),
    [
        (NoSuchStage(("totals", "windows")), 404, "no stage 'x' with state; there is totals, windows"),
        (NoSuchStage(()), 404, "no stage 'x' with state; there is none"),
        (NoSuchKey(), 404, "stage 'x' has no state for key 'Rex'"),
        (StateHidden(), 403, "state is not shown; set WALLAROO_EXPOSE_STATE=true"),
        (
            StateUnavailable("partition 2 is being restored; ask again"),
            503,
            "partition 2 is being restored; ask again",
        ),
    ],
)
def test_a_state_that_cannot_be_shown_is_explained(answer, status, error):
    response = get("/state/x/Rex", state=lambda *_: answer)
    assert (response.status_code, response.json()) == (status, {"error": error})


@pytest.mark.parametrize("value", [float("inf"), "\ud800", b"\xff", object(), [10**6000]])
def test_a_value_that_json_cannot_write_is_shown_all_the_same(value):
    response = get("/state/totals/rex", state=lambda *_: StateFound(0, 0, value))
    assert response.status_code == 200
    assert json.loads(response.content)["value"] is not None


def test_an_unknown_path_is_answered_with_the_endpoints():
    response = get("/metric")
    assert response.status_code == 404
    assert response.json() == {"error": "GET /metric: Not Found", "endpoints": list(ENDPOINTS)}


def test_another_method_is_refused_with_those_there_are():
    response = get("/metrics", method="POST")
    assert response.status_code == 405
    assert "GET" in response.headers["allow"]
    assert response.json()["error"] == "POST /metrics: Method Not Allowed"

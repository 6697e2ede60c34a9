"""The HTTP pages of a process group; they ask `PageSources` and decide nothing."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, assert_never, get_args
from urllib.parse import unquote_to_bytes

from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from wallaroo.observability.answers import (
    NoSuchKey,
    NoSuchStage,
    StateAnswer,
    StateFound,
    StateHidden,
    StateUnavailable,
)
from wallaroo.observability.console import files, records
from wallaroo.observability.console.records import ConsoleRecords
from wallaroo.observability.console.stream import stream
from wallaroo.observability.health import HealthReport
from wallaroo.observability.jsonable import to_json
from wallaroo.observability.token import OPEN_PAGES, Access, guarded

TopologyFormat: TypeAlias = Literal["json", "text", "mermaid"]
TOPOLOGY_FORMATS: tuple[TopologyFormat, ...] = get_args(TopologyFormat)

# An instance asks another one about partitions that it owns, and learns from a header whether it is the one.
OWN = "own"
_NOT_KEPT = {"cache-control": "no-store"}
_PARTITIONS = re.compile(r"[0-9]{1,9}(,[0-9]{1,9})*")
INSTANCE = "wallaroo-instance"

ENDPOINTS = {
    "/": "the console, for a browser; this list for everybody else",
    "/metrics": "metrics of all workers, for Prometheus",
    "/healthz": "200 while every worker lives and works, otherwise 503 and the reasons",
    "/readyz": "200 once every worker is assigned, restored and connected, otherwise 503 and the reasons",
    "/topology": "the compiled topology; ?format=json, text or mermaid",
    "/state/{stage}/{key}": "the committed state of one key, where WALLAROO_EXPOSE_STATE=true",
    "/console/snapshot": "what the console shows now, as JSON",
    "/console/stream": "the same once a second, as server-sent events",
    "/console/instances": "the instances of this application, what they own and what they show, as JSON",
    "/console/dead-letters": "the newest dead letters, where WALLAROO_EXPOSE_STATE=true; ?stage= and ?error=",
    "/console/results": "the newest results, where WALLAROO_EXPOSE_STATE=true",
}


@dataclass(frozen=True, slots=True)
class PageSources:
    """Where the pages get their content; each runs in a thread of its own and may block for seconds."""

    metrics: Callable[[str], tuple[str, bytes]]
    """From the Accept header to (content type, body)."""
    health: Callable[[], HealthReport]
    readiness: Callable[[], HealthReport]
    topology: Callable[[TopologyFormat], str]
    state: Callable[[str, bytes], StateAnswer]
    """From the name of a stage and a key."""
    own_state: Callable[[str, bytes, frozenset[int]], StateAnswer] | None = None
    """The same in some partitions of this instance, asked by another one; None if there is no other."""
    instance: str = ""
    """Who answers: the header that tells another instance whether it has asked the right one."""
    console: Callable[[], bytes] = lambda: b"{}"
    """What the console shows now, as JSON; it never waits."""
    instances: Callable[[], bytes] = lambda: b"{}"
    """The instances of the application, as Kafka knows them, and what each says of itself, as JSON."""
    console_records: ConsoleRecords | None = None
    """Dead letters and results; None where they are not shown."""


class _Anything(Convertor[str]):
    """The rest of a path, whatever is in it: starlette's own `path` ends at a line feed."""

    regex = "(?s:.*)"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("anything", _Anything())


_EVERYBODY = Access()


def build_app(sources: PageSources, access: Access = _EVERYBODY) -> ASGIApp:
    """Return the application that serves the endpoints to those who may read them."""

    # Not in a thread of their own, which slow pages could leave none of: these three never wait.
    async def healthy(_: Request) -> Response:
        return _verdict(sources.health(), "healthy", "not healthy")

    async def ready(_: Request) -> Response:
        return _verdict(sources.readiness(), "ready", "not ready")

    async def snapshot(request: Request) -> Response:
        response = Response(sources.console(), headers=_NOT_KEPT, media_type="application/json")
        return _signed(response, sources, access, request)

    def instances(_: Request) -> Response:
        return Response(sources.instances(), headers=_NOT_KEPT, media_type="application/json")

    async def streamed(request: Request) -> Response:
        return stream(request, sources.console, sources.instances)

    routes = [
        Route("/", _index),
        Route("/console/snapshot", snapshot),
        Route("/console/stream", streamed),
        Route("/console/instances", instances),
        *records.routes(sources.console_records, access, lambda status, body: _json(body, status, _NOT_KEPT)),
        Route("/console/{name}", files.file),
        Route("/metrics", lambda request: _metrics(sources, request)),
        Route("/healthz", healthy),
        Route("/readyz", ready),
        Route("/topology", lambda request: _topology(sources, request)),
        Route("/state/{rest:anything}", lambda request: _state(sources, access, request)),
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _refused})
    # To where a redirect leads would be made of the Host header, which may be anything.
    app.router.redirect_slashes = False
    return guarded(app, access, _refusal)


def _index(request: Request) -> Response:
    if "text/html" in request.headers.get("accept", ""):
        return files.page(request)
    text = "".join(f"{path:24}{meaning}\n" for path, meaning in ENDPOINTS.items())
    return PlainTextResponse(text, headers={"vary": "accept"})


def _metrics(sources: PageSources, request: Request) -> Response:
    content_type, body = sources.metrics(request.headers.get("accept", ""))
    return Response(body, headers={"content-type": content_type})


def _verdict(report: HealthReport, good: str, bad: str) -> Response:
    body = {"status": good if report.ok else bad, "reasons": report.reasons}
    return _json(body, 200 if report.ok else 503)


def _topology(sources: PageSources, request: Request) -> Response:
    wanted = request.query_params.get("format") or _accepted_format(request.headers.get("accept", ""))
    for known in TOPOLOGY_FORMATS:
        if wanted == known:
            media_type = "application/json" if known == "json" else "text/plain"
            return Response(sources.topology(known), media_type=media_type)
    return _error(400, f"no format {wanted!r}; the formats are {', '.join(TOPOLOGY_FORMATS)}")


def _accepted_format(accept: str) -> str:
    return "text" if "text/plain" in accept and "json" not in accept else "json"


def _state(sources: PageSources, access: Access, request: Request) -> Response:
    # Of the raw path, because a key may hold %2F, and bytes that are no UTF-8.
    _, page, *parts = request.scope["raw_path"].split(b"/", 3)
    if page != b"state" or len(parts) != 2:  # noqa: PLR2004 - stage and key
        raise HTTPException(
            404, "no such page: a slash in the name of a stage is written %2F, one before the key is not"
        )
    stage, key = unquote_to_bytes(parts[0]).decode("utf-8", "replace"), unquote_to_bytes(parts[1])
    own = request.query_params.get(OWN, "")
    if sources.own_state is not None and _PARTITIONS.fullmatch(own):
        answer = sources.own_state(stage, key, frozenset(map(int, own.split(","))))
    else:
        answer = sources.state(stage, key)
    return _signed(_state_page(answer, stage, key), sources, access, request)


def _signed(response: Response, sources: PageSources, access: Access, request: Request) -> Response:
    """The answer as another instance believes it: it says whose it is."""
    response.headers[INSTANCE] = sources.instance
    signed = access.sign(request.scope, response.status_code, sources.instance, bytes(response.body))
    response.headers.update(signed)
    return response


def _state_page(answer: StateAnswer, stage: str, key: bytes) -> Response:
    match answer:
        case StateFound(partition, worker, value, instance):
            where = {"partition": partition, "worker": worker} | ({"instance": instance} if instance else {})
            return _json({"stage": stage, "key": key, **where, "value": value}, 200)
        case NoSuchStage(stages):
            return _error(404, f"no stage {stage!r} with state; there is {', '.join(stages) or 'none'}")
        case NoSuchKey():
            return _error(
                404, f"stage {stage!r} has no state for key {key.decode('utf-8', 'backslashreplace')!r}"
            )
        case StateHidden():
            return _error(403, "state is not shown; set WALLAROO_EXPOSE_STATE=true")
        case StateUnavailable(reason):
            return _error(503, reason)
        case _:
            assert_never(answer)


def _refused(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    problem = {
        "error": f"{request.method} {request.scope['path']}: {error.detail}",
        "endpoints": list(ENDPOINTS),
    }
    return _json(problem, error.status_code, error.headers)


def _refusal(status: int, message: str) -> Response:
    headers = {"www-authenticate": "Bearer"} if status == 401 else None  # noqa: PLR2004 - unauthorized
    problem = {"error": message, "endpoints": sorted(OPEN_PAGES)}
    return _json(problem, status, headers)


def _error(status: int, message: str) -> Response:
    return _json({"error": message}, status)


def _json(body: object, status: int, headers: Mapping[str, str] | None = None) -> Response:
    # A lone surrogate becomes \udXXX, which is what JSON calls it.
    content = to_json(body).encode("utf-8", "backslashreplace")
    return Response(content, status, headers, media_type="application/json")

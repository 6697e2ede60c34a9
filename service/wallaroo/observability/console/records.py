"""The console's pages that show records, and the one that changes something: who may ask, and how.

Rules for whoever edits this file:
1. They hold keys and contents: they are shown where states are, and never to another instance.
2. What changes something is a POST of JSON. A browser does not send one for the page of another site without
   asking first, and that question nobody answers here.
3. Without a token, a request names this machine and comes from a page of it: a site whose name stands for
   127.0.0.1 is neither. With a token none of that matters, since no browser adds it by itself.
4. Reading takes seconds and threads: only so many at a time.
"""

import ipaddress
import json
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol, TypeAlias, get_args
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from wallaroo.errors import WallarooError
from wallaroo.observability.token import Access

Json: TypeAlias = Mapping[str, Any]
Place: TypeAlias = tuple[int, int]
Verb: TypeAlias = Literal["replay", "drop"]
Answer: TypeAlias = tuple[int, Json]

_PLACE = re.compile(r"(\d{1,9})@(\d{1,18})")
_MOST_PLACES = 1_000
_MOST_BYTES = 65_536
_MOST_AT_A_TIME = 4
_HIDDEN = "dead letters and results are shown where states are; set WALLAROO_EXPOSE_STATE=true"
_OF_PEOPLE = "this page is for people: it takes the token itself"
_NOT_HERE = (
    "without a token this page is only for the machine itself, asked as localhost or 127.0.0.1, and from its "
    "own pages; set WALLAROO_HTTP_TOKEN_FILE, or WALLAROO_HTTP_TOKEN"
)
_ASKS = 'send JSON: {"verb": "replay" or "drop", "places": ["PARTITION@OFFSET", ...]}, at most 1,000 places'
_BUSY = "others are reading just now; ask again in a moment"


class BusyError(WallarooError):
    """Something else is still being done; the text says what."""


class ConsoleRecords(Protocol):
    """Reads and handles dead letters, and reads results; each may take seconds.

    Raises WallarooError, with a text for whoever asked, if Kafka does not answer or refuses.
    """

    def listed(self, stage: str, error: str) -> Json:
        """The newest dead letters of a stage and with a text in their errors; of all if these are empty."""
        ...

    def opened(self, place: Place) -> Json | None:
        """One dead letter with its headers and content; None if there is none at this place."""
        ...

    def planned(self, verb: Verb, places: frozenset[Place]) -> Json:
        """What `begin` would do now."""
        ...

    def begin(self, verb: Verb, places: frozenset[Place]) -> None:
        """Begin to replay or drop these; BusyError while something is being done."""
        ...

    def progress(self) -> Json:
        """How far what was begun last has come."""
        ...

    def results(self) -> Json:
        """The newest records of the topics that the application writes its results to."""
        ...


def routes(
    records: ConsoleRecords | None, access: Access, reply: Callable[[int, Json], Response]
) -> list[Route]:
    """The pages of these records; without any they say why there are none."""
    turns = threading.BoundedSemaphore(_MOST_AT_A_TIME)

    def page(ask: Callable[[ConsoleRecords, Request], Answer]) -> Callable[[Request], Response]:
        def answer(request: Request) -> Response:
            status, why = _refusal(request, access)
            if status or records is None:
                return reply(status or 403, {"error": why or _HIDDEN})
            return reply(*_in_turn(turns, lambda: ask(records, request)))

        return answer

    def asked(ask: Callable[[ConsoleRecords, Verb, frozenset[Place]], Answer]) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            status, why = _refusal(request, access)
            if status or records is None:
                return reply(status or 403, {"error": why or _HIDDEN})
            question = _question(await _body(request))
            if question is None:
                return reply(400, {"error": _ASKS})
            return reply(*await run_in_threadpool(_in_turn, turns, lambda: ask(records, *question)))

        return answer

    at = "/console/dead-letters"
    return [
        Route(at, page(_listed)),
        Route(f"{at}/at/{{place}}", page(_opened)),
        Route(f"{at}/progress", page(lambda records, _: (200, records.progress()))),
        Route(f"{at}/plan", asked(lambda records, *what: (200, records.planned(*what))), methods=["POST"]),
        Route(f"{at}/begin", asked(_begin), methods=["POST"]),
        Route("/console/results", page(lambda records, _: (200, records.results()))),
    ]


def _in_turn(turns: threading.BoundedSemaphore, ask: Callable[[], Answer]) -> Answer:
    if not turns.acquire(blocking=False):
        return 503, {"error": _BUSY}
    try:
        return ask()
    except BusyError as error:
        return 409, {"error": str(error)}
    except WallarooError as error:
        return 503, {"error": str(error)}
    finally:
        turns.release()


def _listed(records: ConsoleRecords, request: Request) -> Answer:
    wanted = request.query_params
    return 200, records.listed(wanted.get("stage", ""), wanted.get("error", ""))


def _opened(records: ConsoleRecords, request: Request) -> Answer:
    places = _places([request.path_params["place"]])
    found = records.opened(places[0]) if places else None
    return (200, found) if found else (404, {"error": "there is no dead letter at this place"})


def _begin(records: ConsoleRecords, verb: Verb, places: frozenset[Place]) -> Answer:
    records.begin(verb, places)
    return 202, records.progress()


def _refusal(request: Request, access: Access) -> tuple[int, str]:
    """Why a request is not answered, with a status; 0 if it is."""
    headers = request.headers
    if "wallaroo.question" in request.scope:
        return 403, _OF_PEOPLE
    if access.token is None and not _is_own(headers.get("host", ""), headers.get("origin")):
        return 403, _NOT_HERE
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.method == "POST" and kind != "application/json":
        return 415, _ASKS
    return 0, ""


def _is_own(host: str, origin: str | None) -> bool:
    """Whether a request names this machine, and comes from one of its pages or from no page."""
    if origin is not None and origin.partition("://")[2] != host:
        return False
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


async def _body(request: Request) -> bytes:
    """The body; empty if it is too long."""
    found = b""
    async for part in request.stream():
        found += part
        if len(found) > _MOST_BYTES:
            return b""
    return found


def _question(body: bytes) -> tuple[Verb, frozenset[Place]] | None:
    """What a body asks for; None if that is nothing."""
    try:
        asked = json.loads(body)
        verb, texts = asked["verb"], asked["places"]
        places = _places(texts)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if verb not in get_args(Verb) or not places or len(places) != len(texts) or len(texts) > _MOST_PLACES:
        return None
    return verb, frozenset(places)


def _places(texts: list[str]) -> list[Place]:
    """Those of the texts that are places."""
    found = map(_PLACE.fullmatch, texts)
    return [(int(each[1]), int(each[2])) for each in found if each]

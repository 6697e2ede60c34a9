"""Ask a page of another instance; a GET without anything that is secret.

Where that instance is, Kafka says, and whoever may join its group can claim: so the question is signed with
the token, which stays here, and the answer believed if it is signed with it, too.
"""

import json
import urllib.error
import urllib.request
from collections.abc import Iterable
from email.message import Message
from hmac import compare_digest
from http import HTTPStatus
from http.client import HTTPException
from typing import Any
from urllib.parse import quote

from wallaroo.observability.answers import NoSuchKey, StateAnswer, StateFound, StateUnavailable
from wallaroo.observability.http import INSTANCE, OWN
from wallaroo.observability.metrics import RESTORE_REMAINING
from wallaroo.observability.token import SIGNATURE, Question, Token

_MOST_BYTES = 64 * 1024 * 1024
_SECONDS = 2.0
_ADVICE = (
    "give all instances the same http_token and clocks that agree, and each the advertised_http at which it "
    "is reached"
)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


# Neither a proxy nor a redirect: the address is that of the instance itself.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())


def ask_instance(
    token: Token | None, url: str, instance: str, stage: str, key: bytes, partitions: Iterable[int]
) -> StateAnswer:
    """The answer of the instance that owns these partitions; it asks nobody else.

    StateUnavailable, with the reason, if it does not answer, or what answers there is not that instance.
    """
    numbers = ",".join(map(str, sorted(partitions)))
    page = f"/state/{quote(stage, safe='')}/{quote(key, safe='')}?{OWN}={numbers}"
    who = f"instance {instance!r} at {url.rstrip('/')}"
    try:
        status, body = _ask(token, url, instance, page)
        return _answer(status, json.loads(body), who, instance)
    except _DisbeliefError as error:
        return StateUnavailable(f"{who} owns the key, but {error}")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        return StateUnavailable(f"{who} owns the key, but its answer cannot be read: {error!r}")


def ask_snapshot(token: Token | None, url: str, instance: str) -> tuple[Any, str]:
    """What the console of another instance shows of itself; None, and why, if it does not say."""
    try:
        status, body = _ask(token, url, instance, "/console/snapshot")
        if status != HTTPStatus.OK:
            return None, f"answers with status {status}"
        return json.loads(body), ""
    except _DisbeliefError as error:
        return None, str(error)
    except (ValueError, RecursionError) as error:
        return None, f"its answer cannot be read: {error!r}"


class _DisbeliefError(Exception):
    """Why there is no answer that can be believed."""


def _ask(token: Token | None, url: str, instance: str, page: str) -> tuple[int, bytes]:
    """Status and body of what an instance answers; _DisbeliefError if it does not, or if another one does."""
    url = url.rstrip("/")
    question = token.question(url, page) if token else None
    try:
        status, headers, body = _get(f"{url}{page}", question, _SECONDS)
    except (OSError, ValueError, HTTPException) as error:
        raise _DisbeliefError(f"does not answer: {getattr(error, 'reason', error)}") from error
    if problem := _disbelief(headers.get(INSTANCE, ""), instance, status):
        raise _DisbeliefError(problem)
    if token and question:
        expected = token.answer(question, status, instance, body)
        if not compare_digest(headers.get(SIGNATURE, "").encode(), expected.encode()):
            raise _DisbeliefError(f"does not sign its answer; {_ADVICE}")
    return status, body


def _disbelief(found: str, instance: str, status: int) -> str:
    """Why an answer is not that of the instance; empty if it may be."""
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN) and not found:
        return f"refuses the question with status {status}; {_ADVICE}"
    if found != instance:
        who = repr(found) if found else "something else"
        return f"{who} answers there; see its setting advertised_http"
    return ""


def ask_progress(url: str, timeout_seconds: float) -> list[str]:
    """What an instance says of itself: whether it is ready, why not, and how much is left to restore."""
    base = url.rstrip("/")
    try:
        _, _, ready = _get(f"{base}/readyz", None, timeout_seconds)
        _, _, metrics = _get(f"{base}/metrics", None, timeout_seconds)
        report = json.loads(ready)
        said = [str(report["status"]), *map(str, report["reasons"])]
    except (OSError, ValueError, KeyError, TypeError, HTTPException) as error:
        return [f"does not answer: {getattr(error, 'reason', error)}"]
    series = [line.rsplit(" ", 1) for line in metrics.decode("utf-8", "replace").splitlines()]
    left = sum(float(value) for name, value in series if name.startswith(f"{RESTORE_REMAINING.name}{{"))
    return [*said, f"{left:,.0f} records to restore"] if left else said


def _get(page: str, question: Question | None, timeout_seconds: float) -> tuple[int, Message, bytes]:
    headers = {"Authorization": question.header} if question else {}
    asked = urllib.request.Request(page, headers=headers)  # noqa: S310 - an http address, see `owner_of`
    try:
        with _opener.open(asked, timeout=timeout_seconds) as answer:
            return answer.status, answer.headers, answer.read(_MOST_BYTES)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read(_MOST_BYTES)


def _answer(status: int, body: Any, who: str, instance: str) -> StateAnswer:
    match status:
        case 200:
            return StateFound(body["partition"], body["worker"], body["value"], instance)
        case 404:
            return NoSuchKey()
        case _:
            return StateUnavailable(f"{who} owns the key, and says: {body['error']}")

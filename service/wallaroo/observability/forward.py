"""Ask the page of another instance for a state; a GET without anything that is secret."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterable
from email.message import Message
from http.client import HTTPException
from typing import Any
from urllib.parse import quote

from wallaroo.observability.answers import NoSuchKey, StateAnswer, StateFound, StateUnavailable
from wallaroo.observability.http import INSTANCE, OWN

_MOST_BYTES = 64 * 1024 * 1024


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


# Neither a proxy nor a redirect: the address is that of the instance itself.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())


def ask_instance(
    url: str, instance: str, stage: str, key: bytes, partitions: Iterable[int], timeout_seconds: float
) -> StateAnswer:
    """The answer of the instance that owns these partitions; it asks nobody else.

    StateUnavailable, with the reason, if it does not answer or another one is found there.
    """
    numbers = ",".join(map(str, sorted(partitions)))
    page = f"{url.rstrip('/')}/state/{quote(stage, safe='')}/{quote(key, safe='')}?{OWN}={numbers}"
    who = f"instance {instance!r} at {url}"
    try:
        status, headers, body = _get(page, timeout_seconds)
    except (OSError, ValueError, HTTPException) as error:
        return StateUnavailable(f"{who} owns the key, but does not answer: {getattr(error, 'reason', error)}")
    found = headers.get(INSTANCE, "")
    if found != instance:
        return StateUnavailable(
            f"{who} owns the key, but {repr(found) if found else 'something else'} answers there; see its "
            "setting advertised_http"
        )
    try:
        return _answer(status, json.loads(body), who, instance)
    except (ValueError, KeyError, TypeError) as error:
        return StateUnavailable(f"{who} owns the key, but its answer cannot be read: {error!r}")


def _get(page: str, timeout_seconds: float) -> tuple[int, Message, bytes]:
    try:
        with _opener.open(page, timeout=timeout_seconds) as answer:
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

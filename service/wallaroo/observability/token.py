"""Who may read the pages: whoever shows the token, and other instances, which prove that they have it.

Rules for whoever edits this file:
1. The token is sent to nobody. Any member of a group can claim to be where an instance is; so a question to
   another instance carries a signature that only whoever has the token can make or check.
2. A signature names the address that is asked, so that who receives a question cannot pass it on, and the
   time, so that it is soon worth nothing. The answer is signed, too: only then is it believed.
3. A comparison takes the same time wherever the two differ.
"""

import hmac
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from starlette.types import ASGIApp, Receive, Scope, Send

from wallaroo.observability.console.files import PATHS
from wallaroo.settings import Settings

# What whoever watches over the service asks for has no state in it.
OPEN_PAGES = frozenset({"/healthz", "/readyz", "/metrics"})
SIGNATURE = "wallaroo-signature"
_SCHEME = "Wallaroo"
_SIGNED = re.compile(rb"Wallaroo (\d{1,16})\.([0-9a-f]{64})", re.IGNORECASE)
# How far the clocks of two instances may be apart.
_AGE_MS = 60_000

_NO_TOKEN = (
    "this page is for those who have the token, and none is set: set WALLAROO_HTTP_TOKEN_FILE, or "
    "WALLAROO_HTTP_TOKEN, and for /state WALLAROO_EXPOSE_STATE=true, or serve HTTP on 127.0.0.1; "
    f"{', '.join(sorted(OPEN_PAGES))} are for everybody"
)
_NO_PROOF = "send the token of the setting http_token with the request: Authorization: Bearer TOKEN"
_WRONG = "that is not the token of the setting http_token; all instances of an application need the same one"
_STALE = "the clocks of two instances are more than a minute apart; set them right"


@dataclass(frozen=True, slots=True)
class Question:
    """What was signed to ask another instance; its answer is signed together with it."""

    header: str
    signature: str


@dataclass(frozen=True, slots=True)
class Token:
    """A secret that all instances of an application share."""

    secret: str = field(repr=False)
    now_ms: Callable[[], int]

    def is_shown_in(self, authorization: bytes) -> bool:
        """Whether a header has it."""
        scheme, _, given = authorization.partition(b" ")
        same = hmac.compare_digest(given.strip(), self.secret.encode())
        return same and scheme.lower() == b"bearer"

    def question(self, url: str, page: str) -> Question:
        """The header by which the instance at `url` knows that a question comes from one of its own kind."""
        now = str(self.now_ms())
        path, _, query = page.partition("?")
        parts = _parts(path.encode(), query.encode())
        signature = self._sign(b"question", now.encode(), url.encode(), *parts)
        return Question(f"{_SCHEME} {now}.{signature}", signature)

    def asked(self, authorization: bytes, url: str, parts: Sequence[bytes]) -> tuple[Question | None, str]:
        """The question that a header signs, asked at `url`, which is where we are; or None, and why not."""
        given = _SIGNED.fullmatch(authorization)
        if given is None:
            return None, _WRONG
        sent, signature = given[1], given[2].decode().lower()
        expected = self._sign(b"question", sent, url.encode(), *parts)
        if not url or not hmac.compare_digest(signature, expected):
            return None, _WRONG
        if abs(self.now_ms() - int(sent)) > _AGE_MS:
            return None, _STALE
        return Question(authorization.decode(), signature), ""

    def answer(self, question: Question, status: int, instance: str, body: bytes) -> str:
        """The signature of an answer."""
        return self._sign(
            b"answer", question.signature.encode(), str(status).encode(), instance.encode(), body
        )

    def _sign(self, *parts: bytes) -> str:
        made = hmac.new(self.secret.encode(), digestmod="sha256")
        for part in parts:
            made.update(b"%d:" % len(part))
            made.update(part)
        return made.hexdigest()


@dataclass(frozen=True, slots=True)
class Access:
    """Who may read: with a token, whoever shows it; without, everybody if `is_local`, else nobody."""

    token: Token | None = None
    is_local: bool = True
    url: str = ""
    """Where other instances reach this one; they sign it."""

    def check(self, scope: Scope) -> tuple[int, str]:
        """0 if this request may be answered, else the status and the text that refuse it."""
        # The console asks for the token itself; its files hold nothing.
        if scope["path"] in OPEN_PAGES or scope["path"] in PATHS:
            return 0, ""
        if self.token is None:
            return (0, "") if self.is_local else (403, _NO_TOKEN)
        shown = [value for name, value in scope["headers"] if name == b"authorization"]
        if not shown:
            return 401, _NO_PROOF
        if self.token.is_shown_in(shown[0]):
            return 0, ""
        question, problem = self.token.asked(
            shown[0], self.url, _parts(scope["raw_path"], scope["query_string"])
        )
        if question is None:
            return 401, problem
        scope["wallaroo.question"] = question
        return 0, ""

    def sign(self, scope: Scope, status: int, instance: str, body: bytes) -> dict[str, str]:
        """The headers by which another instance believes the answer to its question."""
        question = scope.get("wallaroo.question")
        if self.token is None or question is None:
            return {}
        return {SIGNATURE: self.token.answer(question, status, instance, body)}


def access_of(settings: Settings, now_ms: Callable[[], int]) -> Access:
    """Who may read the pages of a service with these settings."""
    secret = settings.http_token
    token = Token(secret.get_secret_value(), now_ms) if secret else None
    return Access(token, settings.http_is_local, (settings.advertised_http or "").rstrip("/"))


def _parts(path: bytes, query: bytes) -> list[bytes]:
    """Stage, key and the rest of what is asked for: a proxy may write percent signs anew."""
    return [*map(unquote_to_bytes, path.split(b"/", 3)), query]


def guarded(app: ASGIApp, access: Access, refuse: Callable[[int, str], ASGIApp]) -> ASGIApp:
    """The application behind the check."""

    async def checked(scope: Scope, receive: Receive, send: Send) -> None:
        status, problem = access.check(scope) if scope["type"] == "http" else (0, "")
        await (refuse(status, problem) if status else app)(scope, receive, send)

    return checked

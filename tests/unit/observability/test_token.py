"""Who may read the pages; and how one instance proves to another that both have the token."""

import asyncio
import json

import httpx
import pytest

from wallaroo.clock import ManualClock
from wallaroo.observability.answers import StateFound, StateUnavailable
from wallaroo.observability.forward import ask_instance, ask_snapshot
from wallaroo.observability.health import HealthReport
from wallaroo.observability.http import PageSources, build_app
from wallaroo.observability.server import HttpServer
from wallaroo.observability.token import SIGNATURE, Access, Token

SECRET = "0123456789abcdef-token"  # noqa: S105 - of these tests
OPEN = ("/healthz", "/readyz", "/metrics", "/", "/console/console.js", "/console/console.css")
GUARDED = (
    "/console/snapshot",
    "/console/instances",
    "/console/",
    "/topology",
    "/state/add/rex",
    "/state/add/rex?own=1",
    "/nothing",
    "/nothing//metrics",
    "/metrics/",
)
FOUND = StateFound(1, 0, {"total": 5}, "i2")
PAGES = PageSources(
    metrics=lambda _: ("text/plain", b""),
    health=lambda: HealthReport(True),
    readiness=lambda: HealthReport(True),
    topology=str,
    state=lambda *_: FOUND,
    own_state=lambda *_: FOUND,
    instance="i2",
)


def token(secret=SECRET, now_ms=1_000_000):
    return Token(secret, ManualClock(now_ms).now_ms)


def get(path, access, *authorization, method="GET"):
    async def ask():
        transport = httpx.ASGITransport(build_app(PAGES, access))
        async with httpx.AsyncClient(transport=transport, base_url="http://wallaroo") as client:
            headers = [("authorization", each) for each in authorization]
            return await client.request(method, path, headers=headers)

    return asyncio.run(ask())


@pytest.mark.parametrize("path", OPEN)
def test_what_watches_over_the_service_and_the_files_of_the_console_need_no_token(path):
    assert get(path, Access(token(), is_local=False)).status_code == 200
    assert get(path, Access(None, is_local=False)).status_code == 200


@pytest.mark.parametrize("path", GUARDED)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_everything_else_needs_it(path, method):
    response = get(path, Access(token()), method=method)
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert "Authorization: Bearer TOKEN" in response.json()["error"]


@pytest.mark.parametrize("path", GUARDED)
def test_where_strangers_may_come_and_there_is_no_token_the_text_says_which_setting_to_give(path):
    response = get(path, Access(None, is_local=False), f"Bearer {SECRET}")
    assert response.status_code == 403
    assert "WALLAROO_HTTP_TOKEN_FILE" in response.json()["error"]
    assert "WALLAROO_EXPOSE_STATE=true" in response.json()["error"]


def test_on_loopback_without_a_token_everybody_may_read():
    assert get("/state/add/rex", Access()).status_code == 200


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_whoever_shows_the_token_may_read(scheme):
    assert get("/state/add/rex", Access(token()), f"{scheme} {SECRET}").json()["value"] == {"total": 5}


@pytest.mark.parametrize(
    "given",
    [
        "Bearer",
        "Bearer ",
        SECRET,
        f"Basic {SECRET}",
        f"Bearer {SECRET}x",
        f"Bearer {SECRET[:-1]}",
        f"Bearer {SECRET.upper()}",
        "Bearer \xff\xfe".encode("latin-1"),
        "Wallaroo 1000000." + 64 * "0",
        "Wallaroo x",
        "Wallaroo 99999999999999999999." + 64 * "0",
    ],
)
def test_whoever_shows_anything_else_may_not(given):
    response = get("/state/add/rex", Access(token(), url="http://h:1"), given)
    assert response.status_code == 401
    assert "the setting http_token" in response.json()["error"]
    assert SECRET not in response.text


def test_the_token_is_not_printed():
    assert SECRET not in repr(Access(token()))


@pytest.fixture
def other():
    """Start an instance i2 with an access, at the address that is returned."""
    servers = []

    def start(access_at):
        # The port is known only once it listens; so the access is made anew then.
        made = {}

        async def app(scope, receive, send):
            await made["app"](scope, receive, send)

        server = HttpServer(app, "127.0.0.1", 0)
        server.start()
        servers.append(server)
        url = f"http://127.0.0.1:{server.port}"
        made["app"] = build_app(PAGES, access_at(url))
        return url

    yield start
    for server in servers:
        server.stop()


def ask(url, asker, key=b"a/\n%\xff?"):
    return ask_instance(asker, url, "i2", "add up/合計", key, {1})


def test_instances_with_the_same_token_answer_each_other(other):
    assert ask(other(lambda url: Access(token(), False, url)), token()) == FOUND


def test_instances_with_the_same_token_show_each_other_what_their_consoles_show(other):
    url = other(lambda url: Access(token(), False, url))
    assert ask_snapshot(token(), url, "i2") == ({}, "")
    shown, problem = ask_snapshot(token("another-token-of-a-stranger"), url, "i2")
    assert shown is None
    assert "give all instances the same http_token" in problem
    assert ask_snapshot(token(), url, "i3")[1].startswith("'i2' answers there")


def test_a_snapshot_that_is_not_signed_is_not_believed(other):
    shown, problem = ask_snapshot(token(), other(lambda _: Access()), "i2")
    assert shown is None
    assert "does not sign its answer" in problem


def test_clocks_may_be_less_than_a_minute_apart(other):
    url = other(lambda url: Access(token(now_ms=1_000_000), False, url))
    assert ask(url, token(now_ms=1_059_000)) == FOUND
    assert ask(url, token(now_ms=941_000)) == FOUND
    assert isinstance(ask(url, token(now_ms=1_061_000)), StateUnavailable)


def test_an_instance_with_another_token_or_none_is_not_answered(other):
    url = other(lambda url: Access(token(), False, url))
    for asker in (token("another-token-of-a-stranger"), None):
        answer = ask(url, asker)
        assert isinstance(answer, StateUnavailable)
        assert "give all instances the same http_token" in answer.reason


def test_an_answer_that_is_not_signed_is_not_believed(other):
    answer = ask(other(lambda _: Access()), token())
    assert isinstance(answer, StateUnavailable)
    assert "does not sign its answer" in answer.reason


class Overhearing:
    """An application that keeps what it is asked, and answers as it is told."""

    def __init__(self, status=404, headers=(), body=b'{"error": "none"}'):
        self.heard = []
        self.status, self.headers, self.body = status, list(headers), body

    async def __call__(self, scope, _receive, send):
        self.heard.append(scope)
        headers = [(b"wallaroo-instance", b"i2"), *self.headers]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


@pytest.fixture
def stranger():
    """Whoever has joined the group and named an address of its own."""
    app = Overhearing()
    server = HttpServer(app, "127.0.0.1", 0)
    server.start()
    yield app, f"http://127.0.0.1:{server.port}"
    server.stop()


def test_a_stranger_who_claims_to_be_an_instance_learns_no_token_and_is_not_believed(stranger):
    app, url = stranger
    answer = ask(url, token())
    [scope] = app.heard
    assert SECRET.encode() not in b"".join(value for _, value in scope["headers"]) + scope["raw_path"]
    assert isinstance(answer, StateUnavailable)
    assert "does not sign its answer" in answer.reason


def test_a_question_that_a_stranger_has_got_opens_no_page_of_another_instance(stranger, other):
    app, url = stranger
    ask(url, token())
    [scope] = app.heard
    [(_, authorization)] = [each for each in scope["headers"] if each[0] == b"authorization"]
    target = other(lambda url: Access(token(), False, url))
    page = scope["raw_path"].decode() + "?" + scope["query_string"].decode()
    passed_on = httpx.get(target + page, headers={"authorization": authorization.decode()})
    assert passed_on.status_code == 401


def test_a_signed_question_opens_the_page_that_it_names_and_no_other():
    access = Access(token(), False, "http://h:1")
    header = token().question("http://h:1", "/state/add/rex?own=1").header
    assert get("/state/add/rex?own=1", access, header).status_code == 200
    for page in (
        "/state/add/rex",
        "/state/add/rexi?own=1",
        "/state/add/rex?own=2",
        "/console/snapshot",
        "/topology",
    ):
        assert get(page, access, header).status_code == 401


def test_a_slash_of_a_stage_is_not_one_before_a_key():
    access = Access(token(), False, "http://h:1")
    header = token().question("http://h:1", "/state/a%2Fb/c?own=1").header
    assert get("/state/a%2fb/c?own=1", access, header).status_code == 200
    assert get("/state/a/b/c?own=1", access, header).status_code == 401
    assert get("/state/a/b%2Fc?own=1", access, header).status_code == 401


def test_an_answer_is_signed_with_all_that_counts():
    access = Access(token(), False, "http://h:1")
    question = token().question("http://h:1", "/state/add/rex?own=1")
    response = get("/state/add/rex?own=1", access, question.header)
    signature = response.headers[SIGNATURE]
    assert signature == token().answer(question, 200, "i2", response.content)
    changed = json.dumps({**response.json(), "value": 6}).encode()
    assert signature != token().answer(question, 200, "i2", changed)
    assert signature != token().answer(question, 404, "i2", response.content)
    assert signature != token().answer(question, 200, "i3", response.content)


def test_an_instance_that_nobody_can_name_takes_no_signed_question():
    header = token().question("", "/state/add/rex?own=1").header
    assert get("/state/add/rex?own=1", Access(token(), False, ""), header).status_code == 401


def test_without_a_token_on_loopback_nothing_is_signed(other):
    assert ask(other(lambda _: Access()), None) == FOUND
    assert SIGNATURE not in get("/state/add/rex", Access()).headers

"""The console's page and its files, as a browser and as others get them."""

import asyncio
import re
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from tests.unit.observability.test_http_pages import SOURCES
from wallaroo.observability.console import files
from wallaroo.observability.http import ENDPOINTS, build_app

STATIC = Path(files.__file__).parent / "static"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


def get(path, accept=BROWSER, headers=(), **changes):
    async def ask():
        transport = httpx.ASGITransport(build_app(replace(SOURCES, **changes)))
        async with httpx.AsyncClient(transport=transport, base_url="http://wallaroo") as client:
            return await client.get(path, headers={"accept": accept, **dict(headers)})

    return asyncio.run(ask())


def test_a_browser_gets_the_console_at_the_root():
    response = get("/")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert 'src="console/console.js"' in response.text


@pytest.mark.parametrize("accept", ["*/*", "text/plain", "application/json"])
def test_everybody_else_gets_the_list_of_pages_at_the_root(accept):
    response = get("/", accept=accept)
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert [line.split()[0] for line in response.text.splitlines()] == list(ENDPOINTS)


@pytest.mark.parametrize("path", sorted(files.PATHS))
def test_every_file_may_load_nothing_but_what_this_service_serves(path):
    headers = get(path).headers
    policy = dict(rule.split(" ", 1) for rule in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("path", sorted(files.PATHS))
def test_a_file_that_has_not_changed_is_not_sent_again(path):
    first = get(path)
    again = get(path, headers={"if-none-match": first.headers["etag"]})
    other = get(path, headers={"if-none-match": '"another"'})
    assert (first.status_code, again.status_code, other.status_code) == (200, 304, 200)
    assert first.headers["cache-control"] == "no-cache"
    assert again.content == b""


def test_every_file_of_the_folder_is_served_and_no_other_one():
    names = {path.rpartition("/")[2] or "index.html" for path in files.PATHS}
    assert names == {each.name for each in STATIC.iterdir()}


@pytest.mark.parametrize("path", ["/console/none.js", "/console/", "/console/..%2Ffiles.py", "/console/a/b"])
def test_what_is_not_of_the_console_is_not_found(path):
    assert get(path).status_code == 404


def test_the_snapshot_is_what_the_service_says_and_is_kept_by_nobody():
    response = get("/console/snapshot", console=lambda: b'{"at":1}')
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    assert response.json() == {"at": 1}


def test_the_instances_are_what_the_service_says():
    response = get("/console/instances", instances=lambda: b'{"instances":[],"problem":"none"}')
    assert response.headers["cache-control"] == "no-store"
    assert response.json() == {"instances": [], "problem": "none"}


@pytest.mark.parametrize("script", sorted(STATIC.glob("*.js")), ids=lambda path: path.name)
def test_no_script_makes_markup_of_a_text(script):
    ways = "innerHTML|outerHTML|insertAdjacentHTML|document.write|DOMParser|setHTML|eval|new Function|srcdoc"
    assert re.findall(ways, script.read_text()) == []


def test_nothing_is_asked_of_another_host():
    text = "".join(path.read_text() for path in STATIC.iterdir())
    assert set(re.findall(r"https?://[^\s\"'\\]+", text)) == {"http://www.w3.org/2000/svg"}


def test_the_token_is_kept_in_the_tab_only():
    text = "".join(path.read_text() for path in STATIC.glob("*.js"))
    assert "localStorage" not in text
    assert "document.cookie" not in text

"""Who may read records in the console and change what becomes of them, and how it is asked."""

import asyncio
import threading
from dataclasses import replace

import httpx
import pytest

from tests.console.made_records import MadeRecords, letter
from tests.unit.observability.test_http_pages import SOURCES
from wallaroo.clock import ManualClock
from wallaroo.observability.http import build_app
from wallaroo.observability.token import Access, Token

AT = "/console/dead-letters"
PAGES = [AT, f"{AT}/at/1@1", f"{AT}/progress", "/console/results"]
TOKEN = Token("sesame", ManualClock(0).now_ms)
EVERYBODY = Access()
DROP = {"verb": "drop", "places": ["1@1"]}


def found_records():
    return MadeRecords(
        [letter(1, "count", "app.Refused", "no"), letter(2, "sum", "builtins.ValueError", "no")]
    )


def ask(path, found_records, json=None, access=EVERYBODY, base="http://localhost:8080", **headers):
    async def asked():
        transport = httpx.ASGITransport(build_app(replace(SOURCES, console_records=found_records), access))
        async with httpx.AsyncClient(transport=transport, base_url=base) as client:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            if json is None:
                return await client.get(path, headers=named)
            return await client.post(path, json=json, headers=named)

    return asyncio.run(asked())


@pytest.mark.parametrize("page", PAGES)
def test_where_states_are_not_shown_neither_are_records(page):
    found = ask(page, None)
    assert found.status_code == 403
    assert "WALLAROO_EXPOSE_STATE" in found.json()["error"]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("base", ["http://localhost:8080", "http://127.0.0.1:8080", "http://[::1]:8080"])
def test_without_a_token_the_machine_itself_may_read(page, base):
    assert ask(page, found_records(), base=base).status_code == 200


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(
    "base", ["http://evil.example", "http://127.0.0.1.evil.example:8080", "http://10.0.0.3"]
)
def test_a_name_that_somebody_lets_stand_for_this_machine_reads_nothing(page, base):
    assert ask(page, found_records(), base=base).status_code == 403


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost:9090", "https://localhost"]
)
@pytest.mark.parametrize("path", [f"{AT}/plan", f"{AT}/begin"])
def test_a_page_of_another_site_changes_nothing(path, origin):
    made = found_records()
    assert ask(path, made, DROP, origin=origin).status_code == 403
    assert made.begun == []


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_what_a_browser_sends_without_asking_first_changes_nothing(kind):
    made = found_records()
    assert ask(f"{AT}/begin", made, DROP, content_type=kind).status_code == 415
    assert made.begun == []


def test_no_other_site_is_let_in_when_a_browser_asks_first():
    async def asked():
        transport = httpx.ASGITransport(build_app(replace(SOURCES, console_records=found_records())))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            origin = {"origin": "http://evil.example", "access-control-request-method": "POST"}
            return await client.options(f"{AT}/begin", headers=origin)

    found = asyncio.run(asked())
    assert found.status_code == 405
    assert not [name for name in found.headers if name.startswith("access-control")]


def test_a_get_changes_nothing():
    assert ask(f"{AT}/begin", found_records()).status_code == 405


def test_a_page_of_this_service_drops_what_was_chosen():
    made = found_records()
    found = ask(f"{AT}/begin", made, DROP, origin="http://localhost:8080")
    assert found.status_code == 202
    assert made.begun == [("drop", ["1@1"])]


@pytest.mark.parametrize("path", [AT, f"{AT}/progress", "/console/results", "/console/stream"])
def test_with_a_token_nothing_is_answered_without_it(path):
    assert ask(path, found_records(), access=Access(TOKEN)).status_code == 401


def test_with_the_token_any_name_is_good():
    made, access = found_records(), Access(TOKEN, is_local=False)
    found = ask(
        f"{AT}/begin", made, DROP, access, "https://proxy", authorization="Bearer sesame", origin="https://x"
    )
    assert found.status_code == 202


@pytest.mark.parametrize("json", [None, DROP])
def test_another_instance_reads_no_records_and_changes_none(json):
    made, access = found_records(), Access(TOKEN, is_local=False, url="http://me")
    path = f"{AT}/begin" if json else AT
    signed = TOKEN.question("http://me", path).header
    assert ask(path, made, json, access, authorization=signed).status_code == 403
    assert made.begun == []


@pytest.mark.parametrize(
    "asked",
    [
        [],
        {},
        {"verb": "drop"},
        {"verb": "eat", "places": ["1@1"]},
        {"verb": "drop", "places": []},
        {"verb": "drop", "places": ["1@1", "x"]},
        {"verb": "drop", "places": "1@1"},
        {"verb": "drop", "places": [1]},
        {"verb": ["drop"], "places": ["1@1"]},
        {"verb": "drop", "places": ["1@1"] * 1001},
        {"verb": "drop", "places": ["1@" + "1" * 70_000]},
    ],
    ids=lambda asked: str(asked)[:40],
)
def test_what_cannot_be_understood_is_refused_with_how_it_is_asked(asked):
    found = ask(f"{AT}/begin", found_records(), asked)
    assert found.status_code == 400
    assert "PARTITION@OFFSET" in found.json()["error"]


@pytest.mark.parametrize("place", ["9@9", "x", "1@", "1@1@1"])
def test_there_is_no_dead_letter_at_another_place(place):
    assert ask(f"{AT}/at/{place}", found_records()).status_code == 404


def test_the_list_is_of_the_stage_and_error_that_were_asked_for():
    found = ask(f"{AT}?stage=count&error=Refused", found_records()).json()["letters"]
    assert [each["place"] for each in found] == ["1@1"]


def test_what_kafka_says_no_to_is_told():
    made = found_records()
    made.away = "Kafka cannot be reached at kafka:9092"
    found = ask(AT, made)
    assert (found.status_code, found.json()["error"]) == (503, made.away)


def test_a_second_replay_waits_for_the_end_of_the_first():
    made = found_records()
    ask(f"{AT}/begin", made, DROP)
    made._looks = 2
    assert ask(f"{AT}/begin", made, DROP).status_code == 409


def test_readers_that_wait_leave_threads_to_the_other_pages():
    made, reading, go_on = found_records(), threading.Semaphore(0), threading.Event()

    def listed(_stage, _error):
        reading.release()
        go_on.wait(30)
        return {}

    made.listed = listed

    async def asked():
        transport = httpx.ASGITransport(build_app(replace(SOURCES, console_records=made)))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            waiting = [asyncio.ensure_future(client.get(AT)) for _ in range(4)]
            for _ in waiting:
                await asyncio.to_thread(reading.acquire, timeout=30)
            refused = await client.get(AT)
            go_on.set()
            return refused.status_code, [each.status_code for each in await asyncio.gather(*waiting)]

    assert asyncio.run(asked()) == (503, [200] * 4)

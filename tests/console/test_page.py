"""The console in a browser, fed with moments that a test chooses."""

import json

import pytest

from tests.console import many, shop
from tests.console.conftest import ROOT, served
from tests.console.made_records import BASE_MS, letter
from tests.console.scenes import Plan, Scene
from wallaroo.observability.http import build_app
from wallaroo.observability.token import Access, Token

PICTURES = ROOT / "build" / "console"
TROUBLE = Plan(seconds_a_turn=5, dead_worker=1, restoring=2, failing="count 2", behind=90)
WHOLE = (
    "#verdict",
    "#chart-rate svg",
    "#chart-lag svg",
    "#facts dd",
    "#graph button",
    "#subs tr",
    "#letters",
)
SERIOUS = """axe.run().then(found => found.violations
    .filter(each => ["serious", "critical"].includes(each.impact))
    .map(each => [each.id, each.nodes.map(node => node.html)]))"""


def scene(application=many, plan=TROUBLE):
    return Scene(application.application_setup([]), plan)


def wait_for(page, selector, text):
    page.locator(selector, has_text=text).first.wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 820, 1440])
def test_forty_stages_and_64_partitions_fit_any_screen_and_can_be_read(shown, axe, width, scheme):
    page = shown(scene(), width=width, scheme=scheme)
    wait_for(page, "#verdict-title", "Not ready")
    wait_for(page, "#chart-latency .value", "ms")
    assert [what for what in WHOLE if not page.locator(what).first.is_visible()] == []
    page.evaluate(axe)
    assert page.evaluate(SERIOUS) == []
    page.screenshot(path=PICTURES / f"many-{width}-{scheme}.png", full_page=True)
    page.locator("#subs button").first.click()
    page.locator("#panel .tiles li").nth(63).wait_for()
    assert page.evaluate(SERIOUS) == []
    page.screenshot(path=PICTURES / f"panel-{width}-{scheme}.png")
    root = "document.documentElement"
    assert page.evaluate(f"{root}.scrollWidth <= {root}.clientWidth")


def test_what_is_wrong_is_said_first_with_where_and_since_when(shown):
    page = shown(scene())
    wait_for(page, "#reasons li:first-child strong", "worker 1 is not running (killed by SIGKILL)")
    assert "since before" in page.locator("#reasons li:first-child").inner_text()
    wait_for(page, "#reasons strong", "worker 0, 13 loops: restoring 2 of 16 partitions")
    wait_for(page, "#reasons strong", "input-1 falls behind")
    wait_for(page, "#reasons strong", "of stage count 2")
    assert page.title().startswith("✕ Not ready")


def test_what_begins_and_ends_while_the_page_is_open_is_an_event_with_its_time(shown):
    made = scene(shop, Plan(partitions=8))
    page = shown(made)
    wait_for(page, "#verdict-title", "All is well")
    made.plan = Plan(partitions=8, dead_worker=2)
    wait_for(page, "#events li", "worker 2 ended: killed by SIGKILL")
    wait_for(page, "#reasons .since", ", for ")
    made.plan = Plan(partitions=8)
    wait_for(page, "#events li", "ready again")
    wait_for(page, "#verdict-title", "All is well")


def test_names_are_text_whatever_is_in_them(shown):
    made = scene(shop, Plan(partitions=4, failing=shop.HOSTILE))
    made.elsewhere = {
        "problem": None,
        "instances": [
            {"name": shop.HOSTILE, "host": shop.HOSTILE, "url": "javascript:window.executed=1", "owns": []}
        ],
    }
    page = shown(made)
    wait_for(page, "#reasons strong", shop.HOSTILE)
    wait_for(page, "#instances li", shop.HOSTILE)
    wait_for(page, "#events li", shop.HOSTILE)
    page.locator("#graph button").first.click()
    wait_for(page, "#panel-body li", shop.HOSTILE)
    page.locator("#panel-close").click()
    page.locator("#state-key").fill(shop.HOSTILE)
    page.get_by_role("button", name="Look up").click()
    wait_for(page, "#state-value", shop.HOSTILE)
    assert page.locator("#content img, #panel img, #instances a").count() == 0
    assert page.evaluate("window.executed") is None


def test_a_state_is_shown_as_the_service_wrote_it(shown):
    page = shown(scene(shop, Plan(partitions=4)))
    page.locator("#state-key").fill('a/b "c" %')
    page.get_by_role("button", name="Look up").click()
    wait_for(page, "#state-where", "Partition 3, worker 1")
    shown_value = page.locator("#state-value").inner_text()
    assert '"total": 1180591620717411303424,' in shown_value
    assert '"key": "a/b \\"c\\" %"' in shown_value
    assert '"tags": [],' in shown_value


@pytest.mark.parametrize("key", ["..", "."])
def test_a_key_that_an_address_cannot_hold_is_not_asked_for(shown, key):
    page = shown(scene(shop, Plan(partitions=4)))
    page.locator("#state-key").fill(key)
    page.get_by_role("button", name="Look up").click()
    wait_for(page, "#state-where", "cannot ask for this key")


def test_the_keyboard_opens_a_panel_and_comes_back_to_where_it_was(shown):
    page = shown(scene(shop, Plan(partitions=4)))
    button = page.locator("#graph button").nth(1)
    button.focus()
    page.keyboard.press("Enter")
    wait_for(page, "#panel-title", "customer")
    assert page.evaluate("document.activeElement.id") == "panel-title"
    page.keyboard.press("Escape")
    page.locator("#panel").wait_for(state="hidden")
    assert button.evaluate("node => node === document.activeElement")


def test_a_service_that_does_not_answer_is_told_with_the_time_and_asked_again(opened):
    app = build_app(scene(shop, Plan(partitions=4)).sources())
    with served(app) as url:
        page = opened(url)
        wait_for(page, "#verdict-title", "All is well")
    wait_for(page, "#lost", "No answer from this service since ")
    assert "stale" in page.locator("body").get_attribute("class")
    assert page.locator("#verdict-title").is_visible()
    with served(app, int(url.rpartition(":")[2])):
        page.locator("#lost").wait_for(state="hidden")
        page.wait_for_function("!document.body.classList.contains('stale')")
    # A browser notes each request that fails.
    assert {text.partition("net::")[0] for text in opened.complaints} == {"Failed to load resource: "}
    opened.complaints.clear()


def test_a_service_with_a_token_asks_for_it_and_the_tab_keeps_it(opened):
    access = Access(Token("open sesame", lambda: 0), is_local=False)
    with served(build_app(scene(shop, Plan(partitions=4)).sources(), access)) as url:
        page = opened(url)
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        wait_for(page, "#token-reason", "send the token of the setting http_token")
        assert page.locator("#content").is_hidden()
        page.locator("#token").fill("wrong")
        page.keyboard.press("Enter")
        wait_for(page, "#token-reason", "that is not the token")
        page.locator("#token").fill("open sesame")
        page.keyboard.press("Enter")
        wait_for(page, "#verdict-title", "All is well")
        assert page.locator("#token-form").is_hidden()
        assert "sesame" not in f"{asked} {page.url} {page.evaluate('JSON.stringify(localStorage)')}"
        page.reload()
        wait_for(page, "#verdict-title", "All is well")
    assert all("401" in text or "net::" in text for text in opened.complaints)
    opened.complaints.clear()


def letters(made):
    for number in range(1, 7):
        stage, error = [("count 2", "builtins.ValueError"), (shop.HOSTILE, "app.Refused")][number % 2]
        one = letter(number, stage, error, f"{shop.HOSTILE} number {number}")
        made.records.letters[one["place"]] = one
    made.records.newest = [
        {
            "topic": "output",
            "partition": 1,
            "offset": 5,
            "time": BASE_MS,
            "key": "rex",
            "content": {"kind": "text", "text": shop.HOSTILE, "size": 9, "is_cut": False},
        }
    ]
    return made


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 820, 1440])
def test_dead_letters_and_results_are_for_any_screen_and_anybody(shown, axe, width, scheme):
    page = shown(letters(scene()), width=width, scheme=scheme)
    page.locator("#letters-view summary").click()
    page.locator("#results-view summary").click()
    wait_for(page, "#results li", shop.HOSTILE)
    wait_for(page, "#letters-list li", "number 6")
    page.evaluate(axe)
    assert page.evaluate(SERIOUS) == []
    page.screenshot(path=PICTURES / f"letters-{width}-{scheme}.png", full_page=True)
    page.locator("#letters-list button").first.click()
    wait_for(page, "#letter-body pre.json", '"n": 12345678901234567890')
    assert page.evaluate(SERIOUS) == []
    page.screenshot(path=PICTURES / f"letter-{width}-{scheme}.png")
    page.locator("#letter-replay").click()
    wait_for(page, "#plan-list li", "input-1[")
    assert page.evaluate(SERIOUS) == []
    page.screenshot(path=PICTURES / f"replay-{width}-{scheme}.png")
    root = "document.documentElement"
    assert page.evaluate(f"{root}.scrollWidth <= {root}.clientWidth")
    assert page.evaluate("window.executed") is None


def test_the_dead_letters_of_a_stage_are_replayed_once_it_was_shown_what_is_sent_where(shown):
    made = letters(scene())
    made.records.refused = {"2@2": "no single record of a source led to it"}
    page = shown(made)
    wait_for(page, "#letters-view summary", "Look at them")
    page.locator("#letters-view summary").press("Enter")
    wait_for(page, "#letters-note", "6 open")
    page.locator("#letters-stage").select_option("count 2")
    wait_for(page, "#letters-replay", "Replay the 3 open")
    page.locator("#letters-replay").press("Enter")
    wait_for(page, "#plan-text", "2 records will be sent once more to input-1")
    wait_for(page, "#plan-list li", "cannot be replayed: no single record of a source led to it")
    assert made.records.begun == []
    assert page.evaluate("document.activeElement.id") == "plan-go"
    page.keyboard.press("Enter")
    wait_for(page, "#plan-text", "3 records sent.")
    page.keyboard.press("Escape")
    wait_for(page, "#letters-note", "none is open")
    assert made.records.begun == [("replay", ["0@4", "2@2", "2@6"])]


def test_a_dialog_that_is_closed_has_done_nothing(shown):
    made = letters(scene())
    page = shown(made)
    page.locator("#letters-view summary").click()
    page.locator("#letters-list button").first.click()
    page.locator("#letter-drop").click()
    wait_for(page, "#plan-text", "1 dead letter will be noted as dropped")
    page.keyboard.press("Escape")
    page.locator("#plan").wait_for(state="hidden")
    assert page.locator("#letter").is_visible()
    assert made.records.begun == []


def test_a_cluster_that_is_away_is_told_where_dead_letters_would_be(shown, opened):
    made = scene()
    made.records.away = "Kafka cannot be reached at kafka:9092"
    page = shown(made)
    page.locator("#letters-view summary").click()
    wait_for(page, "#letters-note", "Kafka cannot be reached at kafka:9092")
    made.records.away = ""
    wait_for(page, "#letters-note", "There is none like that")
    assert all("503" in text for text in opened.complaints)
    opened.complaints.clear()


def test_the_page_shows_all_instances_as_one_and_which_it_cannot_reach(shown):
    plan = Plan(partitions=4)
    made, other = scene(shop, plan), scene(shop, Plan(partitions=4, dead_worker=1))
    page = shown(made)
    wait_for(page, "#verdict-title", "All is well")
    there = {"host": "10.0.0.2", "is_this": False, "owns": [], "url": "http://host-2:8080"}
    made.elsewhere = {
        "problem": None,
        "instances": [
            {**there, "name": "host-1", "is_this": True, "snapshot": None, "problem": ""},
            {**there, "name": "host-2", "snapshot": json.loads(other._snapshot()), "problem": ""},
            {**there, "name": "host-3", "snapshot": None, "problem": "does not answer: timed out"},
        ],
    }
    wait_for(page, "#reasons strong", "instance host-2: worker 1 is not running")
    wait_for(page, "#reasons strong", "instance host-3 cannot be reached")
    wait_for(page, "#verdict-text", "7 of 8 workers alive on 2 of 3 instances")
    wait_for(page, "#workers li", "Worker 1 of host-2")
    assert page.locator("#ready").inner_text() == "Ready"
    made.elsewhere = {"instances": [], "problem": None}
    wait_for(page, "#verdict-title", "All is well")


def test_a_record_that_takes_long_is_kept_with_its_place_and_stage(shown):
    made = scene(
        shop,
        Plan(
            partitions=4,
            slow="stage 'look' has been at one record for 7 s: payments[3]@17 (shop.py:36); "
            "nothing behind it moves",
        ),
    )
    page = shown(made)
    wait_for(page, "#reasons strong", "payments[3]@17")
    made.plan = Plan(partitions=4)
    wait_for(page, "#verdict-title", "All is well")
    page.locator("#graph button").first.click()
    wait_for(page, "#panel-body li", "payments[3]@17")
    wait_for(page, "#panel-body li", "stage 'look' · 7 s")


MERGED = """import('/console/merge.js').then(({ merged }) => {
    const raw = (worker, n) => ({ at: 1, identity: { application: "a" }, ready: { ok: true, reasons: [] },
        healthy: { ok: worker === 0, reasons: worker ? ["worker 1 hangs"] : [] },
        workers: [{ index: worker, loops: [] }],
        sub_topologies: [{ name: "s", processed: n, in_progress: n, latency: [n, 1],
            commits: { committed: n }, partitions: [{ number: n, worker: String(worker), lag: n }] }],
        topics: [], stores: [], stages: [{ name: `only ${n}` }], sources: [], sinks: [] });
    const others = [["b", raw(1, 4)], ["c", { identity: { application: "other" } }]];
    const { own, ...all } = merged(raw(0, 3), others);
    return all;
})"""


def test_snapshots_of_instances_are_added_and_nothing_is_mixed_up(shown):
    found = shown(scene(shop, Plan(partitions=4))).evaluate(MERGED)
    assert found["instances"] == ["", "b"]
    assert found["healthy"] == {"ok": False, "reasons": ["instance b: worker 1 hangs"]}
    assert [each["index"] for each in found["workers"]] == [0, "1 of b"]
    [sub] = found["sub_topologies"]
    assert (sub["processed"], sub["in_progress"], sub["latency"]) == (7, 4, [7, 2])
    assert sub["commits"] == {"committed": 7}
    assert [(each["number"], each["worker"]) for each in sub["partitions"]] == [(3, "0"), (4, "1 of b")]
    assert [each["name"] for each in found["stages"]] == ["only 3", "only 4"]


LAWS = [
    ("shown.js", "count(0.04)", "<0.1"),
    ("shown.js", "count(9.5)", "9.5"),
    ("shown.js", "count(1234)", "1,234"),
    ("shown.js", "count(56789)", "56.8 k"),
    ("shown.js", "count(999999)", "1 M"),
    ("shown.js", "seconds(0.0034)", "3.4 ms"),
    ("shown.js", "seconds(0.9999)", "1 s"),
    ("shown.js", "seconds(75)", "1 min 15 s"),
    ("shown.js", "duration(3600 * 27)", "1 d 3 h"),
    (
        "shown.js",
        """indented('{"a":[1,{}],"b":"[,"}')""",
        '{\n  "a": [\n    1,\n    {}\n  ],\n  "b": "[,"\n}',
    ),
    ("history.js", "quantile([0, 10, 0], [1, 3], 5)", 2),
    ("history.js", "quantile([0, 0, 4], [1, 3], 4)", 3),
    ("charts.js", "niceTop(0)", 1),
    ("charts.js", "niceTop(300)", 500),
    (
        "graph.js",
        "layers([{id: 'a'}, {id: 'b'}, {id: 'c'}], [{from: 'a', to: 'b'}, {from: 'b', to: 'c'}, "
        "{from: 'c', to: 'b'}]).map((row) => row.map((each) => each.id).join()).join(' ')",
        "a b c",
    ),
]


def test_small_things_are_as_a_reader_expects(shown):
    page = shown(scene(shop, Plan(partitions=4)))
    found = [
        page.evaluate(f"import('/console/{script}').then((all) => all.{expression})")
        for script, expression, _ in LAWS
    ]
    assert found == [expected for _, _, expected in LAWS]

"""The commands of the quickstart and of the how-to pages, from top to bottom, on a real Kafka."""

from itertools import chain

import pytest

from tests.kafka.cluster import create_topic
from tests.kafka.terminal import DOCS, QUICKSTART, Terminal

HOWTO = DOCS / "howto"
# In an application that has never run, and in one that has a state and a dead letter.
FRESH = ["changed-state", "restart-without-rebalance", "scale", "secure"]
# Pages after each other have one application, since it takes seconds to start.
KNOWN = [["replay-dead-letters"], ["users-total", "poison-record", "go-back-an-hour"]]


@pytest.fixture
def terminal(bootstrap_servers, application_id, tmp_path, monkeypatch, capsys):
    made = Terminal(tmp_path, application_id, {"old": bootstrap_servers}, monkeypatch, capsys)
    yield made
    made.close()


@pytest.fixture
def known(terminal, bootstrap_servers, application_id):
    """The application of the quickstart, stopped, with the state of one user and a dead letter at 0@0."""
    create_topic(bootstrap_servers, f"{application_id}-dlq", 1)
    terminal.run("wallaroo run alerts.py &")
    terminal.run("echo 'not JSON' | wallaroo produce --topic transactions")
    terminal.run("""echo '{"user": "Fido", "amount": 2200}' | wallaroo produce --topic transactions""")
    terminal.run(f"wallaroo receive --topic {application_id}-dlq --count 1")
    terminal.run("wallaroo receive --topic alerts --count 1")
    terminal.run("kill %1")
    return terminal


def test_every_page_with_commands_is_here():
    pages = {page.stem for page in HOWTO.glob("*.md") if "```sh\n" in page.read_text()}
    assert pages == {*FRESH, *chain(*KNOWN), "move-clusters"}


def test_the_commands_of_the_quickstart_lead_to_its_alert(terminal):
    said = terminal.type_all(QUICKSTART)
    assert "Fido has 2200" in said


@pytest.mark.parametrize("page", FRESH)
def test_the_commands_of_a_page_do_what_they_say(terminal, page):
    terminal.type_all(HOWTO / f"{page}.md")


@pytest.mark.parametrize("pages", KNOWN, ids=",".join)
def test_the_commands_of_pages_do_what_they_say_where_the_application_has_run(known, pages):
    known.type_all(*[HOWTO / f"{page}.md" for page in pages])


def test_an_application_moves_to_another_cluster_with_its_states(known, own_broker):
    known.clusters["new"] = own_broker.bootstrap_servers
    said = known.type_all(HOWTO / "move-clusters.md")
    assert "Fido has 2201" in said

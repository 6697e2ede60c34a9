"""The commands on the page of the command line, from top to bottom, on a real Kafka."""

import re
import shlex
from pathlib import Path

import pytest

from tests.kafka.cluster import Sent, create_topic, produce, wait_until
from tests.kafka.model import transaction
from tests.kafka.scenario import Scenario
from wallaroo.cli import main

PAGE = Path(__file__).parents[2] / "docs" / "command-line.md"
HEADINGS = re.findall(r"^## (.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)


def commands_below(heading):
    """The commands in the section of this heading, without the word `wallaroo`."""
    section = re.split(r"^## ", PAGE.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1], flags=re.M)[0]
    blocks = re.findall(r"^```sh\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    lines = "".join(blocks).splitlines()
    return [shlex.split(line.removeprefix("wallaroo ")) for line in lines if line.startswith("wallaroo ")]


@pytest.fixture
def bank(bootstrap_servers, application_id, tmp_path):
    """The alerts, stopped, with the state of one key, and one dead letter that is at 0@0."""
    made = Scenario(bootstrap_servers, application_id, tmp_path).create_topics()
    made.application = "topologies.alerts_stateful"
    create_topic(made.servers, made.dead_letters, 1)
    service = made.start(session_timeout_ms=6_000)
    produce(made.servers, made.in_topic, [transaction("rex", 10), Sent("rex", b"not json")])
    wait_until(made.dead)
    assert service.stop() == 0
    yield made
    made.dispose()


@pytest.mark.parametrize("heading", HEADINGS)
def test_every_command_of_the_page_does_what_it_says(bank, heading, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    commands = commands_below(heading)
    assert len(commands) >= 2
    options = bank._command_line({})[1:]
    # Workers that have ended are listed in their groups for a while.
    done = [wait_until(lambda words=words: main([*words, *options]) == 0) for words in commands]
    assert all(done)

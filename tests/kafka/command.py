"""A verb of the command line, run in this process beside a scenario."""

from tests.kafka.scenario import Scenario
from wallaroo.cli import main


def run(scenario: Scenario, *words: str, **settings: str) -> int:
    """The exit code of `wallaroo VERB... MODULE WORD...`: the words up to MODULE are the verb."""
    verb, rest = words[: words.index("MODULE")], words[words.index("MODULE") + 1 :]
    return main([*verb, scenario.application, *rest, *options_of(scenario, **settings)])


def options_of(scenario: Scenario, **settings: str) -> list[str]:
    """What every verb needs to find the application of a scenario."""
    given = {"bootstrap-servers": scenario.servers, "application-id": scenario.application_id, **settings}
    options = [f"--{name}={value}" for name, value in given.items()]
    topics = [f"--in-topic={scenario.in_topic}", f"--out-topic={scenario.out_topic}"]
    return [*options, *topics, *scenario.arguments]

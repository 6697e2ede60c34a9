"""`wallaroo topics`: what an application needs of topics, what is there, and to create what is missing."""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Annotated

import typer

from wallaroo.admin.cluster import asking
from wallaroo.admin.topics import PlannedTopic, create, planned, problems
from wallaroo.cli.options import PASS_ON, Command, takes_application
from wallaroo.cli.output import show_json, show_table

commands = typer.Typer(
    help="Topics of an application: what it needs, what is there; to create and to check them.",
    no_args_is_help=True,
)

_PROBLEMS = 1

AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]


@commands.command(context_settings=PASS_ON)
@takes_application
def plan(command: Command, json: AsJson = False) -> int:
    """Show what `run` would create or change, beside what is there; nothing is changed.

    Example: wallaroo topics plan topologies.alerts_stateful --bootstrap-servers kafka:9092
    """
    loaded, settings = command.load_for_cluster()
    with asking(settings) as admin:
        topics, found = planned(admin, loaded.topology, settings)
    if json:
        show_json({"topics": [asdict(topic) for topic in topics], "left_behind": list(found.orphaned)})
        return 0
    show_table(["topic", "purpose", "run would", "partitions", "replicas", "properties"], map(_row, topics))
    _say(topic.problem for topic in topics if topic.problem)
    _say(f"{name} is used by no stage" for name in found.orphaned)
    return 0


@commands.command(name="create", context_settings=PASS_ON)
@takes_application
def create_topics(command: Command, json: AsJson = False) -> int:
    """Create the topics that are missing, as `run` does, also where create_topics is off.

    Example: wallaroo topics create topologies.alerts_stateful --bootstrap-servers kafka:9092
    """
    loaded, settings = command.load_for_cluster()
    settings = settings.model_copy(update={"create_topics": True})
    with asking(settings) as admin:
        done = create(admin, loaded.topology, settings)
    if json:
        show_json([asdict(topic) for topic in done])
        return 0
    for topic in done:
        print(f"{topic.action}: {topic.name} ({topic.purpose}, {topic.partitions} partitions)")
    if not done:
        print("all topics are there")
    return 0


@commands.command(context_settings=PASS_ON)
@takes_application
def check(command: Command) -> int:
    """Say what is missing or differs, in the words of a start; exit code 1 if anything does.

    Example: wallaroo topics check topologies.alerts_stateful --bootstrap-servers kafka:9092
    """
    loaded, settings = command.load_for_cluster()
    with asking(settings) as admin:
        topics, found = planned(admin, loaded.topology, settings)
    texts = problems(topics, found)
    for text in texts:
        print(text)
    if not texts:
        print(f"{len(topics)} topics are as they are needed")
    return _PROBLEMS if texts else 0


def _row(topic: PlannedTopic) -> tuple[object, ...]:
    found = topic.found
    if found is None:
        partitions, factor, properties = topic.partitions, topic.replication_factor, topic.properties
    else:
        partitions, factor, properties = found.partitions, found.replication_factor, found.properties
    replicas = "broker's" if factor < 0 else str(factor)
    return topic.name, topic.purpose, topic.action, partitions, replicas, _properties(properties)


def _properties(properties: Mapping[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in properties.items()) or "-"


def _say(texts: Iterable[str]) -> None:
    for text in texts:
        print(f"wallaroo: {text}", file=sys.stderr)

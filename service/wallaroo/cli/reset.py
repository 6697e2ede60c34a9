"""`wallaroo reset`: an application begins anew, from a place in its sources, with fresh state."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

import typer

from wallaroo.admin.cluster import answered, reach
from wallaroo.admin.reset import Goal, given_offsets
from wallaroo.admin.resetting import Survey, survey
from wallaroo.admin.resetting import reset as reset_application
from wallaroo.cli.confirm import confirm
from wallaroo.cli.options import Command, takes_application
from wallaroo.cli.output import show_table
from wallaroo.cli.times import HELP, METAVAR, time_ms
from wallaroo.errors import SettingsError
from wallaroo.service.application import with_own_cluster


@dataclass(frozen=True, slots=True)
class Target:
    """Where sources are to be read from: one of these."""

    to_earliest: Annotated[bool, typer.Option("--to-earliest", help="all that the sources hold")] = False
    to_latest: Annotated[bool, typer.Option("--to-latest", help="what comes from now on")] = False
    to_time: Annotated[str | None, typer.Option(metavar=METAVAR, help=f"records from then on: {HELP}")] = None
    to_offset: Annotated[
        list[str] | None,
        typer.Option(metavar="TOPIC:PARTITION=OFFSET", help="once for every partition of every source"),
    ] = None

    def goal(self) -> Goal:
        """Raises SettingsError unless exactly one is given, and can be read."""
        given = [self.to_earliest, self.to_latest, self.to_time is not None, bool(self.to_offset)]
        if sum(given) != 1:
            raise SettingsError("give one of --to-earliest, --to-latest, --to-time and --to-offset")
        if self.to_time is not None:
            return Goal("time", time_ms(self.to_time, time.time_ns() // 1_000_000, "--to-time"))
        if self.to_offset:
            return Goal("offsets", offsets=given_offsets(self.to_offset))
        return Goal("earliest" if self.to_earliest else "latest")


@takes_application
def reset(
    command: Command,
    target: Target,
    drop_undelivered: Annotated[
        bool, typer.Option("--drop-undelivered", help="drop what waits in outboxes for a receiver")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="say what would be done, and do nothing")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
) -> int:
    """Let an application that is stopped begin anew, with fresh state: delete state and move its groups.

    Example: wallaroo reset topologies.alerts_stateful --to-earliest --dry-run
    """
    goal = target.goal()
    topology = command.load().topology
    settings = with_own_cluster(command.settings, topology)
    with answered(settings):
        cluster = reach(settings, f"{topology.application_id}-reset")
        found = survey(cluster, topology, goal)
    _show(found)
    if not drop_undelivered:
        _check_delivered(found)
    if dry_run:
        print("nothing was done")
        return 0
    confirm(f"Reset the application {topology.application_id}?", yes=yes)
    with answered(settings):
        reset_application(cluster, topology, found)
    print(f"the application {topology.application_id} begins anew at its next start")
    return 0


def _check_delivered(found: Survey) -> None:
    for outbox, count in found.undelivered.items():
        if count:
            raise SettingsError(
                f"{outbox} holds {count:,} records that their receiver does not have yet: start the service "
                "until they are delivered, or drop them with --drop-undelivered; nothing was done"
            )


def _show(found: Survey) -> None:
    plan = found.plan
    moved = [
        (group, topic, number, now, found.targets[topic, number])
        for group, topic in plan.moved.items()
        for (_, number), now in sorted(found.offsets[group].items())
    ]
    if moved:
        show_table(["group", "source", "partition", "from offset", "to offset"], moved, "moved")
    kinds = {
        "state or position": plan.changelogs,
        "between sub-topologies": plan.repartitions,
        "position of a generator": plan.generator_positions,
        "values of a generator": plan.generated,
    }
    deleted = [
        (topic, kind, found.topics[topic])
        for kind, topics in kinds.items()
        for topic in topics
        if topic in found.topics
    ]
    deleted += [
        (group, "group", sum(each is not None for each in found.offsets[group].values()))
        for group in plan.forgotten
    ]
    show_table(["name", "what", "records or offsets"], deleted, "deleted")
    waiting = [(outbox, count) for outbox, count in found.undelivered.items() if count]
    if waiting:
        show_table(["outbox", "undelivered"], waiting, "dropped")
    if plan.sinks:
        print(f"What is in {_listed(plan.sinks)} stays, and results of what is read again come once more.")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)

"""Schedules that were wrong once, as files: what a seed means changes with this folder."""

import json
from pathlib import Path

from tests.simulation.applications import APPLICATIONS, Sent
from tests.simulation.schedule import Plan, Step

FOLDER = Path(__file__).parent / "found"


def as_json(plan):
    """A plan as the text of a file, one step and one record a line."""
    fields = plan._replace(app=plan.app.name, sent=(), steps=())._asdict()
    lines = [f'"{name}": {json.dumps(value)}' for name, value in fields.items() if value != ()]
    for name, values in (
        ("sent", [[each.key, each.number, each.deed, each.time, each.partition] for each in plan.sent]),
        ("steps", plan.steps),
    ):
        lines.append(f'"{name}": [\n' + ",\n".join(json.dumps(value) for value in values) + "\n]")
    return "{" + ",\n".join(lines) + "}\n"


def read(file):
    """The plan in a file."""
    fields = json.loads(file.read_text(encoding="utf-8"))
    app = next(each for each in APPLICATIONS if each.name == fields["app"])
    sent = tuple(Sent(*values) for values in fields["sent"])
    return Plan(
        **fields | {"app": app, "sent": sent, "steps": tuple(Step(*each) for each in fields["steps"])}
    )

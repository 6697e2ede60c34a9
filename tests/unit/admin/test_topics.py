"""What a start would do about a topic, by what is there."""

from types import SimpleNamespace

import pytest

from wallaroo.admin.topics import PlannedTopic, problems, verdict
from wallaroo.errors import KafkaSetupError
from wallaroo.kafka.topic_config import EVERY_TIME
from wallaroo.kafka.topics import Survey, TopicPlan
from wallaroo.settings import Settings

CHANGELOG = TopicPlan("log", "changelog", 4, {"cleanup.policy": "compact", **EVERY_TIME}, exact=True)
HOP = TopicPlan("hop", "repartition", 4, {"retention.ms": "-1", **EVERY_TIME})
POSITIONS = TopicPlan("at", "positions", 4, {"cleanup.policy": "compact", **EVERY_TIME})
DEFAULT, ON_TOPIC = 5, 1
UNREADABLE = KafkaSetupError("may not be read")
AHEAD = {"message.timestamp.after.max.ms": "1"}
CREATING, CREATED = Settings(create_topics=True), Settings(create_topics=False)


def properties(policy="compact", source=DEFAULT, **more):
    values = {
        "cleanup.policy": policy,
        **EVERY_TIME,
        **{name.replace("_", "."): v for name, v in more.items()},
    }
    return {name: SimpleNamespace(value=value, source=source) for name, value in values.items()}


def of(topic, partitions=4, described=None, settings=CREATING):
    found = Survey([topic], {topic.name: partitions} if partitions else {}, [])
    return verdict(topic, found, {topic.name: described or properties()}, settings)


CASES = {
    "missing": (of(CHANGELOG, 0), "create", ""),
    "missing, and not to be created": (
        of(CHANGELOG, 0, settings=CREATED),
        "refuse",
        "topics are missing: log",
    ),
    "as it is to be": (of(CHANGELOG), "nothing", ""),
    "too many partitions": (of(CHANGELOG, 5), "refuse", "has 5 partitions, but its input has 4"),
    "not compacted": (of(CHANGELOG, 4, properties("delete")), "refuse", "state would be deleted"),
    "unreadable changelog": (
        of(CHANGELOG, 4, UNREADABLE),
        "refuse",
        "may not be read",
    ),
    "unreadable hop": (of(HOP, 4, UNREADABLE), "nothing", ""),
    "compacted hop": (of(HOP), "refuse", "records would be lost"),
    "too few for positions": (of(POSITIONS, 2), "add partitions", "has 2 partitions, and needs 4"),
    "refuses times": (of(HOP, 4, properties("delete", **AHEAD)), "alter", "may refuse times; to change"),
    "refuses times, not to be altered": (
        of(HOP, 4, properties("delete", **AHEAD), CREATED),
        "nothing",
        "refuse times",
    ),
    "an operator's word": (of(HOP, 4, properties("delete", ON_TOPIC, **AHEAD)), "nothing", ""),
}


@pytest.mark.parametrize("case", CASES)
def test_what_a_start_would_do_follows_from_what_is_there(case):
    (action, text), expected, says = CASES[case]
    assert action == expected
    assert says in text
    assert bool(says) == bool(text)


def test_topics_that_are_missing_are_told_together():
    topics = [PlannedTopic(p.name, p.purpose, "create", 4, -1, {}) for p in (CHANGELOG, HOP)]
    [text] = problems(topics, Survey([CHANGELOG, HOP], {}, []))
    assert text.startswith("these topics are missing: log (4 partitions, ")
    assert ", hop (4 partitions, " in text

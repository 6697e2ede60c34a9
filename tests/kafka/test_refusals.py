"""Records that a topic refuses: each becomes a dead letter, in bounded time, and everything else goes on."""

import json
import time

import pytest

from tests.kafka.acl import EVERYBODY, lay_down, rule
from tests.kafka.cluster import Sent, alter_topic, create_topic, produce, topic_config, wait_until
from tests.kafka.model import dead_as_read, dead_in, transaction, transactions
from tests.kafka.scenario import PARTITIONS
from tests.kafka.test_dead_letters import PREFIX, headers_of
from tests.kafka.test_forbidden import authorized

HOUR = 3_600_000
ANY = str(2**63 - 1)
EVERY_TIME = {"message.timestamp.before.max.ms": ANY, "message.timestamp.after.max.ms": ANY}
HOUR_AHEAD = {"message.timestamp.after.max.ms": str(HOUR)}
DAY_BEHIND = {"message.timestamp.before.max.ms": str(24 * HOUR)}
HOP, NO_HOP = (), ("--partitioned-by-user",)


def now_ms():
    return time.time_ns() // 1_000_000


def ahead(rng):
    return now_ms() + rng.randrange(2 * HOUR, 50 * HOUR)


def at(timestamp_ms, user="late", amount=3_000):
    sent = transaction(user, amount)
    return Sent(sent.key, sent.value, timestamp_ms=timestamp_ms)


def fussy_sink(scenario, config):
    """The sink takes less than the source."""
    alter_topic(scenario.servers, scenario.in_topic, EVERY_TIME)
    scenario.out_topic = f"{scenario.application_id}-fussy"
    create_topic(scenario.servers, scenario.out_topic, PARTITIONS, config)


def hide_limits(scenario):
    """Nobody may ask what the sink takes."""
    topic = scenario.out_topic
    allowed = [rule(topic, operation, "ALLOW", EVERYBODY) for operation in ("DESCRIBE", "READ", "WRITE")]
    lay_down(scenario.servers, *allowed, rule(topic, "DESCRIBE_CONFIGS", "DENY", EVERYBODY))


def send_with_refused(scenario, rng, count, refused):
    """Transactions, and among them some whose alerts the sink will refuse."""
    stream = transactions(rng, count)
    scenario.expected.add(stream)
    scenario.expected.dead += [(sent.key, sent.value) for sent in refused]
    for sent in refused:
        stream.insert(rng.randrange(len(stream)), sent)
    produce(scenario.servers, scenario.in_topic, stream)


def said(scenario, user="late"):
    """What the dead letters of a user say: (stage, message)."""
    found = [headers_of(m) for m in scenario.dead() if m.key() and m.key().startswith(user.encode())]
    return {(each[PREFIX + "stage"], each[PREFIX + "message"]) for each in found}


@pytest.mark.parametrize("arguments", [HOP, NO_HOP], ids=["hop", "no-hop"])
def test_an_alert_whose_time_the_sink_refuses_is_the_failure_of_its_record(scenario, rng, arguments):
    scenario.arguments = arguments
    fussy_sink(scenario, HOUR_AHEAD)
    send_with_refused(scenario, rng, 4_000, [at(ahead(rng), f"late-{n % 7}") for n in range(30)])
    service = scenario.start(workers=2)
    scenario.finish()
    messages = said(scenario)
    assert {stage for stage, _ in messages} == {"encode_alert"}
    assert all("raise message.timestamp.after.max.ms of the topic" in message for _, message in messages)
    assert "worker died" not in service.words()


def test_an_alert_that_is_too_old_for_the_sink_is_the_failure_of_its_record(scenario, rng):
    scenario.arguments = NO_HOP
    fussy_sink(scenario, DAY_BEHIND)
    send_with_refused(scenario, rng, 2_000, [at(rng.randrange(1, 10**12)) for _ in range(10)])
    service = scenario.start()
    scenario.finish()
    assert all(
        "raise message.timestamp.before.max.ms of the topic" in message for _, message in said(scenario)
    )
    assert "worker died" not in service.words()


def test_an_alert_without_a_key_for_a_compacted_sink_is_the_failure_of_its_record(scenario, rng):
    scenario.arguments = NO_HOP
    fussy_sink(scenario, {"cleanup.policy": "compact"})
    send_with_refused(scenario, rng, 2_000, [transaction(f"keyless-{n}", 3_000) for n in range(10)])
    service = scenario.start()
    scenario.finish()
    assert all(
        "give it a key, or set cleanup.policy=delete" in message for _, message in said(scenario, "keyless")
    )
    assert "worker died" not in service.words()


def test_a_time_at_which_the_broker_itself_fails_is_the_failure_of_its_record(scenario, rng):
    """It compresses anew, and cannot write a time before 1970: the error is one that names nothing."""
    scenario.arguments = NO_HOP
    fussy_sink(scenario, {"compression.type": "gzip"})
    send_with_refused(scenario, rng, 500, [at(-5), at(-(10**12))])
    service = scenario.start()
    scenario.finish()
    assert all("which takes none before 1970" in message for _, message in said(scenario))
    assert "worker died" not in service.words()


def test_at_least_once_too_a_time_that_is_refused_fails_alone(scenario, rng):
    scenario.arguments = NO_HOP
    fussy_sink(scenario, HOUR_AHEAD)
    send_with_refused(scenario, rng, 500, [at(ahead(rng)) for _ in range(10)])
    service = scenario.start(processing_guarantee="at_least_once")
    wait_until(lambda: settled(scenario))
    scenario.stop_all()
    assert {stage for stage, _ in said(scenario)} == {"encode_alert"}
    assert "worker died" not in service.words()


def settled(scenario):
    wanted = {user for user, _ in scenario.expected.alerts.items()}
    found = {json.loads(m.value())["user"] for m in scenario.tail(scenario.out_topic).read()}
    dead = scenario.tail(scenario.dead_letters).read()
    return found == wanted and len(dead) >= len(scenario.expected.dead)


def test_a_stream_in_which_every_record_is_refused_is_worked_off_quickly(scenario, rng):
    scenario.arguments = NO_HOP
    fussy_sink(scenario, HOUR_AHEAD)
    late = [at(ahead(rng), f"late-{n % 100}") for n in range(10_000)]
    scenario.expected.dead += [(sent.key, sent.value) for sent in late]
    produce(scenario.servers, scenario.in_topic, late)
    service = scenario.start()
    scenario.settle(timeout_seconds=30)
    scenario.finish()
    assert service.words().count("commit aborted") < 10


@authorized
@pytest.mark.parametrize("guarantee", ["exactly_once", "at_least_once"])
def test_what_no_limit_explains_is_asked_of_the_broker_record_by_record(own_scenario, rng, guarantee):
    own_scenario.arguments = NO_HOP
    fussy_sink(own_scenario, HOUR_AHEAD)
    hide_limits(own_scenario)
    send_with_refused(own_scenario, rng, 1_000, [at(ahead(rng), f"late-{n % 7}") for n in range(30)])
    service = own_scenario.start(processing_guarantee=guarantee)
    wait_until(lambda: settled(own_scenario), 60)
    own_scenario.stop_all()
    assert {stage for stage, _ in said(own_scenario)} == {"encode_alert"}
    assert set(dead_in(own_scenario.dead())) == set(dead_as_read(own_scenario.expected))
    assert "worker died" not in service.words()


@authorized
def test_records_without_keys_are_found_where_nothing_may_be_asked(own_scenario, rng):
    own_scenario.arguments = NO_HOP
    fussy_sink(own_scenario, {"cleanup.policy": "compact"})
    hide_limits(own_scenario)
    send_with_refused(own_scenario, rng, 1_000, [transaction(f"keyless-{n}", 3_000) for n in range(50)])
    service = own_scenario.start()
    own_scenario.finish()
    assert all("refuses the record: Broker: " in message for _, message in said(own_scenario, "keyless"))
    assert "worker died" not in service.words()


def test_on_error_stop_ends_the_service_at_the_refused_record(scenario, rng):
    scenario.arguments = NO_HOP
    fussy_sink(scenario, HOUR_AHEAD)
    produce(scenario.servers, scenario.in_topic, [at(ahead(rng))])
    service = scenario.launch(on_error="stop")
    assert service.wait() == 3
    assert "raise message.timestamp.after.max.ms of the topic" in service.words()


def test_a_dead_letter_topic_of_an_operators_own_takes_what_can_be_made_to_fit(scenario, rng):
    """It is compacted, takes no time ahead, and little."""
    config = {"cleanup.policy": "compact", "max.message.bytes": "3000", **HOUR_AHEAD}
    create_topic(scenario.servers, scenario.dead_letters, 1, config)
    alter_topic(scenario.servers, scenario.in_topic, EVERY_TIME)
    bad = [Sent(None, b"not json", 2, ahead(rng)), Sent("rex", b"\xff" * 5_000, 2, 5)]
    produce(scenario.servers, scenario.in_topic, bad)
    scenario.send([transaction("rex", 3_000)])
    service = scenario.start()
    wait_until(lambda: len(scenario.tail(scenario.dead_letters).read()) == 2)
    scenario.stop_all()
    keyless, cut = sorted(scenario.dead(), key=lambda letter: len(letter.value()))
    assert keyless.key() == f"{scenario.in_topic}[2]@0".encode()
    assert cut.key() == b"rex"
    assert headers_of(cut)[PREFIX + "timestamp"] == "5"
    assert "worker died" not in service.words()
    assert "commit aborted" in service.words()


def test_a_dead_letter_topic_that_refuses_all_the_same_ends_the_service_and_says_what_to_do(scenario):
    create_topic(scenario.servers, scenario.dead_letters, 1, {"max.message.bytes": "150"})
    scenario.send([transaction("rex", 3_000), Sent("rex", b"not json")])
    service = scenario.launch()
    assert service.wait() == 2
    assert f"the dead-letter topic {scenario.dead_letters} refuses a dead letter" in service.words()
    assert "message.timestamp.*" in service.words()


def test_a_repartition_topic_that_an_operator_has_narrowed_refuses_only_its_records(scenario, rng):
    alter_topic(scenario.servers, scenario.in_topic, EVERY_TIME)
    hop = f"{scenario.application_id}-extract-user-repartition"
    create_topic(scenario.servers, hop, PARTITIONS, HOUR_AHEAD)
    send_with_refused(scenario, rng, 1, [at(ahead(rng), f"late-{n}") for n in range(10)])
    service = scenario.start()
    wait_until(lambda: scenario.tail(scenario.dead_letters).read())
    scenario.send(transactions(rng, 2_000))
    scenario.finish()
    assert {stage for stage, _ in said(scenario)} == {"extract_user"}
    assert f"--entity-name {hop} --add-config message.timestamp.after.max.ms={ANY}" in service.words()
    assert "worker died" not in service.words()


def test_topics_of_an_earlier_version_take_every_time_from_the_next_start_on(scenario, rng):
    alter_topic(scenario.servers, scenario.in_topic, EVERY_TIME)
    hop = f"{scenario.application_id}-extract-user-repartition"
    create_topic(scenario.servers, hop, PARTITIONS, {"retention.ms": "-1"})
    create_topic(scenario.servers, scenario.dead_letters, 1, {"retention.ms": "-1"})
    service = scenario.start()
    made = {
        name: topic_config(scenario.servers, name)
        for name in (hop, scenario.dead_letters, scenario.changelog)
    }
    wanted = {**EVERY_TIME, "message.timestamp.type": "CreateTime"}
    assert all(config.items() >= wanted.items() for config in made.values())
    assert service.words().count("topic altered") == 2


def test_a_repartition_topic_that_is_compacted_is_refused_at_the_start(scenario):
    hop = f"{scenario.application_id}-extract-user-repartition"
    create_topic(scenario.servers, hop, PARTITIONS, {"cleanup.policy": "compact"})
    service = scenario.launch()
    assert service.wait() == 2
    assert "records would be lost before they are read; set cleanup.policy=delete" in service.words()

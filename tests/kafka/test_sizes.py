"""Records that are larger than their topic takes: they fail alone, and everything else goes on."""

import json
import string

import pytest

from tests.kafka.cluster import Sent, create_topic, produce, wait_until
from tests.kafka.model import totals_in, transaction, transactions
from tests.kafka.scenario import PARTITIONS
from tests.kafka.test_dead_letters import PREFIX, headers_of

LIMIT = 2_000
NARROW = {"max.message.bytes": str(LIMIT)}
HOP, NO_HOP = (), ("--partitioned-by-user",)


def long_name(rng):
    """So long that no record keyed by it fits, however it is compressed."""
    return "".join(rng.choices(string.ascii_letters, k=3 * LIMIT))


def send_with_oversized(scenario, rng, count, oversized):
    """Transactions, and among them some of users whose name alone is too large."""
    stream = transactions(rng, count)
    scenario.expected.add(stream)
    too_large = [transaction(long_name(rng), 3_000) for _ in range(oversized)]
    scenario.expected.dead += [(sent.key, sent.value) for sent in too_large]
    for sent in too_large:
        stream.insert(rng.randrange(len(stream)), sent)
    produce(scenario.servers, scenario.in_topic, stream)


def settled(scenario):
    """Whether all users that fit have their totals, and the others are dead letters.

    Of the latter, totals that were not committed may be left: nothing takes them back.
    """
    wanted = scenario.expected.totals
    found = totals_in(scenario.tail(scenario.changelog).read())
    dead = scenario.tail(scenario.dead_letters).read()
    return {u: found.get(u) for u in wanted} == wanted and len(dead) >= len(scenario.expected.dead)


def stages_and_messages(scenario):
    """What the dead letters of well-formed transactions say."""
    found = [headers_of(m) for m in scenario.dead() if len(m.key()) > LIMIT]
    return {(each[PREFIX + "stage"], each[PREFIX + "message"].partition(", which")[2]) for each in found}


@pytest.mark.parametrize("arguments", [HOP, NO_HOP], ids=["hop", "no-hop"])
def test_an_alert_that_is_too_large_is_the_failure_of_its_record_in_the_sink(scenario, rng, arguments):
    scenario.arguments = arguments
    scenario.out_topic = f"{scenario.application_id}-narrow"
    create_topic(scenario.servers, scenario.out_topic, PARTITIONS, NARROW)
    send_with_oversized(scenario, rng, 4_000, 30)
    service = scenario.start(workers=2)
    scenario.finish()
    advice = " takes 2000: make it smaller, or raise max.message.bytes of the topic"
    assert stages_and_messages(scenario) == {("encode_alert", advice)}
    assert "worker died" not in service.words()


def test_a_state_that_is_too_large_is_the_failure_of_the_record_that_made_it_so(scenario, rng):
    scenario.arguments = NO_HOP
    create_topic(scenario.servers, scenario.changelog, PARTITIONS, {**NARROW, "cleanup.policy": "compact"})
    send_with_oversized(scenario, rng, 4_000, 30)
    service = scenario.start()
    scenario.finish()
    assert {stage for stage, _ in stages_and_messages(scenario)} == {"add up"}
    assert "worker died" not in service.words()


def test_what_is_too_large_for_the_hop_is_the_failure_of_its_record_in_front_of_it(scenario, rng):
    create_topic(scenario.servers, f"{scenario.application_id}-extract-user-repartition", PARTITIONS, NARROW)
    send_with_oversized(scenario, rng, 2_000, 10)
    service = scenario.start()
    scenario.finish()
    assert {stage for stage, _ in stages_and_messages(scenario)} == {"extract_user"}
    assert "worker died" not in service.words()


def test_record_batches_of_small_records_keep_to_what_the_hop_takes(scenario, rng):
    hop = f"{scenario.application_id}-extract-user-repartition"
    create_topic(scenario.servers, hop, PARTITIONS, NARROW)
    scenario.send([transaction(f"user-{rng.randrange(100)}", 3_000) for _ in range(5_000)])
    service = scenario.start()
    scenario.finish()
    assert "commit aborted" not in service.words()


def test_small_records_never_make_a_batch_that_is_too_large(scenario, rng):
    scenario.out_topic = f"{scenario.application_id}-narrow"
    create_topic(scenario.servers, scenario.out_topic, 1, NARROW)
    scenario.send([transaction(f"user-{rng.randrange(100)}", 3_000) for _ in range(5_000)])
    service = scenario.start()
    scenario.finish()
    assert "commit aborted" not in service.words()


def test_at_least_once_too_a_record_that_is_too_large_fails_alone(scenario, rng):
    scenario.arguments = NO_HOP
    scenario.out_topic = f"{scenario.application_id}-narrow"
    create_topic(scenario.servers, scenario.out_topic, PARTITIONS, NARROW)
    send_with_oversized(scenario, rng, 500, 10)
    service = scenario.start(processing_guarantee="at_least_once")
    wait_until(lambda: settled(scenario))
    scenario.stop_all()
    assert {stage for stage, _ in stages_and_messages(scenario)} == {"encode_alert"}
    assert "worker died" not in service.words()


def test_a_dead_letter_that_is_too_large_is_cut_and_says_so(scenario, rng):
    scenario.send([transaction("rex", 3_000), Sent("rex", b"not json")])
    produce(scenario.servers, scenario.in_topic, [Sent("rex", rng.randbytes(900_000))])
    scenario.send([transaction("rex", 3_000)])
    service = scenario.launch(max_message_bytes=100_000)
    scenario.settle()
    scenario.stop_all()
    [short, cut] = sorted(scenario.dead(), key=lambda letter: len(letter.value()))
    assert short.value() == b"not json"
    assert 100_000 < len(cut.value()) < 300_000
    assert headers_of(cut)[PREFIX + "truncated"].endswith("the value had 900000, the key 3")
    assert "worker died" not in service.words()
    assert scenario.alerts() == {"rex": [3_000, 6_000]}


def test_a_result_that_the_client_itself_refuses_is_the_failure_of_its_record(scenario, rng):
    name = long_name(rng) * 50
    scenario.out_topic = f"{scenario.application_id}-ours"
    scenario.expected.dead.append((None, json.dumps({"user": name, "amount": 3_000})))
    produce(scenario.servers, scenario.in_topic, [Sent(None, scenario.expected.dead[0][1])])
    scenario.send([transaction("rex", 3_000)])
    service = scenario.start(max_message_bytes=200_000)
    scenario.settle()
    scenario.stop_all()
    assert "worker died" not in service.words()
    assert scenario.alerts() == scenario.expected.alerts
    assert len(scenario.dead()) == 1

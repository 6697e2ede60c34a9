"""Records at the edges of what there can be."""

import json
import random
import string

import pytest

from tests.kafka.cluster import Sent, produce
from tests.kafka.model import transaction

# Clients and brokers take a little less than 1 MiB by default, everything included.
MEGABYTE = 990_000
NAMES = ("", " ", "Käfer", "狗", "🐶🐕", "a\u0000b", '"quoted"\\', "faul\nty", "x" * 300)


def test_keys_and_names_of_every_kind_go_through_the_hop(scenario):
    keys = (None, b"", b"\xff\xfe", "other")
    named = [(name, key) for name in NAMES for key in keys[1:]]
    scenario.send([transaction(f"{name}{n}", 3_000, key) for n, (name, key) in enumerate(named)])
    scenario.send([Sent(None, json.dumps({"user": name, "amount": -9_000})) for name in NAMES])
    scenario.send([Sent(key, value) for key in keys for value in (b"", None, b"\x00", b"[]", b"null")])
    scenario.start(workers=2)
    scenario.finish()


def test_without_the_hop_a_record_that_is_not_keyed_by_its_user_is_a_dead_letter(scenario):
    scenario.arguments = ["--partitioned-by-user"]
    scenario.send(
        [transaction("", 3_000), *(transaction(f"{name}{n}", 3_000) for n, name in enumerate(NAMES))]
    )
    strangers = [
        Sent(key, json.dumps({"user": "rex", "amount": 1})) for key in (None, b"", b"\xff\xfe", "fido")
    ]
    scenario.expected.dead += [(sent.key, sent.value) for sent in strangers]
    produce(scenario.servers, scenario.in_topic, strangers)
    scenario.send([transaction("rex", 3_000)])
    scenario.start()
    scenario.finish()


def test_amounts_of_every_size_stay_exact(scenario):
    amounts = (10**30, -(10**40), 2**63, -(2**63) - 1, 0.1, 0.2, 1e300, 5e-324, -0.0, 0, 2000, 2001)
    scenario.send([transaction(f"user-{n}", amount) for n, amount in enumerate(amounts)])
    scenario.send([transaction(f"user-{n}", 1) for n in range(len(amounts))])
    scenario.start()
    scenario.finish()


@pytest.mark.parametrize("arguments", [(), ("--partitioned-by-user",)], ids=["hop", "no-hop"])
def test_records_of_a_megabyte(scenario, rng, arguments):
    scenario.arguments = arguments
    scenario.send([large(rng, {"user": f"user-{n}", "amount": 3_000}) for n in range(8)])
    scenario.send([Sent("rex", rng.randbytes(MEGABYTE)) for _ in range(8)])
    scenario.send([transaction("rex", 3_000)])
    scenario.start()
    scenario.finish()


def test_a_user_whose_name_is_a_megabyte_long(scenario, rng):
    scenario.out_topic = f"{scenario.application_id}-large"
    scenario.send([Sent(None, json.dumps({"user": text(rng, MEGABYTE - 100), "amount": 3_000}))] * 2)
    scenario.start()
    scenario.finish()


def large(rng, fields):
    """A transaction with an extra field that makes it a megabyte, as good as incompressible."""
    return Sent(fields["user"], json.dumps({**fields, "note": text(rng, MEGABYTE - 200)}))


def text(rng: random.Random, length: int) -> str:
    return "".join(rng.choices(string.printable.replace("\\", "").replace('"', "")[:90], k=length))

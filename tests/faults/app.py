"""The application under faults: each record changes the state of its user, and each change is written.

So a record that is lost, repeated or out of order shows in what comes out, whatever its value.
"""

import argparse
import time

import msgspec

import wallaroo

COUNT = 3


class Change(msgspec.Struct):
    user: str
    number: int
    amount: int
    nap_seconds: float = 0.0


class Balance(msgspec.Struct):
    changes: int = 0
    total: int = 0


class LargerBalance(msgspec.Struct):
    """That of a later release: fields in another order, and one more."""

    total: int = 0
    largest: int = 0
    changes: int = 0


class BalanceWithSlots:
    """That of another one, which is no Struct."""

    __slots__ = ("changes", "total", "users")

    def __init__(self):
        self.changes, self.total, self.users = 0, 0, []


def application_setup(args):
    options = _options(args)
    source = wallaroo.KafkaSourceConfig(
        options.in_topic,
        decoder=wallaroo.json_decoder(Change),
        partitioned_by=extract_user if options.shape == "keyed" else None,
    )
    changes = wallaroo.source("changes", source).key_by(extract_user)
    if options.release == "stage":
        changes = changes.to(look_at)
    results = changes.to(gather() if options.shape == "count" else add_up_in(RELEASES[options.release]))
    sink = wallaroo.KafkaSinkConfig(options.out_topic, encoder=encode)
    if options.shape == "tcp-sink":
        sink = wallaroo.TCPSinkConfig("127.0.0.1", options.receiver, encode_line)
    return wallaroo.build_application("faults", results.to_sink(sink))


@wallaroo.key_extractor
def extract_user(change):
    return change.user


@wallaroo.computation(name="look at")
def look_at(change):
    return change


RELEASES = {"first": Balance, "field": LargerBalance, "slots": BalanceWithSlots, "stage": Balance}


def add_up_in(state):
    @wallaroo.state_computation(name="add up", state=state)
    def add_up(change, balance):
        balance.changes += 1
        balance.total += change.amount
        if change.nap_seconds:
            time.sleep(change.nap_seconds)
        if change.user.startswith("faulty"):
            raise ValueError(f"{change.user} is not welcome")
        return change.user, f"{change.number}:{balance.changes}:{balance.total}"

    return add_up


class Gathered(wallaroo.Aggregation):
    """The numbers of a window, in their order."""

    def initial_accumulator(self):
        return ("", [])

    def update(self, change, gathered):
        return change.user, [*gathered[1], change.number]

    def combine(self, one, other):
        return one[0] or other[0], [*one[1], *other[1]]

    def output(self, key, gathered):
        return key, "-".join(map(str, gathered[1]))


def gather():
    return wallaroo.count_windows(COUNT).over(Gathered)


@wallaroo.encoder
def encode(result):
    user, text = result
    return text, user


@wallaroo.encoder
def encode_line(result):
    return f"{' '.join(result)}\n"


def _options(args):
    parser = argparse.ArgumentParser(prog="faults")
    parser.add_argument("--in-topic", required=True)
    parser.add_argument("--out-topic", required=True)
    parser.add_argument("--shape", choices=("keyed", "hop", "count", "tcp-sink"), default="hop")
    parser.add_argument(
        "--release", choices=RELEASES, default="first", help="which version of the code it is"
    )
    parser.add_argument("--receiver", type=int, default=7010, help="port of the TCP receiver")
    return parser.parse_known_args(args)[0]

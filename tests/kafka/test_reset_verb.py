"""`wallaroo reset` on a real Kafka: what starts behind it counts as a model does, and nothing between."""

import json

import pytest
from confluent_kafka.admin import AdminClient

from tests.kafka.cluster import Sent, produce, read_topic, wait_until
from tests.kafka.scenario import Scenario
from wallaroo.admin import resetting
from wallaroo.cli import main

PARTITIONS = 4


class Killed(BaseException):
    """As if the process had ended here."""


class Shop(Scenario):
    """Payments of some users over all partitions, and what a stage makes of them."""

    def __init__(self, *args):
        super().__init__(*args)
        self.application = "tests.kafka.totals"
        self.paid = 0
        self.admin = AdminClient({"bootstrap.servers": self.servers})

    @property
    def outbox(self):
        [found] = [name for name in self.admin.list_topics(timeout=10).topics if self._is_outbox(name)]
        return found

    def waiting(self, amount):
        """How many results of payments of this amount are in the outbox."""
        return sum(json.loads(m.value())["amount"] == amount for m in read_topic(self.servers, self.outbox))

    def _is_outbox(self, name):
        return name.startswith(self.application_id) and name.endswith("-outbox")

    def reset(self, *options):
        return main(["reset", self.application, *options, *self._command_line({})[1:]])

    def pay(self, *amounts):
        """One payment of each amount, in every partition one user, a second apart."""
        records = []
        for amount in amounts:
            self.paid += 1
            at = 1_000_000_000_000 + self.paid * 10_000
            for number in range(PARTITIONS):
                user = f"user-{number}"
                records.append(Sent(user, json.dumps({"user": user, "amount": amount}), number, at))
        produce(self.servers, self.in_topic, records)

    def results(self, field="total"):
        """By user, in the order of the output topic."""
        found = {}
        for message in read_topic(self.servers, self.out_topic):
            row = json.loads(message.value())
            found.setdefault(row["user"], []).append(row[field])
        return found

    def run(self, number, field="total", **settings):
        """Start, wait for so many results of each user, stop."""
        service = self.start(**settings)
        self.await_results(number, field)
        assert service.stop() == 0
        found = self.results(field)
        assert len(set(map(tuple, found.values()))) == 1
        return found["user-0"]

    def await_results(self, number, field="total"):
        wait_until(lambda: self._has(number, field), 90)

    def _has(self, number, field):
        found = self.results(field)
        return len(found) == PARTITIONS and all(len(each) >= number for each in found.values())

    def refused(self, **settings):
        service = self.launch(**settings)
        assert service.wait(60) == 2
        assert "Traceback" not in service.words()
        return service.words()


@pytest.fixture
def shop(bootstrap_servers, application_id, tmp_path):
    made = Shop(bootstrap_servers, application_id, tmp_path)
    made.create_topics()
    yield made
    made.dispose()


def interrupted_behind(monkeypatch, step):
    """Let a reset end, as if killed, behind the call of this function of it with this number."""
    name, number = step
    original, calls = getattr(resetting, name), []

    def call(*args):
        result = original(*args)
        calls.append(args)
        if len(calls) == number:
            raise Killed
        return result

    monkeypatch.setattr(resetting, name, call)


@pytest.mark.parametrize("guarantee", ["exactly_once", "at_least_once"])
@pytest.mark.parametrize("arguments", [(), ("--hop",), ("--hop", "--stages=add,count")], ids=str)
def test_all_is_processed_again_with_fresh_state(shop, arguments, guarantee):
    shop.arguments, shop.settings = arguments, {"processing_guarantee": guarantee}
    shop.pay(1, 2, 3)
    assert shop.run(3) == [1, 3, 6]
    assert shop.reset("--to-earliest", "--yes") == 0
    assert shop.run(6) == [1, 3, 6, 1, 3, 6]
    shop.pay(4)
    assert shop.run(7)[-1] == 10


def test_windows_begin_anew(shop):
    shop.arguments = ("--stages=windows", "--hop")
    shop.pay(1, 2, 3)
    assert shop.run(2) == [1, 2]
    assert shop.reset("--to-earliest", "--yes") == 0
    assert shop.run(4) == [1, 2, 1, 2]


def test_from_the_end_on_nothing_old_is_counted(shop):
    shop.arguments = ("--hop",)
    shop.pay(1, 2, 3)
    shop.run(3)
    shop.pay(7)
    assert shop.reset("--to-latest", "--yes") == 0
    shop.pay(5)
    assert shop.run(4) == [1, 3, 6, 5]


def test_from_a_time_and_from_offsets_on(shop):
    shop.pay(1, 2, 3)
    shop.run(3)
    # The time of the second payments.
    assert shop.reset("--to-time", "2001-09-09T01:47:00Z", "--yes") == 0
    assert shop.run(5) == [1, 3, 6, 2, 5]
    each = [f"--to-offset={shop.in_topic}:{number}=2" for number in range(PARTITIONS)]
    assert shop.reset(*each, "--yes") == 0
    assert shop.run(6) == [1, 3, 6, 2, 5, 3]
    assert shop.reset(*each[1:], "--yes") == 2


def test_it_says_what_it_does_and_a_dry_run_does_nothing(shop, capsys):
    shop.arguments = ("--hop",)
    shop.pay(1, 2)
    shop.run(2)
    assert shop.reset("--to-earliest", "--dry-run") == 0
    said = capsys.readouterr().out
    names = ["payments", "extract-user", "add-changelog", "extract-user-repartition"]
    assert all(f"{shop.application_id}-{name}" in said for name in names)
    assert f"What is in {shop.out_topic} stays" in said
    assert "nothing was done" in said
    shop.pay(3)
    assert shop.run(3) == [1, 3, 6]


def test_a_running_service_is_named_and_nothing_is_done(shop, capsys):
    shop.pay(1)
    shop.start()
    shop.await_results(1)
    assert shop.reset("--to-earliest", "--yes") == 2
    said = capsys.readouterr().err
    assert f"the group {shop.application_id}-payments has members: {shop.application_id}-payments-" in said
    assert said.count("\n") == 1
    shop.pay(2)
    shop.await_results(2)
    shop.stop_all()
    assert shop.results()["user-0"] == [1, 3]


STEPS = [("_mark", 1), ("_mark", 2), ("_delete_topics", 1), ("_delete_topics", 2), ("_delete_groups", 1)]


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_a_start_behind_an_interrupted_reset_is_refused_until_it_is_ended(shop, monkeypatch, step):
    shop.arguments = ("--hop",)
    shop.pay(1, 2, 3)
    shop.run(3)
    with monkeypatch.context() as patched:
        interrupted_behind(patched, step)
        with pytest.raises(Killed):
            shop.reset("--to-earliest", "--yes")
    assert "run the same `wallaroo reset` again" in shop.refused(on_position_mismatch="group")
    assert shop.results()["user-0"] == [1, 3, 6]
    assert shop.reset("--to-earliest", "--yes") == 0
    assert shop.run(6) == [1, 3, 6, 1, 3, 6]


def test_a_service_that_starts_meanwhile_ends_the_reset(shop, monkeypatch, capsys):
    shop.pay(1, 2)
    shop.run(2)
    original = resetting._mark

    def start_first(*args):
        shop.start()
        return original(*args)

    monkeypatch.setattr(resetting, "_mark", start_first)
    assert shop.reset("--to-earliest", "--yes") == 2
    assert "has members by now" in capsys.readouterr().err
    shop.pay(3)
    shop.await_results(3)
    shop.stop_all()
    assert shop.results()["user-0"] == [1, 3, 6]


def test_what_a_receiver_does_not_have_yet_is_delivered_or_dropped(shop, receiver, capsys):
    shop.arguments = (f"--receiver={receiver.address}",)
    shop.pay(1, 2)
    service = shop.start()
    wait_until(lambda: len(receiver.lines()) >= 2 * PARTITIONS, 60)
    assert service.stop() == 0
    assert shop.reset("--to-latest", "--yes") == 0
    receiver.close()
    shop.pay(5)
    service = shop.launch()
    wait_until(lambda: shop.waiting(5) == PARTITIONS, 60)
    assert service.stop() == 0
    capsys.readouterr()
    assert shop.reset("--to-earliest", "--yes") == 2
    assert (
        f"{shop.outbox} holds {PARTITIONS} records that their receiver does not have"
        in capsys.readouterr().err
    )
    assert shop.reset("--to-earliest", "--yes", "--drop-undelivered") == 0


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ((), "give one of --to-earliest"),
        (("--to-earliest", "--to-latest"), "give one of --to-earliest"),
        (("--to-time", "noon"), "--to-time takes a time"),
        (("--to-offset", "x"), "TOPIC:PARTITION=OFFSET"),
        (("--to-earliest",), "give --yes"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(shop, capsys, options, text):
    assert shop.reset(*options) == 2
    said = capsys.readouterr().err
    assert text in said
    assert said.count("\n") == 1


class Numbers(Scenario):
    """Numbers that a generator makes, doubled."""

    def __init__(self, *args):
        super().__init__(*args)
        self.application = "tests.kafka.counting"
        self.arguments = ("--end=20",)

    def reset(self, *options):
        return main(["reset", self.application, *options, *self._command_line({})[1:]])

    def run(self, number):
        service = self.start()
        wait_until(lambda: len(self.numbers()) >= number, 60)
        assert service.stop() == 0
        return self.numbers()

    def numbers(self):
        return sorted(int(m.value()) for m in read_topic(self.servers, self.out_topic))


@pytest.fixture
def numbers(bootstrap_servers, application_id, tmp_path):
    made = Numbers(bootstrap_servers, application_id, tmp_path)
    made.create_topics()
    yield made
    made.dispose()


def test_a_generator_begins_anew_or_goes_on(numbers):
    once = [2 * n for n in range(20)]
    assert numbers.run(20) == once
    assert numbers.reset("--to-earliest", "--yes") == 0
    assert numbers.run(40) == sorted(once * 2)
    assert numbers.reset("--to-latest", "--yes") == 0
    service = numbers.start()
    assert service.stop() == 0
    assert numbers.numbers() == sorted(once * 2)


@pytest.mark.parametrize("phase", [1, 2, 3, 4])
def test_a_generator_counts_right_wherever_its_reset_was_interrupted(numbers, monkeypatch, phase):
    once = [2 * n for n in range(20)]
    assert numbers.run(20) == once
    with monkeypatch.context() as patched:
        interrupted_behind(patched, ("_delete_topics", phase))
        with pytest.raises(Killed):
            numbers.reset("--to-earliest", "--yes")
    if phase < 4:
        service = numbers.launch()
        assert service.wait(60) == 2
        assert numbers.numbers() == once
        # A generator that was refused stays a member until its session is over.
        wait_until(lambda: numbers.reset("--to-earliest", "--yes") == 0, 60)
    assert numbers.run(40) == sorted(once * 2)

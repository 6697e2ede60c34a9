"""What operators do to offsets and topics: totals stay right, or a refusal says what leads out."""

import json

import pytest
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    ResourceType,
)

from tests.kafka.cluster import TIMEOUT_SECONDS, Sent, create_topic, produce, read_topic, wait_until
from tests.kafka.operator_tools import follow, use_tool
from tests.kafka.scenario import Scenario
from wallaroo.task.position import encode_hole

GUARANTEES = ["exactly_once", "at_least_once"]
PARTITION = 2


class Shop(Scenario):
    """Payments of one user, in one partition of several, and their totals."""

    def __init__(self, *args):
        super().__init__(*args)
        self.application = "tests.kafka.totals"
        self.paid = 0
        # Kept: an admin client that is garbage drops its requests.
        self.admin = AdminClient({"bootstrap.servers": self.servers})

    @property
    def stateful(self):
        return "extract-user" if "--hop" in self.arguments else "payments"

    @property
    def group(self):
        return f"{self.application_id}-payments"

    def pay(self, *amounts, gap_ms=10_000):
        """One payment each, with event times so far apart that each has a window of its own."""
        times = [1_000_000_000_000 + (self.paid + n) * gap_ms for n in range(len(amounts))]
        self.paid += len(amounts)
        payments = [json.dumps({"user": "rex", "amount": amount}) for amount in amounts]
        records = [Sent(b"rex", p, PARTITION, at) for p, at in zip(payments, times, strict=True)]
        produce(self.servers, self.in_topic, records)

    def results(self, field="total"):
        return [json.loads(m.value())[field] for m in read_topic(self.servers, self.out_topic)]

    def await_results(self, number):
        wait_until(lambda: len(self.results()) >= number, 60)
        return self.results()

    def run(self, number, **settings):
        """Start, wait for so many results in all, stop."""
        service = self.start(**settings)
        found = self.await_results(number)
        assert service.stop() == 0
        return found

    def refused(self, **settings):
        """Start, and return what it says when it ends because it refuses."""
        service = self.launch(**settings)
        assert service.wait(60) == 2
        assert "Traceback" not in service.words()
        return service.words()

    def start_led_out(self, way):
        """Start; if that is refused, as it may be, do what the refusal says first."""
        service = self.launch()
        wait_until(lambda: not service.running or service.status("/readyz") == 200, 60)
        if service.running:
            return service
        follow(service.words(), way)
        return self.start()

    def delete_offsets(self):
        """Of the group whose tasks have the state, as when they expire."""
        known = [group.group_id for group in self.admin.list_consumer_groups().result(TIMEOUT_SECONDS).valid]
        [group] = [g for g in known if g == f"{self.application_id}-{self.stateful}"]
        self.admin.delete_consumer_groups([group])[group].result(TIMEOUT_SECONDS)

    def move_group(self, offset, metadata=""):
        place = TopicPartition(self.in_topic, PARTITION, offset, metadata)
        places = ConsumerGroupTopicPartitions(self.group, [place])
        self.admin.alter_consumer_group_offsets([places])[self.group].result(TIMEOUT_SECONDS)

    def delete_topic(self, name):
        admin = self.admin
        admin.delete_topics([name])[name].result(TIMEOUT_SECONDS)
        wait_until(lambda: name not in admin.list_topics(timeout=10).topics)

    def set_policy(self, topic, policy):
        entry = ConfigEntry("cleanup.policy", policy, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
        self.admin.incremental_alter_configs([resource])[resource].result(TIMEOUT_SECONDS)

    def truncate(self, topic, offset):
        """Delete records: where a topic is compacted, the broker refuses that."""
        self.set_policy(topic, "delete")
        place = TopicPartition(topic, PARTITION, offset)
        self.admin.delete_records([place])[place].result(TIMEOUT_SECONDS)
        self.set_policy(topic, "compact")

    def make_anew(self, name, partitions=4, config=None):
        self.delete_topic(name)
        create_topic(self.servers, name, partitions, config)

    def use_group_tool(self, *arguments):
        servers = ["--bootstrap-server", self.servers]
        use_tool("kafka-consumer-groups.sh", *servers, "--group", self.group, *arguments)

    @property
    def positions(self):
        """The changelog of the group in front of the hop, which has no state."""
        return self.changelog_of("payments-positions")


COMPACTED = {"cleanup.policy": "compact"}
BACK, ANEW, ONCE = "to go on where the state is", "to begin anew", "to read"


@pytest.fixture
def shop(bootstrap_servers, application_id, tmp_path):
    made = Shop(bootstrap_servers, application_id, tmp_path)
    made.create_topics()
    yield made
    made.dispose()


@pytest.mark.parametrize("guarantee", GUARANTEES)
@pytest.mark.parametrize("arguments", [(), ("--hop",), ("--stages=add,count",)], ids=str)
def test_deleted_offsets_change_no_total(shop, arguments, guarantee):
    shop.arguments, shop.settings = arguments, {"processing_guarantee": guarantee}
    shop.pay(10, 10, 10)
    shop.run(3)
    shop.delete_offsets()
    shop.pay(10)
    service = shop.start()
    found = shop.await_results(4)
    assert service.stop() == 0
    assert found == [10, 20, 30, 40]
    assert "group without an offset" in service.words()


@pytest.mark.parametrize("guarantee", GUARANTEES)
def test_deleted_offsets_fill_no_window_twice(shop, guarantee):
    shop.arguments, shop.settings = ("--stages=windows",), {"processing_guarantee": guarantee}
    shop.pay(1, 2, 3)
    shop.run(2)
    shop.delete_offsets()
    shop.pay(4, 5)
    assert shop.run(4)[:4] == [1, 2, 3, 4]


def test_a_group_that_was_moved_back_is_refused_until_it_is_where_the_state_is(shop):
    shop.pay(10, 10, 10)
    shop.run(3)
    shop.move_group(1)
    shop.pay(10)
    words = shop.refused()
    assert (
        f"{shop.in_topic}[{PARTITION}]: the group {shop.group} is at offset 1, its state is at offset 3"
        in words
    )
    follow(words, BACK)
    assert shop.run(4) == [10, 20, 30, 40]


def test_a_group_that_was_moved_forward_is_refused_until_it_is_where_the_state_is(shop):
    shop.pay(10, 10, 10)
    shop.run(3)
    shop.pay(10, 10)
    shop.move_group(4)
    words = shop.refused()
    assert "would be left out" in words
    follow(words, BACK)
    assert shop.run(5) == [10, 20, 30, 40, 50]


def test_a_moved_group_is_followed_where_the_operator_says_so(shop):
    shop.pay(10, 10, 10)
    shop.run(3)
    shop.move_group(1)
    service = shop.start(on_position_mismatch="group")
    assert shop.await_results(5) == [10, 20, 30, 40, 50]
    assert service.stop() == 0
    assert "ERROR position mismatch" in service.words()
    shop.pay(1)
    assert shop.run(6)[-1] == 51


@pytest.mark.parametrize("guarantee", GUARANTEES)
@pytest.mark.parametrize("by_hand", [False, True])
def test_a_changelog_that_was_deleted_is_refused_until_all_begins_anew(shop, guarantee, by_hand):
    shop.settings = {"processing_guarantee": guarantee}
    shop.pay(10, 10, 10)
    shop.run(3)
    shop.delete_topic(shop.changelog_of("add"))
    if by_hand:
        create_topic(shop.servers, shop.changelog_of("add"), 4, COMPACTED)
    shop.pay(10)
    words = shop.refused()
    assert f"the changelog {shop.changelog_of('add')} was deleted and made anew: the state is lost" in words
    follow(words, ANEW)
    assert shop.run(7)[3:] == [10, 20, 30, 40]


def test_a_truncated_changelog_is_refused_until_all_begins_anew(shop):
    shop.pay(10, 10, 10)
    shop.run(3)
    shop.truncate(shop.changelog_of("add"), 2)
    words = shop.refused()
    assert "begins at offset 2" in words
    follow(words, ANEW)
    assert shop.run(6)[3:] == [10, 20, 30]


@pytest.mark.parametrize("lost", ["add", "count"])
def test_one_of_two_changelogs_that_was_deleted_is_refused_until_the_operator_accepts_it(shop, lost):
    shop.arguments = ("--stages=add,count",)
    shop.pay(10, 10, 10)
    shop.run(3)
    shop.delete_topic(shop.changelog_of(lost))
    shop.pay(10)
    words = shop.refused()
    assert f"the changelog {shop.changelog_of(lost)} was deleted and made anew" in words
    shop.run(4, on_position_mismatch="group")
    totals, counts = shop.results("total"), shop.results("count")
    assert (totals[3], counts[3]) == ((10, 4) if lost == "add" else (40, 1))
    shop.pay(10)
    assert shop.run(5)[4] == totals[3] + 10


def test_both_changelogs_and_the_group_that_were_deleted_begin_anew(shop):
    shop.arguments = ("--stages=add,count",)
    shop.pay(10, 10)
    shop.run(2)
    shop.delete_offsets()
    shop.delete_topic(shop.changelog_of("add"))
    words = shop.refused()
    follow(words, ANEW)
    assert shop.run(4)[2:] == [10, 20]


def test_a_source_topic_that_was_made_anew_is_refused_and_read_where_the_operator_says_so(shop):
    shop.pay(10, 10, 10)
    shop.run(3)
    shop.make_anew(shop.in_topic)
    shop.pay(5, 5, 5, 5)
    words = shop.refused()
    assert f"the topic {shop.in_topic} was deleted and made anew" in words
    follow(words, ONCE)
    assert shop.run(7, on_position_mismatch="group")[3:] == [35, 40, 45, 50]
    shop.pay(1)
    assert shop.run(8)[-1] == 51


def test_a_source_topic_that_is_made_anew_under_the_running_service_ends_it(shop):
    shop.pay(10, 10, 10)
    service = shop.start()
    shop.await_results(3)
    shop.make_anew(shop.in_topic)
    shop.pay(5, 5, 5, 5)
    assert service.wait(60) == 2
    # The consumer may find the new topic still shorter than the old one was.
    anew = f"{shop.in_topic} was deleted and made anew while the service was running"
    assert anew in service.words() or "the topic was made anew" in service.words()
    assert f"the topic {shop.in_topic} was deleted and made anew" in shop.refused()


@pytest.mark.parametrize("stages", ["add", "copy"])
def test_a_source_topic_that_is_deleted_under_the_running_service_ends_it(shop, stages):
    shop.arguments = (f"--stages={stages}",)
    shop.pay(10)
    service = shop.start()
    shop.await_results(1)
    shop.delete_topic(shop.in_topic)
    assert service.wait(60) == 2
    assert f"the topic {shop.in_topic} is gone" in service.words()


def test_a_changelog_that_is_deleted_under_the_running_service_ends_it(shop):
    shop.pay(10)
    service = shop.start()
    shop.await_results(1)
    shop.delete_topic(shop.changelog_of("add"))
    assert service.wait(60) == 2
    assert f"the topic {shop.changelog_of('add')} is gone" in service.words()


@pytest.mark.parametrize("running", [False, True])
def test_a_repartition_topic_that_was_made_anew_is_refused(shop, running):
    shop.arguments = ("--hop",)
    shop.pay(10, 10, 10)
    service = shop.start()
    shop.await_results(3)
    hop = f"{shop.application_id}-extract-user-repartition"
    if not running:
        assert service.stop() == 0
    shop.make_anew(hop)
    assert service.wait(60) == (2 if running else 0)
    assert not running or "made anew" in service.words()
    words = shop.refused()
    assert f"the topic {hop} was deleted and made anew" in words
    assert "start with another `--application-id`" in words


@pytest.mark.parametrize("running", [False, True])
def test_an_outbox_that_was_made_anew_is_noticed_and_delivered_from_its_beginning(shop, receiver, running):
    shop.arguments = ("--stages=copy", f"--receiver={receiver.address}")
    shop.pay(1, 2, 3)
    service = shop.start()
    wait_until(lambda: len(receiver.lines()) == 3)
    [outbox] = [
        t
        for t in shop.admin.list_topics(timeout=10).topics
        if t.startswith(shop.application_id) and t.endswith("-outbox")
    ]
    ended = 2 if running else service.stop()
    shop.make_anew(outbox)
    assert service.wait(60) == ended
    assert not running or "made anew" in service.words()
    shop.pay(4, 5)
    service = shop.start_led_out("to read")
    wait_until(lambda: len(receiver.lines()) >= 5)
    assert service.stop() == 0
    assert [json.loads(line)["total"] for line in receiver.lines()][3:] == [4, 5]


@pytest.mark.parametrize("stages", ["add", "copy"])
def test_latest_is_remembered_before_the_first_record_comes(shop, stages):
    shop.arguments, shop.settings = (f"--stages={stages}",), {"auto_offset_reset": "latest"}
    shop.pay(100)
    service = shop.start()
    wait_until(lambda: committed(shop) == 1)
    assert service.stop() == 0
    shop.pay(1, 1)
    shop.run(2)
    assert len(shop.results()) == 2


def committed(shop):
    place = TopicPartition(shop.in_topic, PARTITION)
    consumer = Consumer({"bootstrap.servers": shop.servers, "group.id": shop.group})
    [found] = consumer.committed([place], timeout=10)
    consumer.close()
    return found.offset


def test_a_new_stage_beside_an_old_one_begins_with_empty_state(shop):
    shop.pay(10, 10)
    shop.run(2)
    shop.arguments = ("--stages=count,add",)
    shop.pay(10)
    shop.run(3)
    shop.pay(10)
    shop.run(4)
    last = json.loads(read_topic(shop.servers, shop.out_topic)[-1].value())
    assert (last["total"], last["count"]) == (40, 2)


def test_a_stage_that_comes_back_to_old_state_is_refused_until_that_is_deleted(shop):
    shop.arguments = ("--stages=add,count",)
    shop.pay(10, 10)
    shop.run(2)
    shop.arguments = ("--stages=add",)
    shop.pay(10)
    shop.run(3)
    shop.arguments = ("--stages=add,count",)
    shop.pay(10)
    words = shop.refused()
    assert f"{shop.changelog_of('count')} holds state that was left behind" in words
    follow(words, "to begin with empty state there")
    shop.run(4)
    last = json.loads(read_topic(shop.servers, shop.out_topic)[-1].value())
    assert (last["total"], last["count"]) == (40, 1)


def test_state_without_a_position_goes_on_at_the_offset_of_its_group(shop):
    as_an_older_version_left_it(shop, offset=3)
    shop.pay(10, 10, 10, 10)
    assert shop.run(1) == [40]
    shop.delete_offsets()
    shop.pay(10)
    assert shop.run(2) == [40, 50]


@pytest.mark.parametrize("guarantee", GUARANTEES)
def test_a_group_in_front_of_a_hop_that_was_moved_back_is_refused_until_it_is_where_it_was(shop, guarantee):
    shop.arguments, shop.settings = ("--hop",), {"processing_guarantee": guarantee}
    shop.pay(10, 10, 10)
    shop.run(3)
    place = f"{shop.in_topic}:{PARTITION}"
    shop.use_group_tool("--reset-offsets", "--topic", place, "--to-offset", "1", "--execute")
    shop.pay(10)
    words = shop.refused()
    assert (
        f"{shop.in_topic}[{PARTITION}]: the group {shop.group} is at offset 1, "
        f"its position is at offset 3 ({shop.positions})" in words
    )
    follow(words, "to go on where the position is")
    assert shop.run(4) == [10, 20, 30, 40]


def test_a_group_in_front_of_a_hop_that_has_lost_the_offset_of_a_partition_goes_on_at_its_position(shop):
    shop.arguments = ("--hop",)
    shop.pay(10, 10, 10)
    shop.run(3)
    shop.use_group_tool("--delete-offsets", "--topic", f"{shop.in_topic}:{PARTITION}")
    shop.pay(10)
    service = shop.start()
    assert shop.await_results(4) == [10, 20, 30, 40]
    assert service.stop() == 0
    assert f"the group {shop.group} has no offset, its position is at offset 3" in service.words()


def test_a_group_in_front_of_a_hop_goes_on_where_an_older_version_left_it(shop):
    shop.arguments = ("--hop",)
    shop.pay(10, 10, 10)
    shop.run(3)
    shop.delete_topic(shop.positions)
    # Offsets without metadata, as before positions were written.
    shop.use_group_tool("--reset-offsets", "--topic", shop.in_topic, "--to-latest", "--execute")
    shop.pay(10)
    assert shop.run(4) == [10, 20, 30, 40]
    shop.move_group(1)
    assert "would be counted again behind it" in shop.refused()


def test_positions_that_were_deleted_are_missed_until_the_operator_trusts_the_group(shop):
    shop.arguments = ("--hop",)
    shop.pay(10, 10, 10)
    shop.run(3)
    shop.delete_topic(shop.positions)
    shop.pay(10)
    words = shop.refused()
    assert f"{shop.positions} was deleted and made anew: its position is lost" in words
    assert shop.run(4, on_position_mismatch="group") == [10, 20, 30, 40]
    shop.pay(10)
    assert shop.run(5)[-1] == 50


def test_positions_and_group_that_are_gone_are_refused_until_the_operator_names_the_offset(shop):
    shop.arguments = ("--hop",)
    shop.pay(10, 10, 10)
    shop.run(3)
    shop.delete_topic(shop.positions)
    shop.admin.delete_consumer_groups([shop.group])[shop.group].result(TIMEOUT_SECONDS)
    words = shop.refused()
    assert "it would be counted again behind that" in words
    follow(words, "if all had been read")
    shop.pay(10)
    assert shop.run(4) == [10, 20, 30, 40]


def test_what_a_first_commit_that_was_aborted_has_left_behind_a_hop_is_no_reason_to_refuse(shop):
    shop.arguments = ("--hop",)
    hop = f"{shop.application_id}-extract-user-repartition"
    create_topic(shop.servers, hop, 4)
    producer = Producer({"bootstrap.servers": shop.servers, "transactional.id": f"{hop}-dead"})
    producer.init_transactions(TIMEOUT_SECONDS)
    producer.begin_transaction()
    producer.produce(hop, b"what nobody reads", b"rex", 0)
    producer.flush(TIMEOUT_SECONDS)
    producer.abort_transaction(TIMEOUT_SECONDS)
    shop.pay(10, 10, 10)
    assert shop.run(3) == [10, 20, 30]


def test_a_source_in_front_of_a_hop_may_get_more_partitions_under_the_running_service(shop):
    shop.arguments = ("--hop",)
    shop.settings = {"kafka": "topic.metadata.refresh.interval.ms=1000"}
    shop.pay(10)
    service = shop.start()
    shop.await_results(1)
    shop.admin.create_partitions([NewPartitions(shop.in_topic, 6)])[shop.in_topic].result(TIMEOUT_SECONDS)
    wait_until(lambda: len(shop.admin.list_topics(shop.positions, 10).topics[shop.positions].partitions) == 6)
    produce(shop.servers, shop.in_topic, [Sent(b"rex", b'{"user": "rex", "amount": 10}', 5)])
    assert shop.await_results(2) == [10, 20]
    assert service.stop() == 0
    shop.pay(10)
    assert shop.run(3)[-1] == 30


def test_state_without_a_position_or_a_group_is_refused_until_the_operator_names_the_offset(shop):
    as_an_older_version_left_it(shop, offset=None)
    shop.pay(10, 10, 10, 10)
    words = shop.refused()
    assert "nothing says up to which record" in words
    follow(words.replace("OFFSET", "3"), "to go on at an 3 ")
    assert shop.run(1) == [40]


def as_an_older_version_left_it(shop, offset):
    """A state of 30, and a group at the offset, if there is one."""
    create_topic(shop.servers, shop.changelog_of("add"), 4, COMPACTED)
    produce(shop.servers, shop.changelog_of("add"), [Sent(b"rex", b'1J{"total":30}', PARTITION)])
    if offset is not None:
        shop.move_group(offset)


def test_partitions_that_are_added_under_the_running_service_end_it(shop):
    shop.pay(10)
    shop.settings = {"kafka": "topic.metadata.refresh.interval.ms=1000"}
    service = shop.start()
    shop.await_results(1)
    shop.admin.create_partitions([NewPartitions(shop.in_topic, 6)])[shop.in_topic].result(TIMEOUT_SECONDS)
    assert service.wait(60) == 2
    assert "partitions were added while the service was running" in service.words()
    assert "but its input has 6: state would go to the wrong place" in shop.refused()


def test_a_group_that_is_marked_as_missing_results_is_refused_until_the_operator_has_chosen(shop):
    shop.arguments = ("--stages=copy",)
    shop.pay(1, 2, 3)
    shop.run(3)
    shop.move_group(3, metadata=encode_hole(1))
    shop.pay(4)
    words = shop.refused()
    assert "results from offset 1 on are missing" in words
    follow(words, "to process these records again")
    assert shop.run(6) == [1, 2, 3, 2, 3, 4]


def test_a_position_that_its_topic_does_not_take_ends_the_service_and_names_the_property(shop):
    create_topic(shop.servers, shop.changelog_of("add"), 4, {**COMPACTED, "max.message.bytes": "100"})
    shop.pay(10)
    words = shop.refused()
    assert f"{shop.changelog_of('add')} refuses what the service itself writes: Broker: Message size" in words
    assert "max.message.bytes" in words


def test_positions_are_one_small_record_for_each_commit(shop):
    shop.pay(10, 10)
    shop.run(2)
    found = [m for m in read_topic(shop.servers, shop.changelog_of("add")) if b"position" in m.key()]
    assert all(len(m.value()) < 400 for m in found)

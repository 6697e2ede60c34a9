"""What the answers of a cluster to our admin requests mean: say what to change, or try again."""

from concurrent.futures import Future
from types import SimpleNamespace

import pytest
from confluent_kafka import KafkaError, KafkaException

import wallaroo
from tests.samples import KAFKA_SINK, compiled, source, total, user
from wallaroo.errors import KafkaSetupError
from wallaroo.kafka.topics import ensure_topics
from wallaroo.settings import Settings

SETTINGS = Settings(create_topics=True)
TOPOLOGY = compiled(source().key_by(user).to(total), KAFKA_SINK)
CHANGELOG = "some-app-total-changelog"
POSITIONS = "some-app-in-positions-changelog"


def answer(value):
    future = Future()
    if isinstance(value, KafkaError):
        future.set_exception(KafkaException(value))
    else:
        future.set_result(value)
    return future


class FakeAdmin:
    """A cluster that has some topics and answers every request alike."""

    def __init__(self, topics=(), created=None, described=None):
        self._topics, self._created, self._described = topics, created, described

    def list_topics(self, timeout):
        return SimpleNamespace(topics={name: SimpleNamespace(partitions=range(4)) for name in self._topics})

    def create_topics(self, new, request_timeout):
        return {topic.topic: answer(self._created) for topic in new}

    def describe_configs(self, resources, request_timeout):
        return {resource: answer(self._described) for resource in resources}


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, "set create_topics=false"),
        (KafkaError.CLUSTER_AUTHORIZATION_FAILED, "set create_topics=false"),
        (KafkaError.POLICY_VIOLATION, "set max_message_bytes and topic_config to what the cluster allows"),
        (KafkaError.TOPIC_DELETION_DISABLED, "see the broker's log"),
        (KafkaError.INVALID_REPLICATION_FACTOR, "replication_factor"),
        (KafkaError.INVALID_CONFIG, "topic_config"),
    ],
)
def test_a_cluster_that_will_not_create_a_topic_is_left_with_advice(code, advice):
    with pytest.raises(KafkaSetupError, match="cannot be created") as refused:
        ensure_topics(FakeAdmin(created=KafkaError(code)), TOPOLOGY, SETTINGS)
    assert advice in str(refused.value)


def test_a_topic_of_others_may_only_be_hidden_and_the_text_says_which_right_shows_it():
    admin = FakeAdmin(created=KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))
    with pytest.raises(KafkaSetupError, match=r"is there, allow this client (Read|Write) on it"):
        ensure_topics(admin, TOPOLOGY, SETTINGS)
    with pytest.raises(KafkaSetupError, match=r"topics are missing.*allow this client (Read|Write) on it"):
        ensure_topics(FakeAdmin(), TOPOLOGY, SETTINGS.model_copy(update={"create_topics": False}))


@pytest.mark.parametrize(
    "code",
    [
        KafkaError._TIMED_OUT,
        KafkaError._TRANSPORT,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.NOT_CONTROLLER,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
    ],
)
def test_a_cluster_that_cannot_create_a_topic_at_this_moment_is_asked_again(code):
    with pytest.raises(KafkaException):
        ensure_topics(FakeAdmin(created=KafkaError(code)), TOPOLOGY, SETTINGS)


def test_a_topic_that_somebody_else_has_just_created_is_there():
    admin = FakeAdmin(created=KafkaError(KafkaError.TOPIC_ALREADY_EXISTS))
    assert ensure_topics(admin, TOPOLOGY, SETTINGS)[CHANGELOG] == SETTINGS.partitions


def test_a_configuration_that_may_not_be_read_is_no_cluster_that_is_away():
    admin = FakeAdmin(topics=[CHANGELOG], described=KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))
    with pytest.raises(KafkaSetupError, match=f"{CHANGELOG} cannot be read.*DescribeConfigs"):
        ensure_topics(admin, TOPOLOGY, SETTINGS)


def test_a_configuration_that_cannot_be_read_at_this_moment_is_asked_for_again():
    admin = FakeAdmin(topics=[CHANGELOG], described=KafkaError(KafkaError._TIMED_OUT))
    with pytest.raises(KafkaException):
        ensure_topics(admin, TOPOLOGY, SETTINGS)


class StrictAdmin(FakeAdmin):
    """A cluster whose policy limits properties; `configs` are those of the topics that it has created."""

    def __init__(self, most_bytes, least_segment=0):
        super().__init__()
        self._most_bytes, self._least_segment = most_bytes, least_segment
        self.configs = {}

    def create_topics(self, new, request_timeout):
        return {topic.topic: answer(self._create(topic)) for topic in new}

    def _create(self, topic):
        bytes_, segment = (int(topic.config.get(name, -1)) for name in ("max.message.bytes", "segment.bytes"))
        if bytes_ > self._most_bytes or 0 <= segment < self._least_segment:
            return KafkaError(KafkaError.POLICY_VIOLATION, "not allowed")
        self.configs[topic.topic] = topic.config
        return None


@pytest.mark.parametrize(("most", "chosen"), [(8_388_608, "8388608"), (1_048_576, None)])
def test_topics_ask_for_less_where_the_cluster_does_not_allow_the_default(most, chosen):
    admin = StrictAdmin(most)
    ensure_topics(admin, TOPOLOGY, SETTINGS)
    assert {config.get("max.message.bytes") for config in admin.configs.values()} == {chosen}
    assert admin.configs[CHANGELOG]["cleanup.policy"] == "compact"


def test_what_the_operator_has_asked_for_is_not_lowered_in_silence():
    settings = Settings(create_topics=True, max_message_bytes=10_485_760)
    with pytest.raises(KafkaSetupError, match="set max_message_bytes and topic_config"):
        ensure_topics(StrictAdmin(8_388_608), TOPOLOGY, settings)


def test_segments_that_are_too_small_for_the_cluster_are_left_to_it():
    admin = StrictAdmin(8_388_608, least_segment=52_428_800)
    topology = compiled(
        wallaroo.source("numbers", wallaroo.GenSourceConfig("numbers", Numbers())), KAFKA_SINK
    )
    ensure_topics(admin, topology, SETTINGS)
    positions = admin.configs[topology.generators[0].positions]
    assert "segment.bytes" not in positions
    assert positions["cleanup.policy"] == "compact"


class Numbers:
    def initial_value(self):
        return 0

    def apply(self, previous):
        return previous + 1


class Grown(FakeAdmin):
    """A cluster whose source has 4 partitions and whose topic of positions has 2."""

    def __init__(self, grows):
        super().__init__(topics=["in-topic", POSITIONS], created=None, described=None)
        self.asked, self._grows = [], grows

    def list_topics(self, timeout):
        topics = super().list_topics(timeout).topics
        topics[POSITIONS].partitions = range(2)
        return SimpleNamespace(topics=topics)

    def create_partitions(self, wanted, request_timeout):
        self.asked += [(each.topic, each.new_total_count) for each in wanted]
        return {each.topic: answer(self._grows) for each in wanted}

    def describe_configs(self, resources, request_timeout):
        compact = {"cleanup.policy": SimpleNamespace(value="compact", source=1)}
        return {resource: answer(compact) for resource in resources}


@pytest.mark.parametrize("grows", [None, KafkaError(KafkaError.INVALID_PARTITIONS)])
def test_a_topic_of_positions_grows_with_its_source_whoever_is_first(grows):
    cluster = Grown(grows)
    assert ensure_topics(cluster, TOPOLOGY, SETTINGS)[POSITIONS] == 4
    assert cluster.asked == [(POSITIONS, 4)]


def test_a_topic_of_positions_that_may_not_grow_is_refused_with_the_command():
    cluster = Grown(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))
    with pytest.raises(KafkaSetupError, match=f"--alter --topic {POSITIONS} --partitions 4`"):
        ensure_topics(cluster, TOPOLOGY, SETTINGS)


def test_a_topic_of_positions_that_cannot_grow_at_this_moment_is_asked_again():
    with pytest.raises(KafkaException):
        ensure_topics(Grown(KafkaError(KafkaError.NOT_CONTROLLER)), TOPOLOGY, SETTINGS)

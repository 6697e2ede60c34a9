"""A topic that is deleted or made anew under a running loop is noticed, and nothing waits for the answer."""

from concurrent.futures import Future
from types import SimpleNamespace

import pytest
from confluent_kafka import KafkaError, KafkaException

from wallaroo.clock import ManualClock
from wallaroo.errors import KafkaSetupError
from wallaroo.kafka.topic_ids import TopicWatch, ask_topic_ids, topic_watch

OLD, NEW = "o" * 22, "n" * 22


class Cluster:
    """Answers what `topics` holds for a topic, an id or an error, or not yet while it is `silent`."""

    def __init__(self, **topics):
        self.topics = topics
        self.silent = False
        self.asked = 0

    def describe_topics(self, wanted, request_timeout):
        self.asked += 1
        return {topic: self._answer(topic) for topic in wanted.topic_names}

    def _answer(self, topic):
        answer = Future()
        if self.silent:
            return answer
        found = self.topics[topic]
        if isinstance(found, int):
            answer.set_exception(KafkaException(KafkaError(found)))
        else:
            answer.set_result(SimpleNamespace(topic_id=found))
        return answer


class Watching:
    def __init__(self, cluster, known=OLD):
        self.cluster, self.clock = cluster, ManualClock()
        self.watch = TopicWatch(cluster, {"in": known}, self.clock)

    def after(self, seconds):
        """Check every tenth of a second."""
        for _ in range(round(seconds * 10)):
            self.clock.advance(100)
            self.watch.check()


def test_a_topic_that_stays_is_asked_for_every_two_seconds():
    watching = Watching(Cluster(**{"in": OLD}))
    watching.after(10)
    assert watching.cluster.asked in (4, 5)


def test_a_topic_that_was_made_anew_ends_the_loop():
    watching = Watching(Cluster(**{"in": NEW}))
    with pytest.raises(KafkaSetupError, match="the topic in was deleted and made anew while the service"):
        watching.after(5)


def test_a_topic_that_is_gone_ends_the_loop_after_a_while():
    watching = Watching(Cluster(**{"in": KafkaError.UNKNOWN_TOPIC_OR_PART}))
    watching.after(6)
    with pytest.raises(KafkaSetupError, match="the topic in is gone"):
        watching.after(6)


def test_a_topic_that_is_unknown_for_a_moment_is_not_gone():
    watching = Watching(Cluster(**{"in": KafkaError.UNKNOWN_TOPIC_OR_PART}))
    watching.after(6)
    watching.cluster.topics["in"] = OLD
    watching.after(4)
    watching.cluster.topics["in"] = KafkaError.UNKNOWN_TOPIC_OR_PART
    watching.after(6)


def test_a_cluster_that_does_not_answer_is_not_asked_again():
    watching = Watching(Cluster(**{"in": NEW}))
    watching.cluster.silent = True
    watching.after(30)
    assert watching.cluster.asked == 1


def test_a_cluster_that_answers_with_another_error_says_nothing():
    watching = Watching(Cluster(**{"in": KafkaError.TOPIC_AUTHORIZATION_FAILED}))
    watching.after(30)


def test_ids_that_the_cluster_does_not_tell_are_left_out():
    forbidden, none = KafkaError.TOPIC_AUTHORIZATION_FAILED, "A" * 22
    cluster = Cluster(known=OLD, secret=forbidden, ancient=none)
    assert ask_topic_ids(cluster, ["known", "secret", "ancient"]) == {"known": OLD}


def test_a_topic_that_was_gone_before_the_first_question_ends_the_loop_too():
    clock, cluster = ManualClock(), Cluster(**{"in": KafkaError.UNKNOWN_TOPIC_OR_PART})
    watching = Watching(cluster)
    watching.watch, watching.clock = topic_watch(cluster, ["in"], clock), clock
    with pytest.raises(KafkaSetupError, match="the topic in is gone"):
        watching.after(12)


def test_a_topic_whose_id_is_not_known_yet_has_the_first_one_that_is_told():
    watching = Watching(Cluster(**{"in": OLD}), known=None)
    watching.after(10)
    watching.cluster.topics["in"] = NEW
    with pytest.raises(KafkaSetupError, match="made anew"):
        watching.after(5)

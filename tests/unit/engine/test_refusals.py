"""Which records a broker refuses: found by sending them in ever smaller portions."""

from confluent_kafka import KafkaError
from hypothesis import given
from hypothesis import strategies as st

from wallaroo.engine.refusals import refusal_of
from wallaroo.record import Batch, Causes, Changes, Partition
from wallaroo.task.limits import RecordLimits, TopicLimits

NOW = 1_796_000_000_000
OPEN = RecordLimits(10_000, {}, lambda: NOW)
INVALID = KafkaError(KafkaError.INVALID_RECORD)


class Broker:
    """Refuses whole portions because of some values, and says the same of each record in them."""

    def __init__(self, *refused, error=INVALID):
        self.refused, self.error, self.sent = refused, error, []

    def send(self, outputs):
        self.sent.append(len(outputs))
        spoilt = any(output[1] in self.refused for output in outputs)
        return dict.fromkeys(range(len(outputs)), self.error) if spoilt else {}


def batch(*values, timestamp_ms=NOW, changes=(), causes=True):
    outputs = [("out", value, b"k", -1, None, None, timestamp_ms) for value in values]
    known = Causes({index: (index, 0) for index in range(len(values))}, {("log", b"a"): (7, 0)})
    return Batch(Partition("in", 1), 1, 1, 0, outputs, changes, {}, {}, causes=known if causes else None)


def found(broker, *batches, error=INVALID, limits=OPEN):
    return refusal_of(lambda: limits, lambda: broker.send, batches, error)


@given(st.sets(st.integers(0, 3_000), min_size=1, max_size=15))
def test_whoever_is_refused_alone_is_found_and_nobody_else(refused):
    broker = Broker(*refused)
    portion = min(refused) // 1_000
    refusal = found(broker, batch(*range(3_001)))
    assert [r.cause[0] for r in refusal.records] == sorted(n for n in refused if n // 1_000 == portion)


def test_it_takes_a_few_questions_to_find_one_of_many():
    broker = Broker(567)
    found(broker, batch(*range(1_000)))
    assert len(broker.sent) <= 31


def test_no_more_than_enough_are_sought_at_once():
    assert len(found(Broker(*range(1_000)), batch(*range(1_000))).records) == 20


def test_a_refused_change_names_the_record_that_made_it():
    changes = [Changes("store", "log", {b"a": b"bad", b"b": b"good"})]
    [record] = found(Broker(b"bad"), batch(changes=changes)).records
    assert (record.cause, record.output) == ((7, 0), ("log", b"bad", b"a", 1))


def test_of_what_was_not_replayed_nothing_is_asked():
    broker = Broker(1)
    assert found(broker, batch(1, causes=False)).records == []
    assert broker.sent == []


def test_an_error_of_the_cluster_blames_nobody():
    broker = Broker(1)
    for code in (
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.NOT_ENOUGH_REPLICAS,
        KafkaError.INVALID_PRODUCER_EPOCH,
    ):
        assert found(broker, batch(1), error=KafkaError(code)) is None
    assert broker.sent == []


def test_an_error_that_may_mean_anything_blames_only_what_exceeds_a_limit():
    limits = RecordLimits(10_000, {"out": TopicLimits(compresses=True)}, lambda: NOW)
    unknown = KafkaError(KafkaError.UNKNOWN)
    assert found(Broker(b"a"), batch(b"a"), error=unknown, limits=limits) is None
    assert found(Broker(b"a"), batch(b"a", timestamp_ms=-5), error=unknown, limits=limits).records == ()


def test_a_refused_time_teaches_what_is_refused_too():
    error = KafkaError(KafkaError.INVALID_TIMESTAMP)
    refusal = found(Broker(1, error=error), batch(1, timestamp_ms=NOW + 5_000))
    assert refusal.limits.topics["out"].after_ms == 4_999


def test_a_present_that_is_refused_as_a_time_is_the_clocks_fault_and_no_records():
    error = KafkaError(KafkaError.INVALID_TIMESTAMP)
    [record] = found(Broker(1, error=error), batch(1, timestamp_ms=0)).records
    assert record.cause is None

"""What a sink in another cluster says when its topic cannot be written to."""

import pytest
from confluent_kafka import KafkaError, KafkaException

from wallaroo.clock import ManualClock
from wallaroo.connectors.kafka_remote.sink import KafkaSink
from wallaroo.topology.model import RemoteTopic

# Longer than any pause between two attempts.
PAUSE_MS = 60_000


class FarAway:
    """A producer that never learns of its topic, for one reason after the other."""

    def __init__(self, reasons):
        self._reasons = list(reasons)

    def list_topics(self, _topic, _timeout):
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT, self._reasons.pop(0)))


@pytest.mark.parametrize(
    ("reasons", "said"),
    [(["slow", "slow", "slow"], ["slow"]), (["slow", "unknown", "slow"], ["slow", "unknown"])],
    ids=["the same", "another"],
)
def test_every_reason_is_said_once(caplog, reasons, said):
    clock = ManualClock()
    far = FarAway(reasons)
    sink = KafkaSink(RemoteTopic("alerts", (("far", "9092"),)), lambda _: far, None, clock.monotonic, 1)
    for _ in reasons:
        assert sink.pump() == []
        clock.advance(PAUSE_MS)
    assert [record.error for record in caplog.records if record.message == "sink not connected"] == said

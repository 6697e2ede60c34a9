"""What the outbox of another cluster says of a record: its partition there, and behind that its headers."""

import pytest

from wallaroo.connectors.kafka_remote.producers import _chosen
from wallaroo.testing.logs import Message, Record


@pytest.mark.parametrize(
    ("headers", "partition", "others"),
    [
        ((), -1, []),
        ([("partition", b"3")], 3, []),
        ([("partition", b""), ("trace", b"t"), ("partition", b"of the user")], -1, None),
        ([("partition", b"2"), ("empty", None)], 2, None),
        ([("strange", b"3"), ("partition", b"3")], -1, []),
        ([("partition", None)], -1, []),
    ],
)
def test_our_own_header_comes_first_and_the_rest_is_the_records(headers, partition, others):
    record = Message(Record("box", 0, 0, b"v", None, 0, headers))
    assert _chosen(record) == (partition, list(headers)[1:] if others is None else others)

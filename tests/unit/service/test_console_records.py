"""What is made of contents, and when nothing is read; tests/kafka/test_console_records.py has a Kafka."""

import pytest

from tests.unit.service.test_queries import AT_THE_SOURCE
from wallaroo.clock import ManualClock
from wallaroo.errors import SettingsError
from wallaroo.service.console_records import KafkaRecords, _content
from wallaroo.settings import Settings


@pytest.mark.parametrize(
    ("data", "kind", "text"),
    [
        (None, "none", ""),
        (b"", "text", ""),
        (b'{"n": 12345678901234567890}', "json", '{"n": 12345678901234567890}'),
        (b"[1]", "json", "[1]"),
        (b"17", "text", "17"),
        ("Zürich\tis\nhere".encode(), "text", "Zürich\tis\nhere"),
        (b"\x00\x01\xff", "bytes", "00 01 ff"),
        (b"\x1b[31m", "bytes", "1b 5b 33 31 6d"),
        (b"[" * 100_000, "text", "[" * 65_536),
    ],
    ids=lambda each: repr(each)[:20],
)
def test_a_content_is_json_text_or_bytes(data, kind, text):
    found = _content(data)
    assert (found["kind"], found["text"]) == (kind, text)
    assert found["size"] == len(data or b"")
    assert found["is_cut"] is (len(data or b"") > 65_536)


def test_what_is_cut_may_end_inside_of_a_character():
    found = _content("ü".encode() * 100, most=10)
    assert (found["kind"], found["text"], found["is_cut"]) == ("text", "ü" * 10, True)
    odd = _content(b"a" + "€".encode() * 100, most=10)
    assert (odd["kind"], odd["text"], odd["is_cut"]) == ("text", "a" + "€" * 9, True)


def test_large_bytes_are_shown_from_their_beginning():
    found = _content(b"\xff" * 100, most=9)
    assert (found["text"], found["size"], found["is_cut"]) == ("ff ff ff", 100, True)


def test_the_embedded_broker_is_not_asked_what_it_cannot_say():
    clock = ManualClock(0)
    records = KafkaRecords(AT_THE_SOURCE, Settings(embedded_broker=True), None, clock)
    with pytest.raises(SettingsError, match="embedded broker"):
        records.listed("", "")
    assert records.progress() == {"verb": None}

"""Dead letters: the record as it was, and why it failed."""

import pytest

from tests.unit.task.fakes import record
from wallaroo.errors import StopProcessing
from wallaroo.record import ANY_PARTITION, Partition
from wallaroo.task.dead_letters import FailureHandler, OnError


class MuteError(Exception):
    """Its text cannot be had."""

    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __str__


def rejected(error, policy=OnError.DEAD_LETTER, **given):
    """What is written about one failed record."""
    written = []
    FailureHandler(policy, "dlq", Partition("in", 1), written.append).reject(
        record(**given), "my stage", error
    )
    return written


def reasons(error):
    (output,) = rejected(error)
    return {name.removeprefix("__streams.errors."): value.decode() for name, value in output[-1]}


def caught(action):
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it is
        action()
    return caught.value


def test_the_record_is_kept_as_it_was():
    (output,) = rejected(ValueError("bad"), value=b"v", key=b"k", timestamp_ms=7, headers=[("trace", b"1")])
    assert output[:7] == ("dlq", b"v", b"k", ANY_PARTITION, None, None, 0)
    assert output[7][0] == ("trace", b"1")


def test_an_empty_record_is_kept_too():
    (output,) = rejected(ValueError("bad"), value=None)
    assert output[1:3] == (None, None)


def test_six_headers_as_kafka_streams_names_them_and_the_time_and_the_stage():
    (output,) = rejected(ValueError("bad"))
    prefix = "__streams.errors."
    names = ["exception", "message", "stacktrace", "topic", "partition", "offset", "timestamp", "stage"]
    assert [name for name, _ in output[-1]] == [prefix + name for name in names]


def test_the_headers_say_what_failed_and_where():
    (output,) = rejected(KeyError("user"), offset=42)
    found = {name.removeprefix("__streams.errors."): value for name, value in output[-1]}
    assert found["exception"] == b"builtins.KeyError"
    assert found["message"] == b"'user'"
    assert (found["topic"], found["partition"], found["offset"]) == (b"in", b"1", b"42")
    assert found["stage"] == b"my stage"


def test_the_stacktrace_leads_to_the_line_that_raised():
    trace = reasons(caught(lambda: int("x")))["stacktrace"]
    assert __file__ in trace
    assert trace.endswith("ValueError: invalid literal for int() with base 10: 'x'")


def test_the_stacktrace_begins_with_the_cause():
    error = ValueError("outer")
    error.__cause__ = KeyError("inner")
    trace = reasons(error)["stacktrace"]
    assert trace.index("KeyError: 'inner'") < trace.index("ValueError: outer")


def test_an_error_that_is_its_own_cause_is_told_once():
    error = ValueError("round")
    error.__cause__ = error
    assert reasons(error)["stacktrace"].count("ValueError: round") == 1


def test_a_ring_of_causes_ends():
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__context__ = other, one
    assert reasons(one)["stacktrace"].count("Traceback") == 2


def test_an_endless_recursion_is_told_in_short():
    def dive():
        return dive() + 1

    assert len(reasons(caught(dive))["stacktrace"]) <= 8_000


def test_long_texts_are_cut():
    found = reasons(ValueError("x" * 100_000))
    assert len(found["message"]) == 8_000
    assert len(found["stacktrace"]) == 8_000


def test_a_text_that_is_no_unicode_can_be_sent():
    assert reasons(ValueError("\ud800"))["message"] == "\\ud800"


def test_an_error_whose_text_raises_is_a_dead_letter_all_the_same():
    found = reasons(MuteError())
    assert found["message"] == "an error without a text, since that raised RuntimeError"
    assert found["exception"].endswith("MuteError")


def test_skipped_records_are_counted_and_not_written():
    rejections = FailureHandler(OnError.SKIP, "dlq", Partition("in", 1), None)
    rejections.reject(record(), "my stage", ValueError("bad"))
    assert rejections.dropped == {("my stage", "skipped"): 1}


def test_dead_letters_are_counted_by_stage_and_error():
    rejections = FailureHandler(OnError.DEAD_LETTER, "dlq", Partition("in", 1), [].append)
    rejections.reject(record(), "my stage", ValueError("bad"))
    assert rejections.dead_letters == {("my stage", "ValueError"): 1}


@pytest.mark.parametrize(
    ("error", "told"), [(ValueError("bad"), "ValueError('bad')"), (MuteError(), "an error without")]
)
def test_stopping_says_what_where_and_what_to_do(error, told):
    with pytest.raises(StopProcessing) as stop:
        rejected(error, OnError.STOP, offset=42, key=b"rex")
    assert str(stop.value).startswith(f"stage 'my stage' failed at in[1]@42, key b'rex': {told}")
    assert str(stop.value).endswith(
        "on_error is 'stop': mend the stage or the record, or choose on_error=dead_letter"
    )
    assert stop.value.__cause__ is error

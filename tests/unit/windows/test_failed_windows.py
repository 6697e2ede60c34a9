"""Windows on which user code raises: what becomes of them, and of what they held."""

import pytest

from tests.unit.windows.stage import KEY, Lists, Stage, Sum, range_windows
from wallaroo.errors import StopProcessing
from wallaroo.task.dead_letters import OnError


def test_a_window_that_fails_stops_the_worker_where_that_is_the_policy():
    class Failing(Sum):
        def output(self, key, total):
            raise ValueError(key)

    stage = Stage(range_windows(10, over=Failing), on_error=OnError.STOP)
    stage.message(1, 5)
    with pytest.raises(StopProcessing, match=r"Failing.*on_error is 'stop'"):
        stage.watermark(10)


def test_a_failed_window_is_a_dead_letter_that_holds_what_was_in_it():
    class Failing(Lists):
        def output(self, key, values):
            raise ValueError(values)

    stage = Stage(range_windows(10, over=Failing))
    stage.message(1, 5)
    stage.watermark(10)
    topic, value, key, _, _, _, _, headers = stage.batches[-1].outputs[0]
    assert (topic, key, dict(headers)["__streams.errors.timestamp"]) == ("dlq", KEY, b"9999")
    assert value[:2] == b"1W"
    assert stage.stores["failing"]._codec.decode(value).panes == {0: [1]}
    assert dict(headers)["__streams.errors.stage"] == b"Failing"
    assert stage.batches[-1].dead_letters == {("Failing", "ValueError"): 1}


def test_a_failed_window_may_be_skipped():
    class Failing(Sum):
        def combine(self, one, other):
            raise ValueError(one)

    stage = Stage(range_windows(10, over=Failing), on_error=OnError.SKIP)
    stage.message(1, 5)
    assert stage.watermark(10) == []
    assert stage.batches[-1].dropped == {("Failing", "skipped"): 1}
    assert len(stage.stores["failing"]) == 0


def test_the_windows_of_others_fire_all_the_same():
    class Failing(Lists):
        def output(self, key, values):
            if key == "b":
                raise ValueError(key)
            return values

    stage = Stage(range_windows(10, over=Failing))
    for key in (b"c", b"b", b"a"):
        stage.message(key.decode(), 5, key)
    assert stage.watermark(10) == [("['a']", 9_999), ("['c']", 9_999)]

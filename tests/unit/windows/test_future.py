"""Event times in the future: how far ahead they may be, and what becomes of those beyond."""

import logging

import pytest

import wallaroo
from tests.properties.window_samples import (
    MS,
    Gather,
    Shape,
    behind_a_hop,
    by_key,
    by_name,
    close_all,
    decode,
    event_time,
    finished,
    read,
    without_hop,
)
from wallaroo.clock import SystemClock
from wallaroo.errors import SettingsError, StopProcessing
from wallaroo.settings import Settings, load_settings
from wallaroo.testing import ApplicationDriver
from wallaroo.topology.compile import compile_topology
from wallaroo.topology.timing import with_max_future
from wallaroo.windows.future import END_OF_TIME, FutureBound
from wallaroo.windows.watermark import WatermarkCodec

HOUR, DAY = 3_600_000, 86_400_000
NOON = 1_790_000_000_000
TENS = Shape(range=10, slide=10).declared()

each_route = pytest.mark.parametrize("application_of", [without_hop, behind_a_hop])
each_time = pytest.mark.parametrize("declared", [False, True], ids=["timestamp", "event_time"])


def driver_at_noon(application, **options):
    return ApplicationDriver(application, 1, time_of_day_ms=NOON, **options)


def send(driver, *times, told=True):
    """Messages 0, 1, ... at these milliseconds from noon, in their timestamp and in what they say."""
    for number, at in enumerate(times):
        driver.send("in", f"a:{number}:{NOON + at}", "a", timestamp_ms=NOON + at)
    driver.run()


def sent_and_closed(driver, *times):
    send(driver, *times)
    return closed(driver)


def closed(driver):
    driver.run()
    return read(close_all(driver))


def values(found):
    return [value for value, _ in found.get("a", [])]


@each_route
@each_time
def test_one_clock_that_is_a_day_ahead_closes_no_windows(application_of, declared):
    driver = driver_at_noon(application_of(TENS, declared_time=declared))
    assert values(sent_and_closed(driver, 0, DAY, 1, 11)) == [(0, 2), (3,)]
    assert [letter.value for letter in driver.dead_letters()] == [f"a:1:{NOON + DAY}".encode()]


@each_route
def test_a_record_in_the_future_opens_no_window_and_is_not_in_any(application_of):
    driver = driver_at_noon(application_of(TENS))
    send(driver, DAY)
    assert driver.state("Gather", "a") is None
    assert [record for topic in watermarks(driver) for record in topic] == []


def watermarks(driver):
    names = [store.changelog for store in driver.topology.stores if "watermarks" in store.changelog]
    return [
        [r for r in driver.records(name) if WatermarkCodec().decode(r.value).watermark > 0] for name in names
    ]


def test_its_dead_letter_says_how_far_ahead_it_was_and_what_the_bound_is():
    driver = driver_at_noon(behind_a_hop(TENS))
    send(driver, DAY)
    [letter] = driver.dead_letters()
    assert letter.stage == "in"
    assert letter.exception.endswith("RecordError")
    assert "the record's timestamp is 2026-09-22T14:13:20.000Z, 1 day, 0:00:00 ahead of the" in letter.message
    assert "max_future_ms allows 0:30:00" in letter.message


def test_a_declared_time_is_named_with_its_source_and_its_number():
    driver = driver_at_noon(behind_a_hop(TENS, declared_time=True))
    send(driver, DAY)
    [letter] = driver.dead_letters()
    assert f"event_time of the source 'in' returned, {(NOON + DAY) * MS}, is 2026-09-22" in letter.message


@each_route
@each_time
def test_up_to_the_bound_a_time_is_taken_and_a_millisecond_later_it_is_not(application_of, declared):
    driver = driver_at_noon(application_of(TENS, declared_time=declared), max_future_ms=60_000)
    assert values(sent_and_closed(driver, 60_001, 60_000)) == [(1,)]
    assert len(driver.dead_letters()) == 1


def test_the_bound_moves_with_the_clock():
    driver = driver_at_noon(behind_a_hop(TENS), max_future_ms=60_000)
    driver.advance(1)
    send(driver, 60_001)
    assert driver.dead_letters() == []


def test_the_bound_can_be_off():
    driver = driver_at_noon(behind_a_hop(TENS), max_future_ms=None)
    assert values(sent_and_closed(driver, 0, DAY, 1)) == [(0,), (1,)]
    assert driver.dead_letters() == []


def test_without_the_time_of_day_it_is_that_of_the_machine():
    driver = ApplicationDriver(behind_a_hop(TENS), 1)
    now = SystemClock().now_ms()
    driver.send("in", "a:0:0", "a", timestamp_ms=now + HOUR)
    driver.send("in", "a:1:0", "a", timestamp_ms=now)
    assert values(closed(driver)) == [(1,)]
    assert len(driver.dead_letters()) == 1


@pytest.mark.parametrize("application_of", [without_hop, behind_a_hop])
def test_refusing_costs_no_second_processing_of_what_was_polled_together(application_of, caplog):
    driver = driver_at_noon(application_of(TENS))
    with caplog.at_level(logging.INFO):
        send(driver, 0, DAY, 1, 2 * DAY, 2)
    assert "rewinding" not in caplog.text
    assert [letter.offset for letter in driver.dead_letters()] == [1, 3]


def test_behind_a_failing_record_it_is_refused_in_replay_too():
    class Failing(Gather):
        def update(self, message, values):
            if message[1] == 2:
                raise ValueError("two")
            super().update(message, values)

        def name(self):
            return "Gather"

    driver = driver_at_noon(without_hop(Shape(10, 10).declared(Failing)))
    assert values(sent_and_closed(driver, 0, DAY, 1, 2)) == [(0, 3)]
    assert [letter.offset for letter in driver.dead_letters()] == [1, 2]


def test_a_record_that_is_skipped_moves_no_time_either():
    driver = driver_at_noon(behind_a_hop(TENS), on_error="skip")
    assert values(sent_and_closed(driver, 0, DAY, 1)) == [(0, 2)]
    assert driver.dead_letters() == []


def test_where_errors_stop_the_service_it_stops():
    with pytest.raises(StopProcessing, match="ahead of the wall clock"):
        send(driver_at_noon(behind_a_hop(TENS), on_error="stop"), DAY)


def test_where_no_event_time_counts_any_time_is_taken():
    driver = driver_at_noon(behind_a_hop(wallaroo.count_windows(2).over(Gather)))
    send(driver, 0, DAY)
    assert values(read(driver)) == [(0, 1)]
    assert driver.dead_letters() == []


@pytest.mark.parametrize("second", [0, 1_790_000_000])
def test_seconds_taken_for_milliseconds_are_past_and_so_only_late(second):
    driver = driver_at_noon(behind_a_hop(TENS))
    driver.send("in", f"a:0:{NOON}", "a", timestamp_ms=NOON)
    driver.send("in", f"a:1:{second}", "a", timestamp_ms=second)
    driver.send("in", f"a:2:{NOON}", "a", timestamp_ms=NOON)
    assert values(closed(driver)) == [(0, 2)]
    assert driver.dead_letters() == []


@pytest.mark.parametrize("factor", [10, 1_000, MS])
def test_smaller_units_taken_for_milliseconds_are_refused(factor):
    driver = driver_at_noon(behind_a_hop(TENS))
    driver.send("in", "a:0:0", "a", timestamp_ms=NOON * factor)
    driver.send("in", "a:1:0", "a", timestamp_ms=NOON)
    assert values(closed(driver)) == [(1,)]
    assert len(driver.dead_letters()) == 1


def test_a_frame_of_a_tcp_source_whose_machine_is_ahead_is_refused():
    config = wallaroo.TCPSourceConfig("in", "127.0.0.1", 0, framed)
    pipeline = wallaroo.source("in", config).key_by(by_key).to(TENS)
    # Frames are stamped by the clock of the driver, which begins at 0.
    driver = ApplicationDriver(finished(pipeline), 1, time_of_day_ms=-HOUR)
    driver.send_frames("in", b"\x00\x05a:1:2")
    driver.run()
    assert [letter.value for letter in driver.dead_letters()] == [b"a:1:2"]


@wallaroo.decoder(header_length=2, length_fmt=">H")
def framed(data):
    return decode.decode(data)


class Generator:
    def initial_value(self):
        return "a", 0, 0

    def apply(self, _previous):
        return None


def test_a_value_of_a_generator_whose_machine_is_ahead_is_refused():
    pipeline = wallaroo.source("made", wallaroo.GenSourceConfig("made", Generator())).key_by(by_key).to(TENS)
    driver = ApplicationDriver(finished(pipeline), 1, time_of_day_ms=-HOUR)
    driver.generate("made", 1)
    driver.run()
    assert len(driver.dead_letters()) == 1


def source_with(max_future, topic="in"):
    config = wallaroo.KafkaSourceConfig(topic, decoder=decode, event_time=event_time, max_future=max_future)
    return wallaroo.source(topic, config)


def test_a_source_can_have_a_bound_of_its_own():
    plans = source_with(wallaroo.hours(48)).key_by(by_key).to(TENS)
    assert values(sent_and_closed(driver_at_noon(finished(plans)), DAY)) == [(0,)]
    strict = source_with(wallaroo.seconds(1)).key_by(by_key).to(TENS)
    driver = driver_at_noon(finished(strict), max_future_ms=None)
    assert values(sent_and_closed(driver, 1_001, 1_000)) == [(1,)]


@pytest.mark.parametrize("bound", [0, 60, True, 1.5e9, "1 h", wallaroo.seconds(1) - 1])
def test_a_bound_of_less_than_a_second_is_a_slip_of_units(bound):
    with pytest.raises(wallaroo.WallarooParameterError, match=r"max_future must be.*wallaroo\.hours\(48\)"):
        source_with(bound)


def test_sources_read_from_a_command_line_have_it_too():
    args = ["app", "--kafka_source_topic", "in"]
    parsers = (wallaroo.CustomKafkaSourceCLIParser, wallaroo.DefaultKafkaSourceCLIParser)
    custom = parsers[0](args, decode, max_future=wallaroo.hours(1))
    default = parsers[1](decode, max_future=wallaroo.hours(1)).resolve(args)
    assert custom.max_future == default.max_future == wallaroo.hours(1)


def bounds(pipeline, milliseconds):
    subs = compile_topology(finished(pipeline)).sub_topologies
    timings = {sub.name: with_max_future(sub, milliseconds).timing for sub in subs}
    return {name: timing and timing.max_future for name, timing in timings.items()}


def test_behind_a_key_change_the_largest_bound_of_the_sources_counts():
    merged = source_with(None, "one").merge(source_with(wallaroo.hours(1), "other"))
    pipeline = merged.key_by(by_key).to(TENS).key_by(by_name).to(wallaroo.count_windows(2).over(Twice))
    assert bounds(pipeline, 1_000) == {
        "one": wallaroo.seconds(1),
        "other": wallaroo.hours(1),
        "by-key": wallaroo.hours(1),
        "by-name": None,
    }
    assert bounds(pipeline, None) == {
        "one": None,
        "other": wallaroo.hours(1),
        "by-key": None,
        "by-name": None,
    }


class Twice(Gather):
    pass


def test_the_setting_is_on_by_default_and_can_be_off():
    assert load_settings({}).max_future_ms == 1_800_000
    assert load_settings({"max_future_ms": "off"}).max_future_ms is None
    assert load_settings({"max_future_ms": "60000"}).max_future_ms == 60_000


def test_the_driver_has_the_default_of_the_service():
    default = ApplicationDriver.__init__.__kwdefaults__["max_future_ms"]
    assert default == Settings.model_fields["max_future_ms"].default


@pytest.mark.parametrize("given", ["0", "60", "-1", "never", "1.5"])
def test_a_setting_that_is_no_such_time_is_refused(given):
    with pytest.raises(SettingsError, match="max_future_ms"):
        load_settings({"max_future_ms": given})


@pytest.mark.parametrize("max_future", [None, END_OF_TIME])
def test_no_bound_ends_later_than_time_itself(max_future):
    bound = FutureBound(max_future)
    bound.update(NOON)
    assert bound.latest == END_OF_TIME - 1

"""One event, one line."""

from __future__ import annotations

import json
import logging
import logging.config
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.testing.raising import UnnamedError
from wallaroo.observability.logging import _configured, configure, formatter, keep, set_application

CREATED = 1769860800.25


@pytest.fixture
def restored_root():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers = []
    yield root
    root.handlers, root.level = handlers, level
    ours = logging.getLogger("wallaroo")
    ours.handlers, ours.propagate = [], True
    ours.setLevel(logging.NOTSET)
    logging.disable(logging.NOTSET)
    _configured.clear()


def record_of(event, /, *args, exc_info=None, **extra):
    record = logging.getLogger("wallaroo.commit").makeRecord(
        "wallaroo.commit", logging.INFO, __file__, 1, event, args, exc_info, extra=extra
    )
    record.created = CREATED
    return record


def failure():
    try:
        float("no amount")
    except ValueError:
        return sys.exc_info()


def as_json(record, **fields):
    return json.loads(formatter("json", fields).format(record))


def as_text(record, **fields):
    return formatter("text", fields).format(record)


def test_a_json_line_holds_the_event_and_its_fields():
    assert as_json(record_of("commit", group="alerts-totals", records=1000), worker=1) == {
        "ts": "2026-01-31T12:00:00.250Z",
        "level": "INFO",
        "logger": "wallaroo.commit",
        "event": "commit",
        "worker": 1,
        "group": "alerts-totals",
        "records": 1000,
    }


def test_a_text_line_holds_the_event_and_its_fields():
    line = as_text(record_of("commit", group="alerts-totals", records=1000), worker=1)
    assert line == "2026-01-31T12:00:00.250Z INFO commit worker=1 group=alerts-totals records=1000"


def test_an_event_may_be_a_format_with_arguments():
    assert as_json(record_of("%d records of %s", 3, "rex"))["event"] == "3 records of rex"


def test_a_line_break_at_the_end_of_an_event_is_left_out_of_a_text_line():
    assert as_text(record_of("disconnected\n", broker=1)).endswith("INFO disconnected broker=1")


def test_a_field_of_the_line_wins_over_the_same_field_of_the_process():
    assert as_json(record_of("commit", worker=2), worker=1)["worker"] == 2


def test_a_field_named_like_part_of_the_head_is_kept_beside_it():
    line = as_json(record_of("commit", event="inner", level=3))
    assert (line["event"], line["event_"], line["level_"]) == ("commit", "inner", 3)


def test_a_traceback_is_a_field_of_the_json_line():
    text = formatter("json", {}).format(record_of("failed", exc_info=failure()))
    assert "\n" not in text
    assert json.loads(text)["traceback"].endswith(
        "ValueError: could not convert string to float: 'no amount'"
    )


def test_a_traceback_follows_the_text_line():
    first, second, *_, last = as_text(record_of("failed", stage="totals", exc_info=failure())).split("\n")
    assert first.endswith("INFO failed stage=totals")
    assert second == "Traceback (most recent call last):"
    assert last == "ValueError: could not convert string to float: 'no amount'"


def test_exc_info_without_an_exception_adds_nothing():
    assert "traceback" not in as_json(record_of("failed", exc_info=(None, None, None)))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a b", '"a b"'),
        ("a=b", '"a=b"'),
        ("", '""'),
        ("two\nlines", '"two\\nlines"'),
        (b"rex", "rex"),
        (None, "null"),
        ([1, "a"], '[1,"a"]'),
        (2.5, "2.5"),
    ],
)
def test_a_value_in_a_text_line_ends_where_the_next_field_begins(value, shown):
    assert as_text(record_of("commit", key=value)).endswith(f"INFO commit key={shown}")


@given(st.text())
def test_no_event_and_no_field_breaks_a_line(text):
    record = record_of("%s", text, field=text)
    assert len(as_text(record).splitlines()) == 1
    assert as_json(record)["event"] == text


@pytest.mark.parametrize("value", [object(), {1, 2}, {b"\xff": float("nan")}, lambda: None])
def test_a_field_that_json_cannot_write_is_written_as_text(value):
    assert "field" in as_json(record_of("commit", field=value))
    assert "field=" in as_text(record_of("commit", field=value))


def test_configure_sends_every_logger_to_standard_error_once(restored_root, capsys):
    configure("info", "json", worker=7)
    configure("info", "json", worker=8)
    logging.getLogger("wallaroo.kafka").warning("%4|FAIL", extra={"client": "producer-1"})
    logging.getLogger("wallaroo.commit").debug("below the level")
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["worker"] == 8
    assert json.loads(line)["client"] == "producer-1"


@pytest.mark.parametrize(("form", "said"), [("json", '"application":"alerts"'), ("text", "")])
def test_the_application_is_a_field_where_lines_of_many_services_come_together(
    form, said, restored_root, capsys
):
    configure("info", form, worker=7)
    set_application("alerts")
    logging.getLogger("wallaroo.commit").info("commit")
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert ("alerts" in line) == bool(said)


def test_an_unknown_level_is_refused(restored_root):
    with pytest.raises(ValueError, match="LOUD"):
        configure("loud", "json")


def silenced_by_dict_config():
    logging.config.dictConfig({"version": 1, "root": {"level": "ERROR"}})


def silenced_by_force():
    logging.basicConfig(level=logging.ERROR, handlers=[logging.NullHandler()], force=True)


def silenced_by_disable():
    logging.disable(logging.CRITICAL)


def silenced_by_levels():
    logging.getLogger().setLevel(logging.CRITICAL)
    logging.getLogger("wallaroo").setLevel(logging.CRITICAL)
    logging.getLogger("wallaroo.commit").setLevel(logging.CRITICAL)


def silenced_by_handlers():
    for handler in logging.getLogger().handlers:
        handler.setLevel(logging.CRITICAL)
        handler.addFilter(lambda _record: False)


def silenced_by_removal():
    logging.getLogger().handlers.clear()


def silenced_by_disabling_each():
    for name in logging.root.manager.loggerDict:
        logging.getLogger(name).disabled = True
        logging.getLogger(name).propagate = False


@pytest.mark.parametrize(
    "silence",
    [
        silenced_by_dict_config,
        silenced_by_force,
        silenced_by_disable,
        silenced_by_levels,
        silenced_by_handlers,
        silenced_by_removal,
        silenced_by_disabling_each,
    ],
)
def test_an_application_that_configures_logging_does_not_silence_ours(silence, restored_root, capsys):
    log = logging.getLogger("wallaroo.commit")
    configure("info", "json", worker=7)
    silence()
    keep()
    keep()
    log.info("commit")
    log.debug("below the level")
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["worker"] == 7


def test_what_an_application_logs_goes_where_it_has_said(restored_root, capsys):
    configure("info", "json")
    silenced_by_force()
    keep()
    logging.getLogger("app").error("its own")
    assert capsys.readouterr().err == ""


def test_no_secret_stands_in_any_line(restored_root, capsys):
    configure("info", "text", ["s3cret"])
    logging.getLogger("wallaroo.kafka").warning("refused s3cret", extra={"error": "with s3cret"})
    logging.getLogger("wallaroo").error("failed", exc_info=ValueError("s3cret"))
    said = capsys.readouterr().err
    assert "s3cret" not in said
    assert said.count("***") == 3


def test_a_traceback_that_cannot_be_shown_does_not_keep_the_line_back():
    error = UnnamedError()
    line = as_text(record_of("failed", exc_info=(type(error), error, None)))
    assert line.split("\n")[1:] == ["a traceback that cannot be shown"]

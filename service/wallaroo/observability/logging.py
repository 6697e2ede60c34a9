"""Log lines: one event each, with fields, as JSON for machines or as text for people.

`log.info("commit", extra={"group": group, "records": count})` is an event with two fields. What librdkafka
says comes through the logger KAFKA_LOGGER, which the clients are given.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from wallaroo.observability.jsonable import to_json, to_jsonable

KAFKA_LOGGER = "wallaroo.kafka"
LogFormat = Literal["json", "text"]

_STANDARD_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def configure(level: str, format: LogFormat, **fields: object) -> None:  # noqa: A002 - the setting's name
    """Send the log of this process to standard error, with `fields` on every line.

    Raises ValueError for an unknown level.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(formatter(format, fields))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def formatter(format: LogFormat, fields: Mapping[str, object]) -> logging.Formatter:  # noqa: A002
    """Return the formatter of that name."""
    match format:
        case "json":
            return JsonFormatter(fields)
        case "text":
            return TextFormatter(fields)


class JsonFormatter(logging.Formatter):
    """One JSON object per line; a traceback is a field of it."""

    def __init__(self, fields: Mapping[str, object]) -> None:
        super().__init__()
        self._fields = dict(fields)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of one event."""
        head = {
            "ts": _timestamp(record),
            "level": record.levelname,
            "logger": record.name,
            "event": record.getMessage(),
        }
        given = {**self._fields, **_extras(record), **_traceback(self, record)}
        return to_json({**head, **{f"{name}_" if name in head else name: given[name] for name in given}})


class TextFormatter(logging.Formatter):
    """`2026-01-31T12:00:00.000Z INFO commit records=3`; a traceback follows on lines of its own."""

    def __init__(self, fields: Mapping[str, object]) -> None:
        super().__init__()
        self._fields = dict(fields)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of one event."""
        fields = {**self._fields, **_extras(record)}
        words = [_timestamp(record), record.levelname, _one_line(record.getMessage().rstrip())]
        words += [f"{name}={_word(value)}" for name, value in fields.items()]
        return "\n".join([" ".join(words), *_traceback(self, record).values()])


def _timestamp(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _extras(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in vars(record).items() if name not in _STANDARD_ATTRIBUTES}


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> dict[str, str]:
    found: dict[str, str] = {}
    if record.exc_info and record.exc_info[0] is not None:
        found["traceback"] = formatter.formatException(record.exc_info)
    if record.stack_info:
        found["stack"] = formatter.formatStack(record.stack_info)
    return found


def _one_line(text: str) -> str:
    return text if text.isprintable() else to_json(text)[1:-1]


def _word(value: Any) -> str:
    shown = to_jsonable(value)
    if not isinstance(shown, str):
        return to_json(shown)
    is_one_word = shown.isprintable() and shown and not set(shown) & set(' "=')
    return shown if is_one_word else to_json(shown)

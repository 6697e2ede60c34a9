"""Log lines: one event each, with fields, as JSON for machines or as text for people.

`log.info("commit", extra={"group": group, "records": count})` is an event with two fields. What librdkafka
says comes through the logger KAFKA_LOGGER, which the clients are given.
"""

import logging
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

from wallaroo.observability.jsonable import to_json, to_jsonable
from wallaroo.refusals import without_secrets

KAFKA_LOGGER = "wallaroo.kafka"
_OURS = "wallaroo"
LogFormat = Literal["json", "text"]
Fields: TypeAlias = Mapping[str, object]
Traces: TypeAlias = Mapping[str, str]
Line: TypeAlias = Callable[[logging.LogRecord, Fields, Traces], str]

_STANDARD_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def configure(
    level: str,
    format: LogFormat,  # noqa: A002 - the setting's name
    secrets: Collection[str] = (),
    **fields: object,
) -> None:
    """Send the log of this process to standard error, with `fields` on every line, and no secret on any.

    Raises ValueError for an unknown level.
    """
    for former, _level in _configured:
        logging.getLogger(_OURS).removeHandler(former)
    handler = logging.StreamHandler()
    handler.setFormatter(formatter(format, fields, secrets))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    _configured[:] = [(handler, logging.root.level)]
    keep()


# The handler and the level that `configure` was last asked for.
_configured: list[tuple[logging.Handler, int]] = []


def keep() -> None:
    """Let our loggers be as `configure` has made them, whatever the application has done to logging since.

    A module that configures logging takes our handler from the root logger, disables all loggers that there
    are, or sets levels by name. Then what we log goes to our handler alone, all else to the application's.
    """
    for handler, level in _configured:
        handler.setLevel(logging.NOTSET)
        handler.filters.clear()
        if logging.root.manager.disable:
            logging.disable(logging.NOTSET)
        ours = logging.getLogger(_OURS)
        ours.propagate = handler in logging.root.handlers
        (ours.removeHandler if ours.propagate else ours.addHandler)(handler)
        _set_level(ours, logging.NOTSET if logging.root.level == level else level)
        for name, logger in list(logging.root.manager.loggerDict.items()):
            if name.startswith(f"{_OURS}.") and isinstance(logger, logging.Logger):
                _set_level(logger, logging.NOTSET)
                logger.propagate = True


def set_application(name: str) -> None:
    """From now on name the application on each line of JSON, where lines of many services come together."""
    for handler, _level in _configured:
        if isinstance(handler.formatter, EventFormatter):
            handler.formatter.set_application(name)


def _set_level(logger: logging.Logger, level: int) -> None:
    logger.disabled = False
    # Setting a level, even the same one, costs all loggers what they have cached.
    if logger.level != level:
        logger.setLevel(level)


def formatter(format: LogFormat, fields: Fields, secrets: Collection[str] = ()) -> logging.Formatter:  # noqa: A002
    """Return the formatter of that name."""
    return EventFormatter({"json": _json_line, "text": _text_line}[format], fields, secrets)


class EventFormatter(logging.Formatter):
    """Formats events that carry `fields` besides their own."""

    def __init__(self, line: Line, fields: Fields, secrets: Collection[str] = ()) -> None:
        super().__init__()
        self._line = line
        self._secrets = frozenset(secrets)
        self._fields = dict(fields)

    def set_application(self, name: str) -> None:
        if self._line is _json_line:
            self._fields = {"application": name, **self._fields}

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of one event."""
        own = {name: value for name, value in vars(record).items() if name not in _STANDARD_ATTRIBUTES}
        traces = {}
        if record.exc_info and record.exc_info[0] is not None:
            traces["traceback"] = self._traceback(record.exc_info)
        if record.stack_info:
            traces["stack"] = self.formatStack(record.stack_info)
        return without_secrets(self._line(record, {**self._fields, **own}, traces), self._secrets)

    def _traceback(self, raised: Any) -> str:
        try:
            return self.formatException(raised)
        except BaseException:  # the class of the error may be a user's
            return "a traceback that cannot be shown"


def _json_line(record: logging.LogRecord, fields: Fields, traces: Traces) -> str:
    """One JSON object; a traceback is a field of it."""
    head = {
        "ts": _timestamp(record),
        "level": record.levelname,
        "logger": record.name,
        "event": record.getMessage(),
    }
    given = {f"{name}_" if name in head else name: value for name, value in {**fields, **traces}.items()}
    return to_json({**head, **given})


def _text_line(record: logging.LogRecord, fields: Fields, traces: Traces) -> str:
    """`2026-01-31T12:00:00.000Z INFO commit records=3`; a traceback follows on lines of its own."""
    words = [_timestamp(record), record.levelname, _one_line(record.getMessage().rstrip())]
    words += [f"{name}={_word(value)}" for name, value in fields.items()]
    return "\n".join([" ".join(words), *traces.values()])


def _timestamp(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _one_line(text: str) -> str:
    return text if text.isprintable() else to_json(text)[1:-1]


def _word(value: Any) -> str:
    shown = to_jsonable(value)
    if not isinstance(shown, str):
        return to_json(shown)
    is_one_word = shown.isprintable() and shown and not set(shown) & set(' "=')
    return shown if is_one_word else to_json(shown)

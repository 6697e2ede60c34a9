"""Checks of what Kafka sources and sinks share: topic, brokers and log level."""

import re
from collections.abc import Iterable
from typing import Any

from wallaroo.api.arguments import LOG_LEVELS, Address
from wallaroo.api.checks import check_number_text
from wallaroo.errors import WallarooParameterError

_LAST_PORT = 65535
_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}")


def check_topic(what: str, topic: object, option: str = "") -> None:
    """Check that Kafka allows this name for a topic; `option` is the command-line option it comes from."""
    if topic == "" and option:
        raise WallarooParameterError(f"{what} has no topic; give it with {option} TOPIC")
    if not isinstance(topic, str) or not _TOPIC.fullmatch(topic) or topic in (".", ".."):
        raise WallarooParameterError(
            f"{what}: {topic!r} is no name for a topic; use up to 249 of a-z A-Z 0-9 . _ -"
        )


def check_log_level(what: str, log_level: object) -> None:
    """Check that this is one of Wallaroo's four log levels."""
    if log_level not in LOG_LEVELS:
        raise WallarooParameterError(
            f"{what}: log_level must be one of {', '.join(LOG_LEVELS)}, not {log_level!r}"
        )


def check_host(what: str, host: object) -> str:
    """Return a host name or address."""
    if not isinstance(host, str) or not host.strip():
        raise WallarooParameterError(f"{what}: the host must be a str such as '127.0.0.1', not {host!r}")
    return host


def check_port(what: str, port: object) -> str:
    """Return a port as text, given as text or as an int; 0 lets the system choose."""
    number = check_number_text(f"{what}: the port", port, at_least=0)
    if number > _LAST_PORT:
        raise WallarooParameterError(f"{what}: the port must be at most {_LAST_PORT}, not {number}")
    return str(number)


def normal_brokers(what: str, brokers: Any) -> tuple[Address, ...] | None:
    """Return the brokers as pairs of str, or None for the brokers of the settings.

    The parsers return `[("", "9092")]` if no broker is named, so that becomes None, too.
    """
    if brokers is None:
        return None
    pairs = _pairs(what, brokers)
    if all(host == "" for host, _ in pairs):
        return None
    return tuple((check_host(what, host), check_port(what, port)) for host, port in pairs)


def broker_list(brokers: Iterable[Address] | None) -> list[Address]:
    """Return the brokers as Wallaroo's parsers do."""
    return [("", "9092")] if brokers is None else list(brokers)


def _pairs(what: str, brokers: Any) -> list[tuple[Any, Any]]:
    try:
        return [(host, port) for host, port in brokers]
    except (TypeError, ValueError) as error:
        raise WallarooParameterError(
            f'{what}: brokers must be a list such as [("127.0.0.1", 9092)], not {brokers!r}'
        ) from error

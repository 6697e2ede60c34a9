"""Checks of what a user passes to the API; each raises WallarooParameterError."""

import inspect
import re
from collections.abc import Callable
from typing import Any

from wallaroo.api.arguments import LOG_LEVELS, Address
from wallaroo.api.context import takes_context
from wallaroo.api.stages import BaseWrapped
from wallaroo.errors import WallarooParameterError

_LONGEST_REPR = 80
_LAST_PORT = 65535
_LONGEST_TTL = 100 * 366 * 24 * 3_600_000_000_000
_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}")

_ASYNC_OR_GENERATOR = (
    inspect.iscoroutinefunction,
    inspect.isgeneratorfunction,
    inspect.isasyncgenfunction,
)


def check_name(what: str, name: object) -> str:
    """Return a name: a str that is not blank."""
    if not isinstance(name, str) or not name.strip():
        raise WallarooParameterError(f"{what} needs a name: a str that is not empty, not {name!r}")
    return name


def check_whole(what: str, value: object, at_least: int, advice: str = "") -> int:
    """Return an int, not a bool, of at least `at_least`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < at_least:
        hint = f"; {advice}" if advice else ""
        raise WallarooParameterError(f"{what} must be an int of at least {at_least}, not {value!r}{hint}")
    return value


def check_ttl(what: str, ttl: object) -> None:
    """Check that a time to live is None, or whole nanoseconds within what a sum with a time allows."""
    if ttl is None:
        return
    advice = "write whole nanoseconds, for example wallaroo.hours(24)"
    if check_whole(f"{what}: ttl", ttl, 1, advice) > _LONGEST_TTL:
        raise WallarooParameterError(
            f"{what}: a ttl of {ttl} nanoseconds is more than a hundred years; durations are nanoseconds: "
            "use wallaroo.hours(...) and its like, or leave ttl out to keep states for ever"
        )


def check_number_text(what: str, value: object, at_least: int) -> int:
    """Return an int, given as one or as decimal text from a command line."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    return check_whole(what, value, at_least)


def check_instance(what: str, value: object, kind: type | tuple[type, ...], advice: str) -> None:
    """Check that a value is of this kind."""
    if not isinstance(value, kind):
        raise WallarooParameterError(f"{what} cannot be {describe(value)}; {advice}")


def check_function(what: str, func: Any, *parameters: str) -> Callable[..., Any]:
    """Return a plain function that can be called with exactly these positional arguments, or a context more.

    The rule is Wallaroo's: more parameters may follow if they have defaults, `*args` does not count, and
    `self` of a bound method does.
    """
    if isinstance(func, BaseWrapped):
        raise WallarooParameterError(
            f"{what} stands on {func!r}, which is decorated already; keep one of the two"
        )
    if not callable(func) or isinstance(func, type):
        raise WallarooParameterError(
            f"Expected a callable object but got a {func!r} for {what}; decorate a def"
        )
    if not hasattr(func, "__name__"):
        raise WallarooParameterError(
            f"{what} got {describe(func)}, which has no name of its own; decorate a def that calls it"
        )
    if any(test(func) for test in _ASYNC_OR_GENERATOR):
        raise WallarooParameterError(
            f"{what}: {func.__name__} is async or a generator; it must be a plain def that returns its result"
        )
    least, most = _positional_parameters(what, func)
    if not least <= len(parameters) <= most and not takes_context(func, len(parameters)):
        arguments = ", ".join(parameters)
        raise WallarooParameterError(
            f"Incompatible function arity, your function {func.__name__} must have {len(parameters)} "
            f"parameter(s): {what} calls it with ({arguments}), and it takes "
            f"{least if least == most else f'{least} to {most}'}"
            f"{', self included' if inspect.ismethod(func) else ''}; "
            f"with one more, a plain def is called with ({arguments}, context)"
        )
    return func  # type: ignore[no-any-return]


def _positional_parameters(what: str, func: Any) -> tuple[int, int]:
    # inspect.getfullargspec evaluates annotations, which since Python 3.14 may name what only a type checker
    # imports, so it is used only for callables without a code object.
    code = getattr(func, "__code__", None)
    if code is not None:
        return code.co_argcount - len(func.__defaults__ or ()), code.co_argcount
    try:
        spec = inspect.getfullargspec(func)
    except TypeError as error:
        raise WallarooParameterError(
            f"{what} cannot see the parameters of {func!r}; wrap it in a def"
        ) from error
    return len(spec.args) - len(spec.defaults or ()), len(spec.args)


def check_factory(what: str, factory: Any) -> Callable[[], Any]:
    """Return a class or function that can be called without arguments."""
    if not callable(factory):
        raise WallarooParameterError(f"{what} must be a class or function, not {factory!r}")
    try:
        inspect.signature(factory).bind()
    except (ValueError, NameError):
        # Some built-in classes have no signature, and some annotations cannot be evaluated.
        return factory  # type: ignore[no-any-return]
    except TypeError as error:
        raise WallarooParameterError(
            f"{what} {describe(factory)} must be callable without arguments: {error}"
        ) from error
    return factory  # type: ignore[no-any-return]


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
    try:
        pairs = [(host, port) for host, port in brokers]
    except (TypeError, ValueError) as error:
        raise WallarooParameterError(
            f'{what}: brokers must be a list such as [("127.0.0.1", 9092)], not {brokers!r}'
        ) from error
    if all(host == "" for host, _ in pairs):
        return None
    return tuple((check_host(what, host), check_port(what, port)) for host, port in pairs)


def describe(value: object) -> str:
    """Return the name of a value for an error message."""
    if isinstance(value, type):
        return f"the class {value.__qualname__}"
    # From Python 3.14 on, a functools.partial is a routine too, but has no name.
    if inspect.isroutine(value) and hasattr(value, "__qualname__"):
        return f"the function {value.__qualname__}"
    text = repr(value)
    return text if len(text) <= _LONGEST_REPR else f"a {type(value).__qualname__}"

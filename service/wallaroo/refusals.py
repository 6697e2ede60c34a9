"""What is said of settings that are wrong: their names and what is near them, never the value of a property.

Values of properties may be passwords and keys, and a refusal is read by whoever reads the log.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

# Names that are shown; what else stands in the place of a name may be a value that slipped.
_SHOWN_NAME = re.compile(r"[A-Za-z0-9_.-]{1,60}")
# What is shown of a number or a choice that was not understood.
_SHOWN_VALUE = re.compile(r"[\w .+-]{0,40}")
_SHORT_NAME = 6
_OPTION = re.compile(r"-{1,2}([A-Za-z][\w-]*)(=|$)")
_PREFIX = "WALLAROO_"
# What Kubernetes tells every container of a service called `wallaroo`.
_KUBERNETES = re.compile(r"(.*_)?SERVICE_(HOST|PORT)(_\w+)?|(.*_)?PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?")
_ADDRESS = re.compile(r"(tcp|udp|sctp)://.*|[\d.:a-f]+|tcp|udp|sctp")

_SECRET = re.compile(r"password|secret|token|jaas|pem|oauthbearer\.config|credential|passphrase|(^|\.)key$")
# What only looks like one: everybody may know it.
_PUBLIC = re.compile(r"^ssl\.(ca|certificate)\.pem$|\.(location|url|file|algorithm)$")
_SHORTEST_SECRET = 4
_SHORTEST_WORD = 8
HIDDEN = "***"


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The one of `names` that was probably meant; None if none is near."""
    plain = {_plain(each): each for each in names}
    found = get_close_matches(_plain(name), plain, 1, 0.8 if len(name) <= _SHORT_NAME else 0.84)
    return plain[found[0]] if found else None


def _plain(name: str) -> str:
    return name.lower().replace("_", "-").removeprefix("no-")


def shown_name(name: str) -> str:
    """A name in quotes; what cannot be a name is not shown."""
    return (
        repr(name) if _SHOWN_NAME.fullmatch(name) else "whose name is more than letters, digits, _, . and -"
    )


def explain(problem: Mapping[str, Any], names: Collection[str], mappings: Collection[str]) -> str:
    """Say what is wrong with a setting, given one of pydantic's errors."""
    name, value = str(problem["loc"][0]), problem["input"]
    if name not in names:
        return unknown(name, value, names)
    option, variable = f"--{name.replace('_', '-')}", f"{_PREFIX}{name.upper()}"
    if name in mappings:
        return (
            f"setting {name!r} is a mapping of properties to texts, and its value is none; set it with "
            f"{option} PROPERTY=VALUE, {variable}__PROPERTY=VALUE or a table [{name}] in the settings file"
        )
    is_harmless = isinstance(value, str | int | float) and _SHOWN_VALUE.fullmatch(str(value))
    is_shown = is_harmless and not _SECRET.search(name)
    got = f", got {value!r}" if is_shown else ""
    return (
        f"setting {name!r}: {problem['msg']}{got}; set it with {option}, {variable} or in the settings file"
    )


def unknown(name: str, value: object, names: Collection[str]) -> str:
    """Say that there is no such setting, and what may have been meant."""
    near = nearest(name, names)
    if near is not None:
        what = f"did you mean {near!r}?"
    elif isinstance(value, Mapping) and any(nearest(str(inner), names) for inner in value):
        what = "settings stand at the top of the settings file, in no section of their own"
    elif "." in name or isinstance(value, Mapping):
        what = "properties of Kafka clients belong into the table [kafka], each name in quotes"
    else:
        what = "`wallaroo run --help` lists all"
    return f"there is no setting {shown_name(name)}; {what}"


def misspelt_option(argument: str, names: Collection[str]) -> str | None:
    """The option of ours that an argument on the command line is probably meant to be; None if it is none."""
    matched = _OPTION.match(argument)
    near = nearest(matched[1], names) if matched and len(matched[1]) > 1 else None
    if near is None:
        return None
    no = "no-" if matched and matched[1].lower().startswith("no-") else ""
    return f"--{no}{near.replace('_', '-')}"


def mentions(source: str, argument: str) -> bool:
    """Whether the text of a module has an option: the application takes it itself, then."""
    option = re.escape(argument.partition("=")[0])
    name = re.escape(argument.partition("=")[0].lstrip("-"))
    return re.search(rf"(?<![\w-]){option}(?![\w-])|[\"']{name}=?[\"']", source) is not None


def unknown_variables(
    environment: Mapping[str, str], names: Sequence[str], mappings: Sequence[str]
) -> Iterator[str]:
    """A text for each variable that looks like a setting and is none."""
    for variable in sorted(environment):
        name = variable.upper().removeprefix(_PREFIX).lower()
        if not variable.upper().startswith(_PREFIX) or _is_known(name, names, mappings):
            continue
        if _KUBERNETES.fullmatch(name.upper()) and _ADDRESS.fullmatch(environment[variable]):
            continue
        yield f"the variable {variable} is no setting and has no effect; {_meant(name, names, mappings)}"


def _is_known(name: str, names: Collection[str], mappings: Collection[str]) -> bool:
    setting, nested, _ = name.partition("__")
    return setting in names and (not nested or setting in mappings)


def _meant(name: str, names: Collection[str], mappings: Iterable[str]) -> str:
    for mapping in mappings:
        if name.startswith(f"{mapping}_"):
            rest = name.removeprefix(mapping).lstrip("_").upper()
            return f"did you mean {_PREFIX}{mapping.upper()}__{rest}, with two underscores?"
    setting, nested, rest = name.partition("__")
    near = nearest(setting, names)
    if near is None:
        return "`wallaroo run --help` lists all settings"
    rest = f"{nested}{rest.upper()}" if near in mappings else ""
    return f"did you mean {_PREFIX}{near.upper()}{rest}?"


def is_secret(name: str) -> bool:
    """Whether the value of a property or setting of this name is a secret."""
    return bool(_SECRET.search(name)) and not _PUBLIC.search(name)


def secrets_of(properties: Mapping[str, str]) -> frozenset[str]:
    """Texts that must not be printed: the values of properties that are secret, and their longer words."""
    found: set[str] = set()
    for name, value in properties.items():
        if _SECRET.search(name):
            words = re.split(r"[\s=;,:\"'\\]+", value)
            found |= {value} | {word for word in words if len(word) >= _SHORTEST_WORD}
    return frozenset(text for text in found if len(text) >= _SHORTEST_SECRET)


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """The text, with each secret in it hidden."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text

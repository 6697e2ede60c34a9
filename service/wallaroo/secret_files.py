"""Secrets that come from files: `http_token_file`, and `sasl.password.file` in place of `sasl.password`.

What a command line or an environment holds, others may read: a file can be left to its reader alone, and is
how containers are given secrets. No text that is made here has what is in a file.
"""

import re
from collections.abc import Mapping
from typing import Any

from wallaroo.errors import SettingsError
from wallaroo.refusals import is_secret

# Settings that are secret; each has a setting with the name of its file beside it.
SECRET_SETTINGS = ("http_token",)
_FILE = "_file"
_PROPERTY_FILE = ".file"
# A property of the client itself, which reads the file.
_OF_THE_CLIENT = {"sasl.oauthbearer.assertion.private.key.file"}
_MOST_BYTES = 1_048_576
_VARIABLE = re.compile(r"[^A-Z0-9]")


def with_secret_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of one source, with what is in the files that they name.

    Raises SettingsError if a file cannot be read, or a secret is given beside its file.
    """
    read = dict(given)
    for name in SECRET_SETTINGS:
        path = read.get(name + _FILE)
        if path is None:
            continue
        variable = f"WALLAROO_{name.upper()}"
        if read.get(name) is not None:
            raise _twice(name, f"{variable} and {variable}_FILE")
        read[name] = _content(f"{name}{_FILE} ({variable}_FILE)", str(path))
    return read


def with_secret_properties(setting: str, given: Mapping[str, str]) -> dict[str, str]:
    """Client properties, with what is in the files that `PROPERTY.file` names.

    Raises SettingsError if a file cannot be read, or a secret is given beside its file.
    """
    read = dict(given)
    for name in given:
        secret = name.removesuffix(_PROPERTY_FILE)
        if secret == name or name in _OF_THE_CLIENT or not is_secret(secret):
            continue
        variable = f"WALLAROO_{setting.upper()}__{_VARIABLE.sub('_', secret.upper())}"
        if secret in given:
            raise _twice(f"{setting}: {secret}", f"{variable} and {variable}_FILE")
        read[secret] = _content(f"{setting}: {name} ({variable}_FILE)", read.pop(name))
    return read


def _content(setting: str, path: str) -> str:
    """What is in the file, without the line's end that editors put behind it."""
    advice = "let it be a file that this user may read, with the secret and nothing else in it"
    try:
        with open(path, "rb") as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise SettingsError(
                f"setting {setting}: the file {path!r} has more than {_MOST_BYTES} bytes; {advice}"
            )
        text = content.decode()
    except UnicodeDecodeError:
        raise SettingsError(f"setting {setting}: the file {path!r} is not UTF-8; {advice}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SettingsError(
            f"setting {setting}: the file {path!r} cannot be read: {reason}; {advice}"
        ) from None
    if not (secret := text.removesuffix("\n").removesuffix("\r")):
        raise SettingsError(f"setting {setting}: the file {path!r} is empty; {advice}")
    return secret


def _twice(what: str, where: str) -> SettingsError:
    return SettingsError(f"setting {what} is given by itself and by a file; give one of {where}")

"""`wallaroo new`: a project that runs and tests itself."""

import re
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from wallaroo.errors import SettingsError

_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
_SUFFIX = ".in"


def new(
    name: Annotated[
        str, typer.Argument(help="of the project, its folder and its topics: letters, digits and -")
    ],
) -> int:
    """Make a folder with an application, its schema, tests and a compose file.

    Example: wallaroo new shop && cd shop && python -m pytest
    """
    if not _NAME.fullmatch(name):
        raise SettingsError(
            f"{name!r} cannot name a project: small letters, digits and - only, a letter first"
        )
    folder = Path(name)
    try:
        folder.mkdir()
    except FileExistsError as error:
        raise SettingsError(f"there is {name!r} already; choose another name, or move it away") from error
    except OSError as error:
        raise SettingsError(f"the folder {name!r} cannot be made: {error.strerror}") from error
    for each in sorted(files("wallaroo.cli").joinpath("template").iterdir(), key=lambda file: file.name):
        text = each.read_text(encoding="utf-8").replace("NAME", name)
        path = folder / each.name.removesuffix(_SUFFIX)
        path.write_text(text, encoding="utf-8")
        print(f"  {path}")
    print(f"\nTry it: cd {name} && python -m pytest && wallaroo describe application.py")
    return 0

"""Who this process group is on the cluster: stable over a restart, and nobody else's at the same time.

By default the host's name. A second service of the same application on one host would fence the first,
so a lock file decides: the second one gets `<host>-2`, and again so after a restart.
"""

import fcntl
import os
import platform
import re
import tempfile
from pathlib import Path
from typing import IO

from wallaroo.errors import SettingsError

_MOST_ON_ONE_HOST = 64


class InstanceLock:
    """A claimed instance name; released when the process ends, however it ends."""

    def __init__(self, name: str, file: IO[str]) -> None:
        self.name = name
        self._file = file

    def release(self) -> None:
        self._file.close()


def claim_instance(application_id: str, wanted: str | None, folder: Path | None = None) -> InstanceLock:
    """Claim `wanted`, or the first free name of this host.

    Raises SettingsError if `wanted` is taken by a running service of this application on this host.
    """
    base = wanted or re.sub(r"[^a-zA-Z0-9._-]", "-", platform.node() or "localhost")
    names = [base] if wanted else [base, *(f"{base}-{n}" for n in range(2, _MOST_ON_ONE_HOST + 1))]
    for name in names:
        file = _lock(_path(application_id, name, folder))
        if file is not None:
            return InstanceLock(name, file)
    raise SettingsError(
        f"the instance {base!r} of {application_id!r} is already running on this host; "
        "stop it, or set instance (WALLAROO_INSTANCE) to another name"
    )


def _path(application_id: str, name: str, folder: Path | None) -> Path:
    place = folder or Path(tempfile.gettempdir()) / f"wallaroo-{os.getuid()}"
    place.mkdir(mode=0o700, exist_ok=True)
    return place / f"{application_id}-{name}.lock"


def _lock(path: Path) -> IO[str] | None:
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file

"""Who this process group is on the cluster: stable over a restart, and nobody else's at the same time.

By default the host's name. A second service of the same application on one host would fence the first,
so a lock file decides: the second one gets `<host>-2`, and again so after a restart.
"""

import errno
import fcntl
import logging
import os
import platform
import re
import tempfile
from pathlib import Path
from typing import IO

from wallaroo.errors import SettingsError

_log = logging.getLogger(__name__)

_ADVICE = (
    "let no other service of this application run here under this name, or set TMPDIR to a folder that can "
    "be written, so that it is noticed"
)
_MOST_ON_ONE_HOST = 64


class InstanceLock:
    """A claimed instance name; released when the process ends, however it ends."""

    def __init__(self, name: str, file: IO[str] | None) -> None:
        self.name = name
        self._file = file

    def release(self) -> None:
        if self._file is not None:
            self._file.close()


def claim_instance(application_id: str, wanted: str | None, folder: Path | None = None) -> InstanceLock:
    """Claim `wanted`, or the first free name of this host.

    Where no folder can be written, as in a container without volumes, nothing is claimed: a warning says so.

    Raises SettingsError if `wanted` is taken by a running service of this application on this host.
    """
    base = wanted or re.sub(r"[^a-zA-Z0-9._-]", "-", platform.node() or "localhost")
    try:
        place = _lock_folder(folder)
    except OSError as error:
        _log.warning(
            "instance not claimed", extra={"instance": base, "reason": str(error), "advice": _ADVICE}
        )
        return InstanceLock(base, None)
    names = [base] if wanted else [base, *(f"{base}-{n}" for n in range(2, _MOST_ON_ONE_HOST + 1))]
    for name in names:
        file = _lock(place / f"{application_id}-{name}.lock")
        if file is not None:
            return InstanceLock(name, file)
    raise SettingsError(
        f"the instance {base!r} of {application_id!r} is already running on this host; "
        "stop it, or set instance (WALLAROO_INSTANCE) to another name"
    )


def _lock_folder(folder: Path | None) -> Path:
    """Where lock files are; OSError if they cannot be there."""
    place = folder or Path(tempfile.gettempdir()) / f"wallaroo-{os.getuid()}"
    place.mkdir(mode=0o700, exist_ok=True)
    if not os.access(place, os.W_OK):
        raise PermissionError(errno.EACCES, "no file can be written", str(place))
    return place


def _lock(path: Path) -> IO[str] | None:
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file

"""A disk that can be filled: a small file system of its own, where this machine lets us mount one."""

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.kafka.process import dismiss, guard

FILLER = "filler"
_STEPS = (1 << 20, 1 << 12)


class MountError(Exception):
    """No file system can be mounted here."""


@contextmanager
def small_disk(folder: Path, size_mib: int) -> Iterator[Path]:
    """A file system of so many MiB, gone afterwards, however this process ends."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size_mib}m", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise MountError("there is no command `mount`") from error
    if done.returncode:
        raise MountError(f"no file system can be mounted here ({done.stderr.strip()}); root may do it")
    unmount = ["umount", "--lazy", str(folder)]
    guarding = guard(unmount)
    try:
        yield folder
    finally:
        dismiss(guarding)
        subprocess.run(unmount, capture_output=True, check=False)


def fill(disk: Path) -> None:
    """Take all the space that is left, to the last page."""
    with (disk / FILLER).open("ab") as filler:
        for step in _STEPS:
            _allocate(filler.fileno(), step)


def make_space(disk: Path) -> None:
    (disk / FILLER).unlink(missing_ok=True)


def _allocate(file: int, step: int) -> None:
    while True:
        try:
            os.posix_fallocate(file, os.fstat(file).st_size, step)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                return
            raise

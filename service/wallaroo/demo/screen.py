"""What a demo shows: lines, and below them a line of progress where the output is a terminal."""

import io
import os
import shutil
from typing import TextIO

_BAR = 20
_ERASE = "\r\x1b[2K"
# Without a terminal, progress is a line of its own, this often on the way.
_STEPS = 5


class Screen:
    """Writes to a terminal, or plain lines without a control character to anything else."""

    def __init__(self, out: TextIO) -> None:
        if isinstance(out, io.TextIOWrapper):
            out.reconfigure(errors="replace")
        self._out = out
        self._terminal = out.isatty() and os.environ.get("TERM") != "dumb"
        self._progress = ""
        self._step = 0

    def line(self, text: str = "") -> None:
        """Write a line, above the progress."""
        self._write((_ERASE if self._progress else "") + text + "\n" + self._progress)

    def progress(self, share: float, text: str) -> None:
        """Say how far it has come; `share` is of 1."""
        if self._terminal:
            full = round(min(share, 1) * _BAR)
            shown = f"  [{'#' * full}{'-' * (_BAR - full)}] {min(share, 1):4.0%}  {text}"
            self._progress = shown[: shutil.get_terminal_size().columns - 1]
            self._write(_ERASE + self._progress)
        elif share * _STEPS >= self._step + 1:
            self._step = int(share * _STEPS)
            self._write(f"  {share:4.0%}  {text}\n")

    def done(self) -> None:
        """Take the progress away."""
        if self._progress:
            self._progress = ""
            self._write(_ERASE)

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()

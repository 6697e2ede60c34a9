"""A run of the demo: payments out at a given rate, alerts in, and both on the screen."""

import io
import json
import os
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, TextIO

from wallaroo.demo.ledger import Ledger, Payment, Verdict, judge, line
from wallaroo.demo.traffic import Feed, Tail

_SHOWN_FIRST = 10
_SHOW_SECONDS = 0.5
_PROGRESS_SECONDS = 0.1
_TURN_SECONDS = 0.02
_MOST_IN_A_TURN = 1_000
_STALL_SECONDS = 20.0

_BAR = 20
_ERASE = "\r\x1b[2K"
# Without a terminal, progress is this many lines.
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
        """Show the progress; `share` is between 0 and 1."""
        if self._terminal:
            full = round(min(share, 1) * _BAR)
            shown = f"  [{'#' * full}{'-' * (_BAR - full)}] {min(share, 1):4.0%}  {text}"
            self._progress = shown[: shutil.get_terminal_size().columns - 1]
            self._write(_ERASE + self._progress)
        elif share * _STEPS >= self._step + 1:
            self._step = int(share * _STEPS)
            self._write(f"  {share:4.0%}  {text}\n")

    def done(self) -> None:
        """Erase the progress."""
        if self._progress:
            self._progress = ""
            self._write(_ERASE)

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()


class Flow:
    """One run of payments; `check` is called all the time, and raises once the run cannot go on."""

    def __init__(self, screen: Screen, feed: Feed, tail: Tail, check: Callable[[], None]) -> None:
        self.sent = self.alerts = self.dead = 0
        self.seconds = 0.0
        self._screen = screen
        self._feed = feed
        self._tail = tail
        self._check = check
        self._arrived: dict[str, list[str]] = defaultdict(list)
        self._shown = 0
        self._shown_at = self._progress_at = 0.0

    def run(self, payments: Iterator[Payment], records: int, rate: int, ledger: Ledger) -> None:
        """Feed `rate` payments a second; wait until all due alerts have arrived, or no more arrive."""
        started = time.monotonic()
        while self.sent < records:
            due = min(records, int((time.monotonic() - started) * rate) + 1, self.sent + _MOST_IN_A_TURN)
            for payment in islice(payments, due - self.sent):
                self._feed.send(*payment)
            self.sent = due
            self._turn(records)
        self._feed.finish()
        last = time.monotonic()
        while self.alerts < ledger.due or self.dead < ledger.malformed:
            if self._turn(records):
                last = time.monotonic()
            elif time.monotonic() - last > _STALL_SECONDS:
                break
        self.seconds = time.monotonic() - started
        self._screen.done()

    def drain(self) -> None:
        """Read to the end of the topics, for alerts that were not due."""
        deadline = time.monotonic() + _STALL_SECONDS
        while not self._tail.at_end and time.monotonic() < deadline:
            self._read()

    def verdict(self, ledger: Ledger) -> Verdict:
        return judge(ledger.alerts, self._arrived)

    def _turn(self, records: int) -> int:
        self._check()
        arrived = self._read()
        now = time.monotonic()
        if now - self._progress_at >= _PROGRESS_SECONDS:
            self._progress_at = now
            text = f"{self.sent:,} transactions, {self.alerts:,} alerts, {self.dead} dead letters"
            self._screen.progress(self.sent / records, text)
        return arrived

    def _read(self) -> int:
        arrivals = self._tail.read(_TURN_SECONDS)
        for arrival in arrivals:
            if arrival.topic == "alerts":
                self._note(json.loads(arrival.value))
            else:
                self.dead += 1
        return len(arrivals)

    def _note(self, alert: dict[str, Any]) -> None:
        """Keep an alert; the first ones are shown, and then two a second."""
        text = line(alert["kind"], alert["user"], alert["total"])
        self._arrived[alert["user"]].append(text)
        self.alerts += 1
        now = time.monotonic()
        if self._shown >= _SHOWN_FIRST and now - self._shown_at < _SHOW_SECONDS:
            return
        if self._shown == _SHOWN_FIRST:
            self._screen.line("  ... and from here on two a second")
        self._shown += 1
        self._shown_at = now
        self._screen.line(f"  {text}")

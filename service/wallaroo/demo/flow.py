"""The traffic of a demo run: payments out at a given rate, alerts in, progress on the screen."""

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from wallaroo.demo.ledger import Ledger, Payment, Verdict, judge, line
from wallaroo.demo.screen import Screen
from wallaroo.demo.traffic import Feed, Tail

_SHOWN_FIRST = 10
_SHOW_SECONDS = 0.5
_TELL_SECONDS = 0.1
_TURN_SECONDS = 0.02
_MOST_IN_A_TURN = 1_000
_PATIENCE_SECONDS = 20.0


class Flow:
    """One run of payments; `check` is asked all the time, and raises where going on is no use."""

    def __init__(self, screen: Screen, feed: Feed, tail: Tail, check: Callable[[], None]) -> None:
        self.sent = self.alerts = self.dead = 0
        self.seconds = 0.0
        self._screen = screen
        self._feed = feed
        self._tail = tail
        self._check = check
        self._came: dict[str, list[str]] = defaultdict(list)
        self._shown = 0
        self._shown_at = self._told_at = 0.0

    def run(self, payments: Iterator[Payment], records: int, rate: int, ledger: Ledger) -> None:
        """Feed so many payments a second, and wait until what is due has come, or no more comes."""
        started = time.monotonic()
        while self.sent < records:
            due = min(records, int((time.monotonic() - started) * rate) + 1, self.sent + _MOST_IN_A_TURN)
            for payment in islice(payments, due - self.sent):
                self._feed.send(*payment)
            self.sent = due
            self._turn(records)
        self._feed.finish()
        self._await(ledger, records)
        self.seconds = time.monotonic() - started
        self._screen.done()

    def drain(self) -> None:
        """Read what has come beyond what was due."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not self._tail.at_end and time.monotonic() < deadline:
            self._take()

    def verdict(self, ledger: Ledger) -> Verdict:
        return judge(ledger.alerts, self._came)

    def _await(self, ledger: Ledger, records: int) -> None:
        heard = time.monotonic()
        while self.alerts < ledger.due or self.dead < ledger.malformed:
            if self._turn(records):
                heard = time.monotonic()
            elif time.monotonic() - heard > _PATIENCE_SECONDS:
                return

    def _turn(self, records: int) -> int:
        self._check()
        came = self._take()
        now = time.monotonic()
        if now - self._told_at >= _TELL_SECONDS:
            self._told_at = now
            text = f"{self.sent:,} transactions, {self.alerts:,} alerts, {self.dead} dead letters"
            self._screen.progress(self.sent / records, text)
        return came

    def _take(self) -> int:
        arrivals = self._tail.read(_TURN_SECONDS)
        for arrival in arrivals:
            if arrival.topic == "alerts":
                self._note(json.loads(arrival.value))
            else:
                self.dead += 1
        return len(arrivals)

    def _note(self, alert: dict[str, Any]) -> None:
        text = line(alert["kind"], alert["user"], alert["total"])
        self._came[alert["user"]].append(text)
        self.alerts += 1
        self._show(text)

    def _show(self, text: str) -> None:
        now = time.monotonic()
        if self._shown >= _SHOWN_FIRST and now - self._shown_at < _SHOW_SECONDS:
            return
        if self._shown == _SHOWN_FIRST:
            self._screen.line("  ... and from here on two a second")
        self._shown += 1
        self._shown_at = now
        self._screen.line(f"  {text}")

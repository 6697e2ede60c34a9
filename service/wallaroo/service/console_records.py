"""Dead letters and results as the console reads them, and what it does with dead letters.

Rules for whoever edits this file:
1. Nothing is read before somebody asks, and what is read is kept for a moment, for all who ask.
2. Only the ends of topics are read, and only for so long: they may hold anything.
3. What is done with a dead letter is done by `admin`, as on the command line, in a thread of its own.
"""

import json
import logging
import threading
from codecs import getincrementaldecoder
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, assert_never

from confluent_kafka.admin import AdminClient

from wallaroo.admin.cluster import Reached, explained, topics_of
from wallaroo.admin.dead_letter_topic import read_register
from wallaroo.admin.dead_letters import Letter, Register, ReplayPlan, Wanted, letter_of, shown_bytes
from wallaroo.admin.records import fetch, read_newest
from wallaroo.admin.replay import drop, preview, replay
from wallaroo.clock import Clock
from wallaroo.errors import SettingsError, WallarooError
from wallaroo.observability.console.records import BusyError, Json, Place, Verb
from wallaroo.service.cached import Cached
from wallaroo.settings import Settings
from wallaroo.task.origin import Source
from wallaroo.topology.model import Topology, ToTopic

_log = logging.getLogger(__name__)

_KEPT_MS = 2_000
_READ_SECONDS = 8.0
# How many offsets of the dead letters are looked at; the second where the first is too much.
_LOOKED_AT = (2_000, 100)
_MOST_LISTED = 200
_MOST_TEXT = 65_536
_MOST_RESULTS = 20
# A commit takes an offset, too.
_LEAST_RESULTS_A_PARTITION = 4
_MOST_RESULT_TEXT = 1_000
_MOST_TOPICS = 8
# What a text may have in it: tabs and the ends of lines.
_LINES = dict.fromkeys((9, 10, 13))


@dataclass(slots=True)
class Work:
    """What is being done, or was done last."""

    verb: Verb
    total: int
    done: int = 0
    is_over: bool = False
    problem: str = ""
    refused: list[tuple[Letter, str]] = field(default_factory=list)

    def note(self, done: int) -> None:
        self.done = done


class KafkaRecords:
    """The dead letters and results of one application; asked by several threads at once."""

    def __init__(self, topology: Topology, settings: Settings, admin: AdminClient, clock: Clock) -> None:
        self._topology = topology
        self._settings = settings
        self._admin = admin
        self._clock = clock
        self._lock = threading.Lock()
        self._work: Work | None = None
        self._letters = Cached(self._read_letters, _KEPT_MS, clock.now_ms)
        self._newest = Cached(self._read_results, _KEPT_MS, clock.now_ms)

    def listed(self, stage: str, error: str) -> Json:
        letters, register = self._letters()
        wanted = Wanted(stage=stage or None, error=error or None)
        found = [each for each in letters if wanted.takes(each)]
        return {
            "letters": [_row(each, register) for each in found[:_MOST_LISTED]],
            "found": len(found),
            "looked_at": len(letters),
            "stages": sorted({each.stage for each in letters}),
            "errors": sorted({each.error for each in letters}),
        }

    def opened(self, place: Place) -> Json | None:
        with self._reached() as cluster:
            at = Source(self._topology.dead_letters, *place)
            message = fetch(cluster, [at]).get(at)
            if message is None:
                return None
            letter = letter_of(message)
            register = read_register(cluster, self._topology)
        headers = [[name, _cut(shown_bytes(value))] for name, value in message.headers() or ()]
        row = _row(letter, register)
        return row | {"truncated": letter.truncated, "headers": headers, "content": _content(message.value())}

    def planned(self, verb: Verb, places: frozenset[Place]) -> Json:
        with self._reached() as cluster:
            letters = self._at(cluster, places)
            match verb:
                case "replay":
                    return _plan(preview(cluster, self._topology, letters))
                case "drop":
                    register = read_register(cluster, self._topology)
                    open_places = [each.short_place for each in letters if register.of(each) is None]
                    return {"sendings": [], "drops": open_places, "refused": []}
                case _:
                    assert_never(verb)

    def begin(self, verb: Verb, places: frozenset[Place]) -> None:
        with self._lock:
            if self._work and not self._work.is_over:
                raise BusyError(f"a {self._work.verb} is under way; wait for its end")
            work = self._work = Work(verb, len(places))
        _log.info("dead letters asked for", extra={"verb": verb, "number": len(places)})
        threading.Thread(target=self._do, args=(work, places), name="dead letters", daemon=True).start()

    def progress(self) -> Json:
        work = self._work
        if work is None:
            return {"verb": None}
        return {
            "verb": work.verb,
            "total": work.total,
            "done": work.done,
            "is_over": work.is_over,
            "problem": work.problem,
            "refused": _refused(work.refused),
        }

    def results(self) -> Json:
        found: Json = self._newest()
        return found

    def _do(self, work: Work, places: frozenset[Place]) -> None:
        problem = "it failed; the log says why"
        try:
            with self._reached() as cluster:
                self._handle(cluster, work, self._at(cluster, places))
            problem = ""
        except WallarooError as error:
            problem = str(error)
        finally:
            work.problem = problem
            self._letters.forget()
            work.is_over = True
            details = {"verb": work.verb, "done": work.done, "refused": len(work.refused)}
            _log.info("dead letters handled", extra={**details, "problem": problem})

    def _handle(self, cluster: Reached, work: Work, letters: list[Letter]) -> None:
        topology, now_ms = self._topology, self._clock.now_ms
        match work.verb:
            case "replay":
                outcome = replay(cluster, topology, letters, now_ms, after_portion=work.note)
                work.done, work.refused = len(outcome.sent), outcome.refused
            case "drop":
                work.done = len(drop(cluster, topology, letters, now_ms))
            case _:
                assert_never(work.verb)

    def _at(self, cluster: Reached, places: Iterable[Place]) -> list[Letter]:
        """The dead letters at these places, those that are there."""
        topic = self._topology.dead_letters
        return [letter_of(each) for each in fetch(cluster, (Source(topic, *at) for at in places)).values()]

    def _read_letters(self) -> tuple[list[Letter], Register]:
        """The dead letters that are looked at, the newest first, and what became of them."""
        topic = self._topology.dead_letters
        with self._reached() as cluster:
            register = read_register(cluster, self._topology)
            if topic not in cluster.topics:
                return [], register
            for most in _LOOKED_AT:
                found, is_all = self._within(map(letter_of, read_newest(cluster, topic, most)))
                if is_all:
                    break
        return sorted(found, key=lambda each: (each.time_ms, each.place), reverse=True), register

    def _read_results(self) -> Json:
        targets = (target for sub in self._topology.sub_topologies for target in sub.targets)
        topics = list(dict.fromkeys(each.topic for each in targets if isinstance(each, ToTopic)))
        found: list[Any] = []
        with self._reached() as cluster:
            for topic in topics[:_MOST_TOPICS]:
                if count := cluster.topics.get(topic, 0):
                    most = max(_MOST_RESULTS, count * _LEAST_RESULTS_A_PARTITION)
                    found += self._within(map(_result, read_newest(cluster, topic, most)))[0]
        found.sort(key=lambda each: (each["time"], each["offset"]), reverse=True)
        return {"topics": topics, "results": found[:_MOST_RESULTS]}

    def _within(self, items: Iterator[Any]) -> tuple[list[Any], bool]:
        """The items that come in time, and whether these are all."""
        until = self._clock.monotonic() + _READ_SECONDS
        found = []
        for item in items:
            found.append(item)
            if self._clock.monotonic() > until:
                return found, False
        return found, True

    @contextmanager
    def _reached(self) -> Iterator[Reached]:
        """The cluster with its topics of now; Kafka's refusals are a KafkaSetupError."""
        if self._settings.embedded_broker:
            raise SettingsError("the embedded broker does not say what is in its topics; a cluster does")
        client_id = f"{self._topology.application_id}-console"
        with explained(self._settings):
            yield Reached(self._settings, self._admin, topics_of(self._admin), client_id)


def _row(letter: Letter, register: Register) -> dict[str, Any]:
    """A dead letter without its content."""
    handled = register.of(letter)
    return {
        "place": letter.short_place,
        "time": letter.time_ms,
        "became": None if handled is None else handled.outcome,
        "became_at": None if handled is None else handled.time_ms,
        "sent_to": None if handled is None or handled.sent is None else str(handled.sent),
        "replays": register.replays(letter),
        "stage": letter.stage,
        "error": letter.error,
        "message": letter.message,
        "key": _cut(shown_bytes(letter.key)),
        "failed_at": None if letter.failed is None else str(letter.failed),
        "source": None if letter.source is None else str(letter.source),
        "record_time": None if letter.record_time_ms < 0 else letter.record_time_ms,
    }


def _plan(planned: ReplayPlan) -> Json:
    sendings = [
        {
            "to": str(each.source),
            "topic": each.source.topic,
            "key": _cut(shown_bytes(each.letters[0].key)),
            "count": each.count,
            "letters": [letter.short_place for letter in each.letters],
        }
        for each in planned.sendings
    ]
    return {"sendings": sendings, "drops": [], "refused": _refused(planned.refused)}


def _refused(refused: Iterable[tuple[Letter, str]]) -> list[Json]:
    return [{"place": letter.short_place, "why": why} for letter, why in refused]


def _result(message: Any) -> dict[str, Any]:
    return {
        "topic": message.topic(),
        "partition": message.partition(),
        "offset": message.offset(),
        "time": message.timestamp()[1],
        "key": _cut(shown_bytes(message.key()), _MOST_RESULT_TEXT),
        "content": _content(message.value(), _MOST_RESULT_TEXT),
    }


def _content(data: bytes | None, most: int = _MOST_TEXT) -> Json:
    """A value as its text, and what that is: json, text, bytes in hexadecimal, or nothing."""
    if data is None:
        return {"kind": "none", "text": "", "size": 0, "is_cut": False}
    try:
        # What was cut may end inside of a character.
        text = getincrementaldecoder("utf-8")().decode(data[: most * 4], final=len(data) <= most * 4)
    except UnicodeDecodeError:
        text = "\0"
    kind = "json" if _is_json(data) else "text"
    shown, length = text, len(text)
    if kind == "text" and not text.translate(_LINES).isprintable():
        kind, shown, length = "bytes", data[: most // 3].hex(" "), len(data) * 3
    is_cut = length > most or len(data) > most * 4
    return {"kind": kind, "text": shown[:most], "size": len(data), "is_cut": is_cut}


def _is_json(data: bytes) -> bool:
    try:
        return isinstance(json.loads(data), dict | list)
    except (ValueError, RecursionError):
        return False


def _cut(text: str | None, most: int = 4_000) -> str | None:
    return text if text is None or len(text) <= most else f"{text[:most]}…"

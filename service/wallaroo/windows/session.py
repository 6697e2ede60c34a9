"""Session windows: messages of a key that are at most a gap apart in event time. Times are nanoseconds.

Rules for whoever edits this file:
1. The sessions of a key are more than the gap apart. So the oldest is due first, and what comes between two
   joins one of them, both or none.
2. A session is due when the watermark has passed its last message, the gap and the delay: only then no
   message that is in order can join it.
3. A message that joins a session is not late, whatever its time: the session has not fired.
"""

from collections.abc import Callable
from typing import Any

from wallaroo.api.windows import SessionWindows
from wallaroo.errors import StoredValueError
from wallaroo.record import EarlyMoment, Emit, Moment
from wallaroo.serde.object_codec import Codec
from wallaroo.state.store import Access, StoreFormat
from wallaroo.topology.steps import Window
from wallaroo.windows.aggregate import About, Result, result_of
from wallaroo.windows.early import is_early_due
from wallaroo.windows.late import HandleLate, late_policy
from wallaroo.windows.stage import TimeContext, WindowKind, WindowTrigger
from wallaroo.windows.stored_sessions import Session, Sessions, SessionsCodec, is_empty, session_reader
from wallaroo.windows.timers import DueTimes, Timers


def _store_format(step: Window, accumulators: Codec) -> StoreFormat:
    codec = SessionsCodec(step.declared.gap, accumulators.encode, accumulators.decode)
    return StoreFormat(Sessions, codec, is_empty)


def due_times(step: Window) -> DueTimes:
    """When the sessions of a step are due."""
    delay: int = step.declared.delay
    wait: int = step.declared.duration
    read_last = session_reader(step.declared.gap)

    def of_live(sessions: Sessions) -> int | None:
        return sessions.open[0].last + wait if sessions.open else None

    def of_stored(data: bytes) -> int:
        last = read_last(data)
        if last is None:
            raise StoredValueError(f"a stored value holds no session: {data!r}")
        return last + wait

    def has_missed(event_time: int, watermark: int) -> bool:
        """Whether a session whose last message is the gap before would have fired."""
        return event_time + delay < watermark

    return DueTimes(delay, of_live, of_stored, has_missed, moves=True)


def _compose(step: Window, access: Access, time: TimeContext, emit: Emit) -> Emit:
    find, touch = access
    aggregation, gap, wait = step.declared.aggregation, step.declared.gap, step.declared.duration
    timers = time.timers[step.store.name]
    result = result_of(step, lambda session, final: About(session.first, session.last + gap, final))
    place = _place_in_oldest(step, touch, timers)
    handle_late = late_policy(step, time, emit, lambda at: Session(at, at), result, place)
    time.triggers.append(_trigger(step, access, timers, result, emit))

    def add_to_session(message: Any, key: Any, origin: Any) -> None:
        event_time = origin.event_time
        sessions = find(key)
        if sessions is None:
            sessions = touch(key)
        if sessions.open:
            session = sessions.open[-1]
            last = session.last
            if session.first <= event_time <= last + gap:
                if event_time > last:
                    session.last = event_time
                session.add(message, aggregation)
                return
            joined = sessions.join(event_time, gap, aggregation)
            if joined is not None:
                joined.add(message, aggregation)
                return
        if event_time + wait <= timers.watermark:
            handle_late(message, key, origin)
            return
        session = sessions.begin(event_time, aggregation)
        if sessions.open[0] is session:
            timers.schedule(event_time + wait, key)
        session.add(message, aggregation)

    if step.declared.early is None:
        return add_to_session
    return _with_early_results(step, access, add_to_session, result, emit)


def _with_early_results(step: Window, access: Access, add: Emit, result: Result, emit: Emit) -> Emit:
    find, touch = access
    every = step.declared.early

    def add_and_emit_early(message: Any, key: Any, origin: Any) -> None:
        add(message, key, origin)
        sessions: Sessions = find(key) or touch(key)
        session = sessions.at(origin.event_time)
        # A late message is in none, whatever the policy.
        if session is None or not is_early_due(session.early, origin.event_time, every):
            return
        session.early = origin.event_time
        made = result(key, session.accumulator, session, False)
        if made is not None:
            emit(made, key, EarlyMoment(origin.event_time, origin.record))

    return add_and_emit_early


def _place_in_oldest(step: Window, touch: Callable[[bytes], Any], timers: Timers) -> HandleLate:
    """Into the oldest session of the key, which stays as long as it is.

    If it has none, the message begins one, as if it had come at the first moment that is not late.
    """
    aggregation, wait = step.declared.aggregation, step.declared.duration

    def place_in_oldest(message: Any, key: bytes, _origin: Any) -> None:
        sessions: Sessions = touch(key)
        if not sessions.open:
            sessions.begin(timers.watermark - wait + 1, aggregation)
            timers.schedule(timers.watermark + 1, key)
        sessions.open[0].add(message, aggregation)

    return place_in_oldest


def _trigger(step: Window, access: Access, timers: Timers, result: Result, emit: Emit) -> WindowTrigger:
    """The result of a session has the time up to which a message could have joined it."""
    touch, gap, wait = access.touch, step.declared.gap, step.declared.duration

    def close_oldest(sessions: Sessions, key: bytes) -> None:
        del sessions.open[0]
        if sessions.open:
            timers.schedule(sessions.open[0].last + wait, key)

    def fire_session(due: int, key: bytes) -> None:
        if not timers.is_due(due, key):
            return
        sessions: Sessions = touch(key)
        if not sessions.open:
            # What was stored could not be read, and has been put aside.
            return
        session = sessions.open[0]
        made = result(key, session.accumulator, session, True)
        close_oldest(sessions, key)
        if made is not None:
            emit(made, key, Moment(session.last + gap))

    def discard_session(due: int, key: bytes) -> None:
        if timers.due(key) == due:
            sessions: Sessions = touch(key)
            if sessions.open:
                close_oldest(sessions, key)

    return WindowTrigger(step.name, timers, fire_session, discard_session)


def _open_state(_step: Window, sessions: Sessions) -> dict[int, Any] | None:
    """Accumulators by the first message of their session."""
    return {session.first: session.accumulator for session in sessions.open} or None


KIND = WindowKind(SessionWindows, _store_format, _compose, _open_state, due_times)

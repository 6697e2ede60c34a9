"""The stream of the console: what comes, when, and when it ends."""

import asyncio

from wallaroo.observability.console import stream


def events(number, snapshot, instances):
    """The first events, and whether there is a next one once the service stops."""
    stopping = []

    async def read():
        found = []
        async for event in stream._events(lambda: bool(stopping), snapshot, instances):
            found.append(event.decode())
            if len(found) == number:
                stopping.append(True)
        return found

    return asyncio.run(asyncio.wait_for(read(), 60))


def test_a_snapshot_comes_at_once_and_each_second_until_the_service_stops(monkeypatch):
    monkeypatch.setattr(stream, "_EVERY_SECONDS", 0.01)
    made = []

    def snapshot():
        made.append(len(made))
        return b"%d" % len(made)

    found = [each for each in events(3, snapshot, lambda: b"[]") if "snapshot" in each]
    assert found[0] == "event: snapshot\ndata: 1\n\n"
    assert len(found) == len(made)


def test_instances_come_when_they_have_answered_and_when_they_change(monkeypatch):
    monkeypatch.setattr(stream, "_EVERY_SECONDS", 0.01)
    monkeypatch.setattr(stream, "_LOOK_SECONDS", 0.01)
    answers = iter([b"one", b"one", b"two"])
    told = [each for each in events(40, lambda: b"{}", lambda: next(answers, b"two")) if "instances" in each]
    assert told == ["event: instances\ndata: one\n\n", "event: instances\ndata: two\n\n"]

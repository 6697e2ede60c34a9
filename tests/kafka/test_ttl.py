"""States with a time to live on a real broker: restored with their times, and removed with tombstones."""

import time

import pytest

from tests.kafka.cluster import Sent, create_topic, produce, read_topic, wait_until
from tests.kafka.service import ServiceProcess
from wallaroo.state.store import POSITION_KEY

pytestmark = pytest.mark.slow
SECOND = 1_000


def test_keys_end_over_restarts_and_leave_tombstones(bootstrap_servers, application_id, tmp_path):
    in_topic, out_topic = f"{application_id}-in", f"{application_id}-out"
    create_topic(bootstrap_servers, in_topic, 2)
    create_topic(bootstrap_servers, out_topic, 2)
    # A broker takes no records from the future.
    begin = int(time.time() * 1000) - 3_600_000

    def send(*sent):
        both = [(key, at, partition) for key, at in sent for partition in (0, 1)]
        produce(bootstrap_servers, in_topic, [Sent(None, key, n, begin + at * SECOND) for key, at, n in both])

    def counted():
        found = {}
        for message in read_topic(bootstrap_servers, out_topic):
            found.setdefault(message.key().decode(), []).append(int(message.value()))
        return found

    def changelog():
        found = read_topic(bootstrap_servers, f"{application_id}-count-changelog")
        return {message.key().decode(): message.value() for message in found if message.key() != POSITION_KEY}

    def start():
        names = [f"--in-topic={in_topic}", f"--out-topic={out_topic}", f"--application-id={application_id}"]
        arguments = ["tests.kafka.ttl_app", f"--bootstrap-servers={bootstrap_servers}", *names]
        process = ServiceProcess(arguments, tmp_path / "service.log")
        return process.wait_ready()

    send(("old", 0), ("kept", 0), ("kept", 540))
    process = start()
    try:
        wait_until(lambda: counted().get("kept") == [1, 2, 3, 4])
        process.kill_all()
        process = start()
        # Restored with their times: one has ended by now, the other not.
        send(("kept", 900), ("kept", 1_200), ("new", 1_200))
        wait_until(lambda: counted().get("new") == [1, 2])
        assert counted() == {"old": [1, 2], "kept": [*range(1, 9)], "new": [1, 2]}
        wait_until(lambda: changelog()["old"] is None)
        assert changelog()["kept"].startswith(b"1L")
        process.kill_all()
        process = start()
        send(("old", 1_260), ("kept", 1_801))
        wait_until(lambda: len(counted()["kept"]) == 10)
        assert counted() == {"old": [1, 2, 1, 2], "kept": [*range(1, 9), 1, 2], "new": [1, 2]}
        send(("last", 3_000))
        wait_until(lambda: [key for key, value in changelog().items() if value is not None] == ["last"])
        assert process.stop() == 0
    finally:
        process.kill_all()
        print(f"--- service.log ---\n{(tmp_path / 'service.log').read_text(errors='replace')}")

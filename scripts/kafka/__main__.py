"""`make kafka` and `make kafka-stop`: a developer's broker on localhost:9092 that outlives the command."""

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from scripts.kafka.broker import STOP_TIMEOUT_SECONDS, KafkaBroker
from scripts.kafka.errors import KafkaStartError, KafkaUnavailableError
from scripts.kafka.jars import HOME

PORT = 9092
FOLDER = HOME / "broker"
PID_FILE = FOLDER / "pid"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m scripts.kafka", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    starting = verbs.add_parser("start", help=f"start a broker on localhost:{PORT}")
    starting.add_argument("properties", nargs="*", metavar="NAME=VALUE", help="further broker properties")
    verbs.add_parser("stop", help="stop it; its data stays")
    arguments = parser.parse_args()
    if arguments.verb == "stop":
        return stop()
    return start(dict(pair.partition("=")[::2] for pair in arguments.properties))


def start(properties: dict[str, str]) -> int:
    if pid := running_pid():
        print(f"Kafka already runs on localhost:{PORT} (pid {pid}); `make kafka-stop` stops it.")
        return 0
    try:
        broker = KafkaBroker(FOLDER, PORT, properties)
        broker.start()
    except (KafkaUnavailableError, KafkaStartError) as error:
        return _failed(str(error))
    PID_FILE.write_text(str(broker.pid))
    broker.release()
    print(f"Kafka runs on localhost:{PORT} (pid {broker.pid}); `make kafka-stop` stops it.")
    print(f"Its data and logs are in {FOLDER}; delete that folder while it is stopped for an empty one.")
    return 0


def stop() -> int:
    pid = running_pid()
    if pid is None:
        print("No Kafka of this checkout is running.")
        return 0
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        os.kill(pid, signal_number)
        if _gone(STOP_TIMEOUT_SECONDS):
            PID_FILE.unlink()
            print(f"Kafka on localhost:{PORT} is stopped (pid {pid}).")
            return 0
    return _failed(f"pid {pid} does not end")


def running_pid() -> int | None:
    """The broker of this checkout: the pid in the file, if that process runs on our folder."""
    if not PID_FILE.exists():
        return None
    pid = int(PID_FILE.read_text())
    return pid if str(FOLDER) in _command_of(pid) else None


def _command_of(pid: int) -> str:
    """What a process was started with; empty when there is none, or only a zombie is left."""
    line = Path("/proc", str(pid), "cmdline")
    if Path("/proc/self").exists():
        return line.read_text() if line.exists() else ""
    listing = ["ps", "-o", "command=", "-p", str(pid)]
    return subprocess.run(listing, capture_output=True, text=True, check=False).stdout


def _gone(timeout_seconds: float) -> bool:
    deadline = time.monotonic() + timeout_seconds
    while running_pid() is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _failed(why: str) -> int:
    print(f"kafka: {why}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    raise SystemExit(main())

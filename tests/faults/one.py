"""One run in a process of its own: at its limit it ends, whatever holds it up, and all it has started too."""

import faulthandler
import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from types import FrameType

from scripts.kafka.broker import SHORT_LIVED, KafkaBroker
from scripts.kafka.errors import KafkaStartError
from tests.faults.disk import MountError, small_disk
from tests.faults.kinds import all_kinds
from tests.faults.nodes import three_nodes
from tests.faults.plan import Kind, plan_of
from tests.faults.run import Run, Site
from tests.kafka.provider import IMPATIENT, from_jars
from tests.kafka.proxy import FaultyProxy
from tests.kafka.service import children_of

OUTCOME, STACKS = "outcome.json", "stacks.txt"
NO_BROKER, SKIPPED = 3, 4


def main(argv: list[str]) -> int:
    """Arguments are kind, seed, seconds and folder; the outcome is written there."""
    kind, folder = all_kinds()[argv[0]], Path(argv[3])
    plan = plan_of(int(argv[1]), kind, float(argv[2]))
    signal.signal(signal.SIGTERM, end)
    with (folder / STACKS).open("w") as stacks:
        faulthandler.dump_traceback_later(plan.limit_seconds, exit=True, file=stacks)
        try:
            with _site(kind, folder) as site:
                outcome = Run(plan, kind, site, folder)()
                (folder / OUTCOME).write_text(json.dumps(asdict(outcome)))
        except KafkaStartError as error:
            print(str(error).splitlines()[0], file=sys.stderr)
            return NO_BROKER
        except MountError as error:
            print(error, file=sys.stderr)
            return SKIPPED
        except KeyboardInterrupt:
            return 130
        finally:
            _end_children()
            faulthandler.cancel_dump_traceback_later()
    return 0


def _end_children() -> None:
    """Kill what was started a moment before the end, so that nobody knows it yet; each leads a session."""
    for pid in children_of(os.getpid()):
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


@contextmanager
def _site(kind: Kind, folder: Path) -> Iterator[Site]:
    """The brokers that a kind needs; what they keep is in the folder."""
    if kind.nodes > 1:
        with three_nodes() as nodes:
            yield Site(nodes)
        return
    if kind.disk_mib:
        with _on_small_disk(kind, folder / "tmp" / "broker") as site:
            yield site
        return
    with from_jars() as cluster:
        assert cluster.broker is not None
        with closing(FaultyProxy(cluster.proxy_port, cluster.proxied_port)) as proxy:
            yield Site((cluster.broker,), proxy)


@contextmanager
def _on_small_disk(kind: Kind, folder: Path) -> Iterator[Site]:
    """One broker; what it logs is elsewhere."""
    folder.mkdir()
    with small_disk(folder / "data", kind.disk_mib) as disk:
        broker = KafkaBroker(folder, properties=IMPATIENT, performance=SHORT_LIVED)
        broker.start()
        try:
            yield Site((broker,), disk=disk)
        finally:
            broker.kill()


def end(_number: int, _frame: FrameType | None) -> None:
    """SIGTERM ends the harness as Ctrl-C does, and so everything that it has started."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

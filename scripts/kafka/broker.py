"""KafkaBroker: one real Apache Kafka node as a child process.

It never outlives the process that started it, not even one that is killed, unless it is released.
"""

import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from scripts.kafka.errors import KafkaStartError
from scripts.kafka.jars import find_jars, find_java
from scripts.kafka.process import dismiss, free_port, guard, port_answers, port_is_free
from scripts.kafka.properties import as_file, on_loopback

CLUSTER_ID = "V2FsbGFyb29PbkthZmthIQ"
LOG4J = Path(__file__).with_name("log4j2.properties")
START_TIMEOUT_SECONDS = 60
STOP_TIMEOUT_SECONDS = 20
# KAFKA_JVM_PERFORMANCE_OPTS of Kafka's bin/kafka-run-class.sh.
AS_KAFKA_STARTS_ITSELF = (
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
    "-XX:MaxInlineLevel=15",
    "-Djava.awt.headless=true",
)
# A JVM that compiles quickly and collects in one thread: half the CPU time for one that lives for minutes.
SHORT_LIVED = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Djava.awt.headless=true")
POLL_SECONDS = 0.05


class KafkaBroker:
    """A node on loopback that keeps its port and its data over restarts; data and logs are in `folder`."""

    def __init__(
        self,
        folder: Path,
        port: int = 0,
        properties: Mapping[str, str] | None = None,
        initial_heap: str = "256m",
        performance: Sequence[str] = AS_KAFKA_STARTS_ITSELF,
    ) -> None:
        self.folder = folder
        self.port = port or free_port()
        self._java = [find_java(), "-cp", f"{find_jars()}/*", *_logging(folder / "logs")]
        self._jvm = [f"-Xms{initial_heap}", "-Xmx1g", *performance]
        self._properties = {
            **on_loopback(self.port, free_port(), str(folder / "data")),
            **(properties or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap_servers(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Return when clients are served; KafkaStartError with its last complaints otherwise."""
        if not port_is_free(self.port):
            raise KafkaStartError(f"port {self.port} is taken by something else")
        self._prepare()
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        with (self.folder / "logs" / "console.log").open("ab") as console:
            self._process = subprocess.Popen(
                [*self._java, *self._jvm, "kafka.Kafka", str(self._config)],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,  # Ctrl-C is for whoever started us
            )
        self._guard = guard(["kill", "-KILL", str(self._process.pid)])
        try:
            self._wait_until_served(self._process, deadline)
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Ask it to end; insist when it does not."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._bury()

    def kill(self) -> None:
        """SIGKILL: nothing is flushed, nobody is told."""
        if self._process is None:
            return
        self._process.kill()
        self._bury()

    def restart(self) -> None:
        """Start again on the same port and data, after a clean stop if it is still running."""
        self.stop()
        self.start()

    def release(self) -> None:
        """Let it outlive this process; from now on only its pid can stop it."""
        if self._guard:
            dismiss(self._guard)
            self._guard = None

    def log(self) -> str:
        """What it has logged, over all its starts."""
        return (self.folder / "logs" / "broker.log").read_text(errors="replace")

    @property
    def _config(self) -> Path:
        return self.folder / "server.properties"

    def _prepare(self) -> None:
        (self.folder / "logs").mkdir(parents=True, exist_ok=True)
        self._config.write_text(as_file(self._properties))
        if (self.folder / "data" / "meta.properties").exists():
            return
        storage = ["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(self._config)]
        command = [*self._java, *SHORT_LIVED, *storage]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise KafkaStartError(f"formatting {self.folder / 'data'} failed:\n{done.stdout}{done.stderr}")

    def _wait_until_served(self, process: subprocess.Popen[bytes], deadline: float) -> None:
        while not (port_answers(self.port) and answers(self.bootstrap_servers)):
            if time.monotonic() > deadline:
                raise KafkaStartError(f"no Kafka after {START_TIMEOUT_SECONDS} s; {self._last_words()}")
            try:
                code = process.wait(POLL_SECONDS)
            except subprocess.TimeoutExpired:
                continue
            raise KafkaStartError(f"Kafka ended with exit code {code}; {self._last_words()}")

    def _bury(self) -> None:
        """The guard goes first: the pid is ours until it is waited for."""
        self.release()
        if self._process:
            self._process.wait()
            self._process = None

    def _last_words(self) -> str:
        logs = [self.folder / "logs" / name for name in ("console.log", "broker.log")]
        return "its last complaints:\n" + "\n".join(line for log in logs for line in _complaints(log)[-20:])


def _complaints(log: Path) -> list[str]:
    """The lines that tell why: neither progress nor stack frames, which are indented."""
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return [line for line in lines if "] INFO " not in line and not line[:1].isspace()]


def answers(bootstrap_servers: str, timeout_seconds: float = 5) -> bool:
    """Whether a broker there lists its cluster."""
    admin = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})
    try:
        return bool(admin.list_topics(timeout=timeout_seconds).brokers)
    except KafkaException:
        return False


def _logging(logs: Path) -> list[str]:
    return [f"-Dlog4j2.configurationFile={LOG4J}", f"-Dkafka.logs.dir={logs}"]

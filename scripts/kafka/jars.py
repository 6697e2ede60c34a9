"""The broker's jars, fetched from Maven Central once per checkout."""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from scripts.kafka.errors import KafkaUnavailableError

POM = Path(__file__).with_name("pom.xml")
HOME = Path(__file__).parents[2] / ".kafka"
NEEDED_JAVA = 17
DOWNLOAD_TIMEOUT_SECONDS = 600


def find_java() -> str:
    """The `java` to run the broker with; KafkaUnavailableError when there is none of version 17 or newer."""
    home = os.environ.get("JAVA_HOME")
    candidates = [str(Path(home, "bin", "java"))] if home else []
    java = next(filter(None, map(shutil.which, [*candidates, "java"])), None)
    if java is None:
        raise KafkaUnavailableError(f"no java found; install Java {NEEDED_JAVA} or newer")
    version = _java_version(java)
    if version < NEEDED_JAVA:
        raise KafkaUnavailableError(f"{java} is Java {version}; Kafka needs {NEEDED_JAVA} or newer")
    return java


def find_jars() -> Path:
    """The folder with the jars, downloaded on first use; KafkaUnavailableError when that is impossible."""
    digest = hashlib.sha256(POM.read_bytes()).hexdigest()[:8]
    folder = HOME / f"libs-{digest}"
    if not folder.is_dir():
        _download_once(folder)
    return folder


def _java_version(java: str) -> int:
    """The major version; 0 where it cannot be read, as on a macOS without Java, whose `java` is a stub."""
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(?:1\.)?(\d+)', said)
    return int(found.group(1)) if found else 0


def _download_once(folder: Path) -> None:
    """Processes that start at once wait for the first of them: Maven's own files are not made for several."""
    HOME.mkdir(exist_ok=True)
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            _download(folder)


def _download(folder: Path) -> None:
    """Download into a temporary folder, so that one that was broken off is not taken for whole."""
    mvn = shutil.which("mvn")
    if mvn is None:
        raise KafkaUnavailableError("no mvn found; install Apache Maven to fetch Kafka's jars")
    print("Fetching Apache Kafka from Maven Central (about 55 MB, once) ...", flush=True)
    with tempfile.TemporaryDirectory(dir=HOME, prefix="download-") as partial:
        libs = Path(partial, "libs")
        _run_maven(mvn, libs)
        libs.rename(folder)


def _run_maven(mvn: str, target: Path) -> None:
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={target}"]
    command = [mvn, "-q", "-B", "-f", str(POM), *goal]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=DOWNLOAD_TIMEOUT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise KafkaUnavailableError(f"mvn took over {DOWNLOAD_TIMEOUT_SECONDS} s for Kafka's jars") from error
    if done.returncode:
        last = "\n".join(done.stdout.strip().splitlines()[:10])
        raise KafkaUnavailableError(f"mvn could not fetch Kafka's jars:\n{last}")

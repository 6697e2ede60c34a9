"""What a reader of the pages types into a shell, done on a cluster of the tests."""

import re
import shlex
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path

from tests.kafka.cluster import wait_until
from tests.kafka.service import ServiceProcess
from wallaroo.cli import main

DOCS = Path(__file__).parents[2] / "docs"
QUICKSTART = DOCS / "start" / "quickstart.md"
DEADLINE_SECONDS = 120
# Topics of a page, which others on the same broker must not share.
TOPICS = ("transactions", "alerts")


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)


class Terminal:
    """What a reader types: every verb, `&` behind `run`, `kill %1`, `export`, `echo ... |` and `> file`."""

    def __init__(self, folder, application_id, clusters, monkeypatch, capsys):
        self.folder, self.capsys, self.monkeypatch = folder, capsys, monkeypatch
        self.application_id, self.clusters = application_id, clusters
        self.services: list[ServiceProcess] = []
        self.jobs: list[ServiceProcess] = []
        text = blocks(QUICKSTART, "python")[0]
        (folder / "alerts.py").write_text(self.with_own_names(text, r'"({})"', '"{}"'))
        monkeypatch.chdir(folder)
        monkeypatch.delitem(sys.modules, "alerts", raising=False)
        monkeypatch.setenv("WALLAROO_BOOTSTRAP_SERVERS", clusters["old"])
        monkeypatch.setenv("WALLAROO_APPLICATION_ID", application_id)
        monkeypatch.setenv("WALLAROO_SESSION_TIMEOUT_MS", "6000")

    def with_own_names(self, text, pattern, form):
        found = pattern.format("|".join(TOPICS))
        return re.sub(found, lambda name: form.format(f"{self.application_id}-{name[1]}"), text)

    def run(self, line):
        line = self.with_own_names(line, r"--topic ({})\b", "--topic {}")
        for name, servers in self.clusters.items():
            line = line.replace(f"{name}:9092", servers)
        print("$", line)
        command, _, output = line.partition(" > ")
        text, _, command = command.rpartition(" | ")
        words = shlex.split(command)
        match words:
            case ["wallaroo", "run", *options, "&"]:
                self.start(options)
            case ["kill", job]:
                assert self.jobs.pop(int(job.removeprefix("%")) - 1).stop() == 0
            case ["kill", "-9", job]:
                self.jobs.pop(int(job.removeprefix("%")) - 1).kill_all()
            case ["export", setting]:
                self.monkeypatch.setenv(*setting.split("=", 1))
            case ["wallaroo", *words]:
                said = self.verb(words, shlex.split(text)[1:])
                if output:
                    Path(output).write_text(said)
                return said
            case _:
                raise AssertionError(f"a reader can type it, and this test cannot: {line}")
        return ""

    def start(self, options):
        options = [f"{self.folder}/{each}" if each == "alerts.py" else each for each in options]
        if "--http-port" in options:  # any free one
            at = options.index("--http-port")
            del options[at : at + 2]
        log = self.folder / f"service-{len(self.services)}.log"
        self.services.append(ServiceProcess(options, log))
        self.jobs.append(self.services[-1].wait_ready(DEADLINE_SECONDS))

    def verb(self, words, typed):
        self.monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO("".join(typed).encode())))
        self.capsys.readouterr()
        # Workers that have just ended are listed in their groups for a while.
        wait_until(lambda: main(words) == 0, DEADLINE_SECONDS)
        return self.capsys.readouterr().out

    def type_all(self, *pages):
        """Every command of the pages, from top to bottom; returns what they have said."""
        typed = "".join(block for page in pages for block in blocks(page, "sh"))
        return "".join(self.run(line) for line in typed.splitlines())

    def close(self):
        for service in self.services:
            service.kill_all()
            print(service.log.read_text(errors="replace"))

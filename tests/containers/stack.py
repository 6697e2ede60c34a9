"""Stack: the compose file brought up on ports of its own, with faults to inject."""

import json
import socket
import subprocess
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from testcontainers.compose import DockerCompose

from scripts.kafka.process import dismiss, free_port, guard
from tests.containers.images import ROOT, docker
from tests.kafka.cluster import wait_until
from tests.kafka.service import get

SERVICES = ("kafka", "service", "prometheus")
READY_SECONDS = 90
HTTP_PORTS = 10
_SERVICE = '{{.Label "com.docker.compose.service"}}'


class Stack:
    """A running project; `compose` is at its command line."""

    def __init__(self, compose: DockerCompose, project: str, ports: dict[str, str]) -> None:
        self.compose = compose
        self.network = f"{project}_default"
        self._ours = f"--filter=label=com.docker.compose.project={project}"
        self.servers = f"localhost:{ports['KAFKA_PORT']}"
        self._prometheus = f"http://127.0.0.1:{ports['PROMETHEUS_PORT']}"

    def run(self, *arguments: str) -> str:
        """What a compose command prints; CalledProcessError, with its complaint as a note, when it fails."""
        _, *command = self.compose.docker_compose_command()
        return docker(*command, *arguments)

    def containers(self, service: str) -> list[str]:
        """Ids of the containers of a service, stopped ones included."""
        return self.run("ps", "--all", "--quiet", service).split()

    def container(self, service: str) -> str:
        [only] = self.containers(service)
        return only

    def scale(self, count: int) -> None:
        """Return when so many instances are there, and ready."""
        self.run("up", "--detach", "--no-recreate", "--scale", f"service={count}", "service")
        self.wait_ready()

    def wait_ready(self, service: str = "service") -> None:
        wait_until(lambda: all(map(self.is_ready, self.containers(service))), READY_SECONDS)

    def is_ready(self, container: str) -> bool:
        return self.page(container, "/readyz")[0] == 200

    def page(self, container: str, path: str) -> tuple[int, str]:
        """Status and body of a page of the service in a container; 0 where nobody listens."""
        try:
            address = docker("port", container, "8080/tcp")
        except subprocess.CalledProcessError:
            return 0, ""
        return get(f"http://{address}{path}")

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series that Prometheus has for a query."""
        return self.prometheus(f"query?{urllib.parse.urlencode({'query': expression})}")["result"]

    def prometheus(self, path: str) -> Any:
        status, body = get(f"{self._prometheus}/api/v1/{path}")
        assert status == 200, f"Prometheus says {status}: {body}"
        return json.loads(body)["data"]

    def restore(self) -> None:
        """Have one instance, ready, and nobody paused, stopped or left over, whatever a test has done."""
        if self._is_whole():
            return
        for container in docker("ps", "--quiet", "--filter=status=paused", self._ours).split():
            docker("unpause", container)
        self.run("up", "--detach", "--no-recreate", "--remove-orphans", "--wait", *SERVICES)
        self.scale(1)

    def _is_whole(self) -> bool:
        listing = docker(
            "ps", "--all", self._ours, '--format={{.Label "com.docker.compose.service"}} {{.Status}}'
        )
        states = dict(line.split(" ", 1) for line in listing.splitlines())
        healthy = [service for service, status in states.items() if status.endswith("(healthy)")]
        one_each = len(listing.splitlines()) == len(SERVICES) and sorted(healthy) == sorted(SERVICES)
        return one_each and self.is_ready(self.container("service"))


@contextmanager
def brought_up(folder: Path) -> Iterator[Stack]:
    """The stack under a project name of its own; gone afterwards, even if this process is killed."""
    first = free_range(HTTP_PORTS)
    ports = {"KAFKA_PORT": str(free_port()), "PROMETHEUS_PORT": str(free_port())}
    ports["SERVICE_PORTS"] = f"{first}-{first + HTTP_PORTS - 1}"
    project = f"wallaroo-test-{first}"
    environment = folder / "compose.env"
    lines = {**ports, "COMPOSE_PROJECT_NAME": project}
    environment.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
    compose = DockerCompose(
        ROOT,
        ["docker-compose.yml", "tests/containers/compose.test.yml"],
        env_file=str(environment),
        services=list(SERVICES),
    )
    down = [*compose.docker_compose_command(), "--profile=tcp", "down", "--volumes", "--timeout=5"]
    guarding = guard(["sh", "-c", f'cd "{ROOT}" && exec "$@"', "down", *down])
    try:
        compose.start()
        yield Stack(compose, project, ports)
    finally:
        dismiss(guarding)
        subprocess.run(down, cwd=ROOT, capture_output=True, check=True)


def free_range(length: int) -> int:
    """The first of so many free ports in a row."""
    return wait_until(lambda: _free_from(free_port(), length))


def _free_from(first: int, length: int) -> int | None:
    sockets = [socket.socket() for _ in range(length)]
    try:
        for port, listener in enumerate(sockets, first):
            listener.bind(("127.0.0.1", port))
    except OSError:
        return None
    finally:
        for listener in sockets:
            listener.close()
    return first

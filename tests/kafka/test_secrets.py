"""A service with a mark in every secret, through good and bad times: the marks are nowhere to be found."""

import os
import random
import signal
import subprocess
from pathlib import Path

import pytest

from tests.kafka.cluster import create_topic, produce, wait_until
from tests.kafka.model import transaction
from tests.kafka.secured import SecuredBroker, rights_of_the_page
from tests.kafka.service import COMMAND, ROOT, ServiceProcess

SECONDS = 90
MARKS = {name: f"mark-{name}-{random.Random(name).getrandbits(64):x}" for name in "abcd"}  # noqa: S311
PAGES = ("/", "/metrics", "/healthz", "/readyz", "/topology", "/state/add-up/rex", "/nothing")
USER = "marked"


@pytest.fixture
def broker(kafka_cluster, tmp_path):
    """It does not run yet: what is refused needs none."""
    if kafka_cluster.broker is None:
        pytest.skip("this Kafka belongs to somebody else; the test stops one of its own")
    return SecuredBroker(tmp_path)


@pytest.fixture
def secured(broker):
    with broker.running():
        for topic in ("taken", "given"):
            create_topic(broker.plain, topic, 2)
        broker.add_user(USER, MARKS["a"])
        broker.allow(
            USER, rights_of_the_page(), {"alerts": USER, "transactions": "taken", "results": "given"}
        )
        yield broker


@pytest.fixture
def environment(broker, tmp_path):
    """Every way in which a secret can be given; what librdkafka says is logged as far as it goes."""
    for name, mark in MARKS.items():
        (tmp_path / name).write_text(f"{mark}\n")
    return {
        **broker.login(USER, tmp_path / "a"),
        "WALLAROO_KAFKA__DEBUG": "security,conf,broker",
        "WALLAROO_HTTP_TOKEN_FILE": str(tmp_path / "b"),
        "WALLAROO_DELIVERY__SASL_PASSWORD": MARKS["c"],
        "WALLAROO_DELIVERY__SASL_USERNAME": "other",
        "WALLAROO_DELIVERY__SSL_KEY_PASSWORD_FILE": str(tmp_path / "d"),
        "WALLAROO_LOG_LEVEL": "DEBUG",
        "WALLAROO_APPLICATION_ID": USER,
    }


ARGUMENTS = ("tests.kafka.apps", "--in-topic=taken", "--out-topic=given", "--partitioned-by-user")


@pytest.fixture
def service(secured, environment, tmp_path):
    made = ServiceProcess(ARGUMENTS, tmp_path / "service.log", environment)
    yield made
    made.kill_all()
    print(made.words()[-5_000:])


def marks_in(*texts):
    return [(name, mark) for name, mark in MARKS.items() for text in texts if mark in text]


def pages(service, headers):
    service.headers = headers
    return [service.get(path)[1] for path in PAGES]


def command_lines():
    return [_command_line(entry) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _command_line(entry):
    try:
        return (entry / "cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def everything(service):
    """What can be seen of it at this moment, by whoever has the token, has none, or a wrong one."""
    right = pages(service, {"Authorization": f"Bearer {MARKS['b']}"})
    none, wrong = pages(service, {}), pages(service, {"Authorization": "Bearer wrong"})
    return [*right, *none, *wrong, *command_lines(), service.log.read_text(errors="replace")]


def test_no_mark_is_in_a_log_a_page_a_metric_or_a_command_line(secured, service):
    service.wait_ready(SECONDS)
    produce(secured.plain, "taken", [transaction("rex", 10), transaction("faulty", 10)])
    service.headers = {"Authorization": f"Bearer {MARKS['b']}"}
    wait_until(lambda: service.status("/state/add-up/rex") == 200, SECONDS)
    assert any("spawn_main" in line for line in command_lines())
    assert marks_in(*everything(service)) == []

    secured.add_user(USER, "changed")
    os.kill(service.worker_pids()[0], signal.SIGKILL)
    wait_until(lambda: "uthentication" in service.get("/readyz")[1], SECONDS)
    assert marks_in(*everything(service)) == []

    secured.stop()
    wait_until(lambda: "connect" in service.get("/readyz")[1].lower(), SECONDS)
    assert marks_in(*everything(service)) == []


REFUSED = {
    "a property that there is not": {"WALLAROO_KAFKA__SASL_PASSWROD": MARKS["d"]},
    "a mechanism that there is not": {"WALLAROO_KAFKA__SASL_MECHANISM": "NONE"},
    "a password twice": {"WALLAROO_KAFKA__SASL_PASSWORD": MARKS["d"]},
    "a password where a file is expected": {"WALLAROO_HTTP_TOKEN_FILE": "", "WALLAROO_HTTP_TOKEN": "short"},
    "a password as a number": {"WALLAROO_WORKERS": f"sasl.password={MARKS['d']}"},
    "a mapping that is broken": {"WALLAROO_KAFKA": f'{{"sasl.password": "{MARKS["d"]}"'},
    "a CA that there is not": {"WALLAROO_KAFKA__SSL_CA_LOCATION": "/nowhere.pem"},
}


@pytest.mark.parametrize("wrong", REFUSED.values(), ids=REFUSED.keys())
def test_no_mark_is_in_what_a_refused_start_says(wrong, environment, tmp_path):
    done = _run(COMMAND, (*ARGUMENTS, "--http-port=0"), environment | wrong)
    assert done.returncode == 2
    assert marks_in(done.stdout, done.stderr) == []
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("form", ["text", "json", "mermaid"])
def test_no_mark_is_in_a_description(form, environment):
    done = _run((COMMAND[0], "describe"), (*ARGUMENTS, f"--format={form}"), environment)
    assert done.returncode == 0
    assert marks_in(done.stdout, done.stderr) == []


def test_a_mark_on_a_command_line_is_refused_and_not_repeated(environment):
    given = (f"--kafka=sasl.password={MARKS['d']}", f"--http-token={MARKS['d']}")
    done = _run(COMMAND, (*ARGUMENTS, *given), environment)
    assert done.returncode == 2
    assert marks_in(done.stdout, done.stderr) == []


def _run(command, arguments, environment):
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return subprocess.run(
        [*command, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )

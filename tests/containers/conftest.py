"""Everything in this folder runs in containers, on one stack of docker-compose.yml for the whole run."""

import os
import random
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from testcontainers.core.config import testcontainers_config

from tests.containers.images import NoContainersError, build_ours, named_images, obtain, require_docker
from tests.containers.stack import Stack, brought_up
from tests.containers.traffic import Ledger, Traffic

HERE = Path(__file__).parent
# Its reaper is an image that cannot be pulled everywhere; whatever starts a container here guards it.
testcontainers_config.ryuk_disabled = True
LEDGER = pytest.StashKey[Ledger]()
WHY_NONE = pytest.StashKey[str]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.containers)


@pytest.fixture(scope="session")
def images(request: pytest.FixtureRequest) -> None:
    """Every image that the stack needs, ours built from this checkout."""
    try:
        require_docker()
        for image in named_images():
            obtain(image)
    except NoContainersError as error:
        if os.environ.get("WALLAROO_TESTS_NEED_CONTAINERS"):
            raise
        request.config.stash[WHY_NONE] = str(error)
        pytest.skip(f"no containers: {error}")
    build_ours()


@pytest.fixture(scope="session")
def whole_stack(images: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with brought_up(tmp_path_factory.mktemp("compose")) as stack:
        yield stack


@pytest.fixture
def stack(whole_stack: Stack, request: pytest.FixtureRequest) -> Iterator[Stack]:
    """The stack, with one instance of the service ready; a failed test shows what all of them logged."""
    whole_stack.restore()
    failed = request.session.testsfailed
    yield whole_stack
    if request.session.testsfailed > failed:
        print(whole_stack.run("--profile=tcp", "logs", "--no-color", "--tail=60"))


@pytest.fixture(scope="session")
def ledger(request: pytest.FixtureRequest) -> Ledger:
    return request.config.stash.setdefault(LEDGER, Ledger())


@pytest.fixture
def traffic(stack: Stack, ledger: Ledger) -> Traffic:
    """Users of this test's own; WALLAROO_TEST_SEED repeats what they do."""
    seed = int(os.environ.get("WALLAROO_TEST_SEED") or random.getrandbits(32))
    print(f"repeat with WALLAROO_TEST_SEED={seed}")
    return Traffic(stack.servers, uuid.uuid4().hex[:8], ledger, random.Random(seed))  # noqa: S311 - a test's dice


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The sum of it all."""
    ledger = config.stash.get(LEDGER, None)
    if ledger is None:
        return
    faults = f"{len(ledger.faults)} faults injected: {', '.join(sorted(ledger.faults)) or 'none'}"
    alerts = f"{ledger.alerts} alerts expected, {ledger.lost} lost, {ledger.doubled} doubled"
    terminalreporter.section("containers")
    terminalreporter.write_line(faults)
    terminalreporter.write_line(alerts)


def pytest_unconfigure(config: pytest.Config) -> None:
    """The very last lines, behind pytest's own: a green run without containers proves little."""
    reason = config.stash.get(WHY_NONE, None)
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if reason is not None and terminal is not None:
        terminal.section("THE CONTAINER TESTS WERE SKIPPED", sep="!", red=True, bold=True)
        terminal.write_line(reason, yellow=True)

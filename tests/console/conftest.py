"""Everything in this folder needs a browser: Chromium, driven by Playwright. `make console-test` has both."""

import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest

from wallaroo.observability.http import build_app
from wallaroo.observability.server import HttpServer

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
AXE = ROOT / "build" / "console" / "package" / "axe.min.js"
NAMES = ("chromium", "chromium-browser", "google-chrome")
# A machine may have much else to do.
DEADLINE_MS = 60_000


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium():
    """A browser for all tests of this process."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="Playwright is not installed: make console-test"
    )
    path = next(filter(None, [os.environ.get("CHROMIUM"), *map(shutil.which, NAMES)]), None)
    if path is None:
        pytest.skip("no Chromium: apt-get install chromium, or name one in the variable CHROMIUM")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def axe():
    """The source of axe-core."""
    if not AXE.exists():
        pytest.skip(f"no axe-core in {AXE.relative_to(ROOT)}: make console-test")
    return AXE.read_text()


@pytest.fixture
def opened(chromium):
    """A function that opens a page; at the end of the test it must have complained of nothing."""
    complaints, contexts = [], []

    def open_page(url, width=1440, scheme="light"):
        size = {"width": width, "height": 1000}
        context = chromium.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce")
        context.set_default_timeout(DEADLINE_MS)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(url)
        return page

    def close_pages():
        while contexts:
            contexts.pop().close()

    open_page.complaints, open_page.close_pages = complaints, close_pages
    yield open_page
    close_pages()
    assert complaints == []


@contextmanager
def served(app, port=0):
    """Serve an application; gives its address."""
    server = HttpServer(app, "127.0.0.1", port)
    server.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.stop()


@pytest.fixture
def shown(opened):
    """A function that serves a scene and opens its page."""
    running = []

    def show(scene, **options):
        serving = served(build_app(scene.sources()))
        running.append(serving)
        return opened(serving.__enter__(), **options)

    yield show
    opened.close_pages()
    for serving in running:
        serving.__exit__(None, None, None)

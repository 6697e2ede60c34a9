"""The console of a service that runs, on the embedded broker."""

from random import Random

import pytest
from confluent_kafka import Producer

from tests.console import shop
from tests.kafka.cluster import wait_until
from tests.kafka.service import ServiceProcess
from wallaroo.demo.embedded import FETCH_WAIT_MS, embedded_broker


@pytest.fixture
def running(tmp_path):
    """The service, and a function that sends it some payments."""
    with embedded_broker() as broker:
        producer = Producer({"bootstrap.servers": broker})

        def pay(times):
            for number in range(times):
                producer.produce("payments", f"rex {number % 13}".encode())
            producer.flush(30)

        options = ["--workers", "2", "--embedded-broker", "--bootstrap-servers", broker]
        options += ["--processing-guarantee", "at_least_once", "--group-protocol", "consumer"]
        options += ["--consumer", f"fetch.wait.max.ms={FETCH_WAIT_MS}"]
        service = ServiceProcess(["tests.console.shop", *options], tmp_path / "log")
        try:
            pay(100)
            yield service.wait_ready(120), pay
        finally:
            service.kill_all()


def test_a_service_shows_itself_and_what_it_keeps(chromium, opened, running):
    service, pay = running
    page = opened(service._url())
    page.locator("#verdict-title", has_text="All is well").wait_for()
    assert page.locator("#application").inner_text() == "shop"
    assert page.locator("#graph button").count() == 3
    pay(1000)
    wait_until(lambda: page.locator("#graph .edge-label:not(.still)").count() >= 3, 60)
    page.locator("#state-stage").select_option(label=shop.LONG)
    page.locator("#state-key").fill("rex")
    page.get_by_role("button", name="Look up").click()
    page.locator("#state-value", has_text='"amount"').wait_for()
    assert page.evaluate("window.executed") is None
    service.kill_worker(Random(1))  # noqa: S311 - repeatable, not secret
    page.locator("#events li", has_text="worker").first.wait_for()

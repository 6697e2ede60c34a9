"""The console of services that run: on the embedded broker, and under load on a real Kafka."""

from random import Random

import pytest
from confluent_kafka import Producer

from scripts.kafka.process import free_port
from tests.console import shop
from tests.kafka.cluster import wait_until
from tests.kafka.service import ServiceProcess
from tests.kafka.test_dead_letter_verbs import Bank, sent
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
    opened.close_pages()


@pytest.fixture
def instances(bootstrap_servers, application_id, tmp_path):
    """Two instances on a real Kafka that know where the other one is, and their application."""
    made = Bank(bootstrap_servers, application_id, tmp_path)
    made.create_topics()
    ports = [free_port(), free_port()]
    started = [
        made.launch(
            instance=f"i{number}", workers=2, http_port=port, advertised_http=f"http://127.0.0.1:{port}"
        )
        for number, port in enumerate(ports)
    ]
    for each in started:
        each.wait_ready(120)
    yield made, started
    made.dispose()


@pytest.mark.kafka
def test_under_load_a_killed_worker_is_seen_and_dead_letters_are_replayed(opened, instances):
    bank, (first, second) = instances
    page = opened(first._url())
    page.locator("#verdict-text", has_text="4 of 4 workers alive on 2 of 2 instances").wait_for()
    payments = [sent(f"user-{number % 40}", number) for number in range(6_000)]
    with bank.feeding_raw(payments, 20):
        page.locator("#graph .edge-label:not(.still)").first.wait_for()
        second.kill_worker(Random(1))  # noqa: S311 - repeatable, not secret
        # That it is down may be over between two looks.
        page.locator("#events li", has_text="of i1 was started again").first.wait_for()
    bank.pay(("faulty-1", 5))
    page.locator("#letters-view summary").click()
    page.locator("#letters-replay", has_text="Replay the open one").click()
    page.locator("#plan-list li", has_text=bank.in_topic).wait_for()
    page.locator("#plan-go").click()
    page.locator("#plan-text", has_text="1 record sent.").wait_for()
    page.locator("#plan-cancel").click()
    page.locator("#letters-list .tag", has_text="open, replayed").wait_for()
    assert page.locator("#letters-list .tag").all_inner_texts() == ["open, replayed 1×", "replayed"]
    opened.close_pages()

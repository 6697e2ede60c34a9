"""`docker compose up` and nothing else: alerts come out, and Prometheus has seen it."""

import json
import re

import pytest

from tests.containers.images import OURS, ROOT, docker, named_images, size_bytes
from tests.kafka.cluster import wait_until
from tests.kafka.model import transaction

MOST_BYTES_ABOVE_BASE = 200_000_000
SCRAPED_SECONDS = 30


def inspect(container, what):
    return docker("inspect", "--format", f"{{{{{what}}}}}", container)


def test_transactions_from_this_machine_become_alerts_that_are_read_on_this_machine(stack, traffic):
    rex, fido = f"{traffic.prefix}-rex", f"{traffic.prefix}-fido"
    traffic.send([transaction(rex, 1500), transaction(fido, 2000), transaction(rex, 600)])
    wait_until(lambda: traffic.alerts("alerts"))
    assert traffic.alerts("alerts") == {rex: [2100]}
    traffic.check()


def test_everything_that_came_up_is_healthy(stack):
    containers = [stack.container(name) for name in ("kafka", "service", "prometheus")]
    assert {inspect(container, ".State.Health.Status") for container in containers} == {"healthy"}


def test_prometheus_has_the_series_of_the_service(stack, traffic):
    with traffic.feeding(500, seconds=1):
        pass
    traffic.check()
    wait_until(lambda: stack.query("sum(wallaroo_records_processed_total) > 500"), SCRAPED_SECONDS)
    wait_until(lambda: stack.query("sum(wallaroo_dead_letters_total) > 0"), SCRAPED_SECONDS)
    built = stack.query("wallaroo_build_info")
    assert "alerts-stateful" in {series["metric"]["application"] for series in built}


def test_prometheus_reads_every_alert_rule(stack):
    text = (ROOT / "deploy/prometheus/alerts.yml").read_text()

    def evaluated():
        return [rule for group in stack.prometheus("rules")["groups"] for rule in group["rules"]]

    wait_until(lambda: {rule["health"] for rule in evaluated()} == {"ok"})
    assert [rule["name"] for rule in evaluated()] == re.findall(r"- alert: (\w+)", text)


def test_prometheus_answers_every_query_of_the_dashboard(stack):
    dashboard = json.loads((ROOT / "deploy/grafana/dashboards/wallaroo.json").read_text())
    targets = [target for panel in dashboard["panels"] for target in panel.get("targets", ())]
    answers = [stack.query(as_grafana_asks(target["expr"])) for target in targets]
    assert any(answers)


def as_grafana_asks(expression):
    return expression.replace("$__rate_interval", "1m").replace("$instance", ".*")


def test_the_image_is_small_and_runs_as_a_user_without_rights(stack):
    [base] = [image for image in named_images() if image.startswith("python:")]
    assert size_bytes(OURS) - size_bytes(base) < MOST_BYTES_ABOVE_BASE
    service = stack.container("service")
    assert docker("exec", service, "id", "-u") != "0"
    assert docker("exec", service, "sh", "-c", "command -v gcc make cc || true") == ""


INSTALLED = """
from importlib.metadata import distributions
print(*(f"{each.name}=={each.version}" for each in distributions()))
"""


def test_the_image_lists_what_is_installed_in_it_and_says_its_version(images):
    sbom = json.loads(docker("run", "--rm", "--entrypoint=cat", OURS, "/opt/wallaroo/sbom.cdx.json"))
    installed = docker("run", "--rm", "--entrypoint=python", OURS, "-c", INSTALLED).split()
    assert sbom["bomFormat"] == "CycloneDX"
    assert sorted(f"{each['name']}=={each['version']}" for each in sbom["components"]) == sorted(installed)
    # Nobody else can look up ours.
    assert [each["name"] for each in sbom["components"] if "purl" not in each] == ["wallaroo-kafka"]
    said = docker("run", "--rm", OURS, "--version").removeprefix("wallaroo ")
    assert f"wallaroo-kafka=={said}" in installed


def test_sigterm_ends_the_service_cleanly_and_it_comes_back(stack, traffic):
    service = stack.container("service")
    with traffic.feeding(2_000, seconds=2):
        docker("stop", "--time=10", service)
        traffic.fault("service stopped")
        assert inspect(service, ".State.ExitCode") == "0"
        docker("start", service)
    traffic.check()


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_the_open_pages_of_the_service_can_be_read_on_this_machine(stack, path):
    status, body = stack.page(stack.container("service"), path)
    assert (status, bool(body)) == (200, True)


@pytest.mark.parametrize("path", ["/topology", "/state/check-transaction-total/rex"])
def test_pages_of_a_container_that_has_no_token_say_which_setting_gives_it_one(stack, path):
    status, body = stack.page(stack.container("service"), path)
    assert status == 403
    assert "WALLAROO_HTTP_TOKEN" in body

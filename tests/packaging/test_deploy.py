"""What deploy/, docker-compose.yml and the Dockerfile promise, as far as it shows without containers."""

import itertools
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.kafka.provider import IMAGE as KAFKA_IMAGE
from wallaroo.observability.metrics import BY_NAME, METRICS

ROOT = Path(__file__).parents[2]
DASHBOARD = json.loads((ROOT / "deploy/grafana/dashboards/wallaroo.json").read_text())
RULES_FILE = ROOT / "deploy/prometheus/alerts.yml"
RULES = RULES_FILE.read_text()
# What promtool holds the rules against: series, and the alerts that they make.
RULES_TEST = ROOT / "tests/packaging/alerts.test.yml"
COMPOSE = (ROOT / "docker-compose.yml").read_text()
DOCKERFILE = (ROOT / "Dockerfile").read_text()

PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
TARGETS = [target for panel in PANELS for target in panel["targets"]]
EXPRESSIONS = [target["expr"] for target in TARGETS]
# What Prometheus, the supervisor and the text format add to the labels of the table.
ADDED_LABELS = {"instance", "job", "worker", "le"}


SERIES = {name: name for name in BY_NAME} | {
    metric.name + part: metric.name
    for metric in METRICS
    for part in ("_bucket", "_sum", "_count")
    if metric.kind == "histogram"
}


def metrics_in(text):
    """The metrics that a query or a rule uses; one that does not exist is named as it is."""
    return {SERIES.get(name, name) for name in re.findall(r"wallaroo_\w+", text)}


def labels_of(metrics):
    return {label for name in metrics for label in BY_NAME[name].labels} | ADDED_LABELS


def labels_in(query):
    grouped = ",".join(re.findall(r"by \(([^)]*)\)", query))
    return set(re.findall(r"\w+", grouped)) | set(re.findall(r"(\w+)=~?\"", query))


def rules():
    """Every rule as (its name, its text)."""
    return re.findall(r"- alert: (\w+)\n((?:(?! *- alert).*\n)+)", RULES)


@pytest.mark.parametrize("text", [*EXPRESSIONS, RULES])
def test_a_query_asks_for_metrics_that_exist(text):
    assert metrics_in(text) <= BY_NAME.keys()


def test_the_dashboard_shows_every_metric():
    assert set().union(*map(metrics_in, EXPRESSIONS)) == BY_NAME.keys()


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target["expr"])
def test_a_panel_groups_and_labels_by_what_its_metrics_have(target):
    legend = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
    assert labels_in(target["expr"]) | legend <= labels_of(metrics_in(target["expr"]))


@pytest.mark.parametrize(("name", "text"), rules())
def test_a_rule_groups_and_speaks_of_what_its_metrics_have(name, text):
    spoken = set(re.findall(r"\$labels\.(\w+)", text))
    assert labels_in(text) | spoken <= labels_of(metrics_in(text))


def test_every_expression_is_about_the_chosen_instances():
    assert [expression for expression in EXPRESSIONS if "$instance" not in expression] == []


def test_panels_have_numbers_of_their_own_and_do_not_overlap():
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    cells = [cell for panel in DASHBOARD["panels"] for cell in cells_of(**panel["gridPos"])]
    assert len(set(cells)) == len(cells)


def cells_of(x, y, w, h):
    assert x + w <= 24
    return itertools.product(range(x, x + w), range(y, y + h))


def test_the_dashboard_uses_the_data_source_that_is_provisioned():
    provisioned = (ROOT / "deploy/grafana/provisioning/datasources/prometheus.yml").read_text()
    sources = {panel["datasource"]["uid"] for panel in PANELS}
    assert sources == set(re.findall(r"uid: (\w+)", provisioned))


def test_the_rules_of_the_documentation_are_those_of_the_file_and_no_others():
    documented = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/metrics.md").read_text(), re.DOTALL)
    assert documented == [RULES[RULES.index("groups:") :]]
    assert len(rules()) >= 8


@pytest.fixture(scope="module")
def promtool():
    fetched = ROOT / "build/promtool/usr/bin/promtool"
    path = shutil.which("promtool") or (str(fetched) if fetched.exists() else None)
    return path or pytest.skip("no promtool: make check-tools, or apt-get install prometheus")


@pytest.mark.parametrize("check", [("check", "rules", RULES_FILE), ("test", "rules", RULES_TEST)])
def test_promtool_finds_the_rules_right_and_firing_when_they_should(promtool, check):
    result = subprocess.run([promtool, *check], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(("name", "text"), rules())
def test_a_rule_has_a_case_in_which_it_fires_and_one_in_which_it_does_not(name, text):
    cases = re.findall(rf"alertname: {name}\n +exp_alerts:(.*)", RULES_TEST.read_text())
    assert {case.strip() for case in cases} == {"", "[]"}


def test_no_port_is_published_beyond_this_machine():
    published = re.findall(r"- (\S+:\d+)\n", COMPOSE)
    assert len(published) == 5
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []


def test_every_image_is_pinned():
    named = re.findall(r"image: (\S+)", COMPOSE) + re.findall(r"ARG PYTHON_IMAGE=(\S+)", DOCKERFILE)
    assert [image for image in named if ":" not in image and image != "wallaroo-kafka"] == []
    assert not any(image.endswith(":latest") for image in named)
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) == {"${PYTHON_IMAGE}"}


def test_the_tests_run_on_the_kafka_of_the_compose_file():
    assert KAFKA_IMAGE in COMPOSE
    version = KAFKA_IMAGE.partition(":")[2]
    assert f"<kafka.version>{version}<" in (ROOT / "scripts/kafka/pom.xml").read_text()


def test_the_image_builds_without_extensions_of_the_builder():
    assert not re.search(r"^# *syntax|<<|--mount", DOCKERFILE, re.MULTILINE)


def test_the_compose_file_keeps_to_what_old_and_new_versions_read():
    newer = r"^(version|name|include|configs):|required:|start_interval:|dockerfile_inline:|- path:"
    assert not re.search(newer, COMPOSE, re.MULTILINE)


@pytest.mark.parametrize("text", [DOCKERFILE, COMPOSE])
def test_only_the_stand_ins_know_of_stand_ins(text):
    assert not re.search("stand-?in", text, re.IGNORECASE)

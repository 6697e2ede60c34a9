"""deploy/kubernetes, rendered by kustomize and held against the schemas of Kubernetes."""

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from wallaroo.settings import load_settings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy/kubernetes"
TOOL = ROOT / "build/kubernetes-tool/bin/python"
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = (ROOT / "docker-compose.yml").read_text()
RULES = (ROOT / "deploy/prometheus/alerts.yml").read_text()


@pytest.fixture(scope="module")
def rendered():
    """What `kubectl apply -k deploy/kubernetes/example` would send."""
    command = (
        [path, "build"]
        if (path := shutil.which("kustomize"))
        else [shutil.which("kubectl"), "kustomize"]
        if shutil.which("kubectl")
        else pytest.skip("neither kustomize nor kubectl is installed")
    )
    return subprocess.run(
        [*command, FOLDER / "example"], check=True, capture_output=True, text=True, timeout=60
    ).stdout


def checked(manifests):
    if not TOOL.exists():
        pytest.skip(f"no schemas of Kubernetes in {TOOL.relative_to(ROOT)}: make check-tools")
    return subprocess.run(
        [TOOL, "-m", "scripts.manifests"],
        cwd=ROOT,
        input=manifests,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def objects(rendered):
    """Every object by its kind, once the schemas have said yes."""
    result = checked(rendered)
    assert (result.returncode, result.stderr) == (0, "")
    return {each["kind"]: each for each in json.loads(result.stdout)}


@pytest.fixture(scope="module")
def pod(objects):
    return objects["StatefulSet"]["spec"]["template"]["spec"]


def test_everything_fits_the_schemas(objects):
    assert objects.keys() == {
        "ConfigMap",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "ScaledObject",
        "Service",
        "ServiceMonitor",
        "StatefulSet",
    }


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("readinessProbe:", "readynessProbe:", "StatefulSet wallaroo: spec.template.spec.containers.0"),
        ("maxSkew: 1", "maxSkew: one", "StatefulSet wallaroo: spec.template.spec.topologySpread"),
        ("maxUnavailable:", "maxUnavailabel:", "PodDisruptionBudget wallaroo: spec"),
        ("podSelector:", "podsSelector:", "NetworkPolicy wallaroo: spec"),
        ("interval: 15s", "interval: often", "ServiceMonitor wallaroo: spec.endpoints.0.interval"),
        ("maxReplicaCount:", "maxReplicas:", "ScaledObject wallaroo: spec"),
        (
            "stabilizationWindowSeconds:",
            "stabilisationWindowSeconds:",
            "ScaledObject wallaroo: spec.behavior",
        ),
        ("apiVersion: policy/v1", "apiVersion: policy/v9", "PodDisruptionBudget wallaroo: Couldn't find"),
    ],
)
def test_a_mistake_is_named(rendered, right, wrong, said):
    assert right in rendered
    result = checked(rendered.replace(right, wrong))
    assert result.returncode == 1
    assert said in result.stderr


def test_a_pod_has_no_rights_and_writes_nothing_but_its_tmp(pod):
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    writable = [each["mountPath"] for each in container["volumeMounts"] if not each.get("readOnly")]
    assert writable == ["/tmp"]  # noqa: S108 - a volume of the pod


def test_a_pod_runs_as_the_user_of_the_image(pod):
    assert f"--uid {pod['securityContext']['runAsUser']} " in DOCKERFILE


def test_a_pod_has_as_long_to_stop_as_a_container_of_the_compose_file(pod):
    assert f"stop_grace_period: {pod['terminationGracePeriodSeconds']}s" in COMPOSE


def test_a_pod_is_a_member_under_its_own_name_and_is_found_under_it(objects, pod):
    environment = {each["name"]: each for each in pod["containers"][0]["env"]}
    named = environment["WALLAROO_INSTANCE"]["valueFrom"]["fieldRef"]["fieldPath"]
    assert named == "metadata.name"
    service = objects["Service"]
    assert objects["StatefulSet"]["spec"]["serviceName"] == service["metadata"]["name"]
    assert (service["spec"]["clusterIP"], service["spec"]["publishNotReadyAddresses"]) == ("None", True)
    url = environment["WALLAROO_ADVERTISED_HTTP"]["value"]
    assert url == f"http://$(WALLAROO_INSTANCE).{service['metadata']['name']}.$(NAMESPACE).svc:8080"
    assert list(environment).index("WALLAROO_ADVERTISED_HTTP") > list(environment).index("WALLAROO_INSTANCE")


def test_probes_ask_the_pages_that_are_for_them(pod):
    (container,) = pod["containers"]
    asked = [container[probe]["httpGet"] for probe in ("livenessProbe", "readinessProbe")]
    assert asked == [{"path": "/healthz", "port": "http"}, {"path": "/readyz", "port": "http"}]


def test_changed_settings_restart_the_pods(objects, pod):
    (settings,) = [each["configMap"]["name"] for each in pod["volumes"] if "configMap" in each]
    assert settings == objects["ConfigMap"]["metadata"]["name"]
    assert re.fullmatch(r"wallaroo-settings-[a-z0-9]{10}", settings)


def test_the_settings_and_variables_are_settings_of_the_service(objects, pod, tmp_path, monkeypatch):
    """Loaded as a service loads them, with the secrets in another folder."""
    (tmp_path / "http-token").write_text("0123456789abcdef")
    (tmp_path / "kafka-password").write_text("password")
    text = objects["ConfigMap"]["data"]["wallaroo.toml"].replace("/run/secrets/wallaroo", str(tmp_path))
    (tmp_path / "wallaroo.toml").write_text(text)
    variables = {each["name"]: each.get("value", "wallaroo-0") for each in pod["containers"][0]["env"]}
    variables["WALLAROO_ADVERTISED_HTTP"] = "http://wallaroo-0.wallaroo.alerts.svc:8080"
    variables["WALLAROO_HTTP_TOKEN_FILE"] = str(tmp_path / "http-token")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings = load_settings({}, str(tmp_path / "wallaroo.toml"))
    assert (settings.instance, settings.http_host) == ("wallaroo-0", "0.0.0.0")  # noqa: S104 - in the pod
    assert settings.kafka["sasl.password"] == "password"
    assert settings.http_token is not None


def test_secrets_are_files_that_the_pod_alone_reads(pod):
    (secrets,) = [each["secret"] for each in pod["volumes"] if "secret" in each]
    assert secrets == {"secretName": "wallaroo", "defaultMode": 0o440}
    assert not [each for each in pod["containers"][0]["env"] if "secretKeyRef" in each.get("valueFrom", {})]


def test_every_selector_finds_the_pods(objects):
    labels = objects["StatefulSet"]["spec"]["template"]["metadata"]["labels"]
    specs = {kind: each["spec"] for kind, each in objects.items() if "spec" in each}
    assert specs["StatefulSet"]["selector"]["matchLabels"] == labels
    assert specs["Service"]["selector"] == labels
    assert specs["PodDisruptionBudget"]["selector"]["matchLabels"] == labels
    assert specs["NetworkPolicy"]["podSelector"]["matchLabels"] == labels
    monitored = specs["ServiceMonitor"]["selector"]["matchLabels"].items()
    assert monitored <= objects["Service"]["metadata"]["labels"].items()


def test_prometheus_scrapes_under_the_job_that_the_rules_speak_of(objects):
    job = objects["Service"]["metadata"]["name"]
    assert f'up{{job="{job}"}}' in RULES
    (endpoint,) = objects["ServiceMonitor"]["spec"]["endpoints"]
    assert endpoint["port"] in [port["name"] for port in objects["Service"]["spec"]["ports"]]


def test_keda_alone_says_how_many_pods_there_are_and_never_none(objects):
    scaled = objects["ScaledObject"]["spec"]
    assert "replicas" not in objects["StatefulSet"]["spec"]
    assert scaled["scaleTargetRef"]["name"] == objects["StatefulSet"]["metadata"]["name"]
    assert scaled["minReplicaCount"] >= 1
    query = scaled["triggers"][0]["metadata"]["query"]
    assert "wallaroo_consumer_lag_records" in query
    assert f'job="{objects["Service"]["metadata"]["name"]}"' in query


def test_there_are_no_more_pods_than_partitions(objects):
    settings = tomllib.loads(objects["ConfigMap"]["data"]["wallaroo.toml"])
    most = objects["ScaledObject"]["spec"]["maxReplicaCount"] * settings["workers"]
    assert most <= load_settings({}).partitions

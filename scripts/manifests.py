"""Hold Kubernetes manifests against the schemas of the API: `python -m scripts.manifests < rendered.yaml`.

Strictly: a field that does not exist is wrong. It runs in an environment of its own, which `make check-tools`
makes, since the schemas of Kubernetes come with the package kubernetes-validate. Those of the two custom
resources are below, reduced to what deploy/kubernetes uses, and were read off the types in the npm packages
@kubernetes-models/keda 2.0.0 and @kubernetes-models/prometheus-operator 6.0.0. Prints the objects as JSON, or
what is wrong with them, and then ends with code 1.
"""

import json
import sys
from collections.abc import Iterator
from typing import Any

import jsonschema
import kubernetes_validate
import yaml

# Of Kubernetes.
VERSION = "1.34"
Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}


def _object(required: tuple[str, ...] = (), **properties: Schema) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def _resource(api_version: str, kind: str, spec: Schema) -> Schema:
    return _object(
        ("apiVersion", "kind", "metadata", "spec"),
        apiVersion={"const": api_version},
        kind={"const": kind},
        metadata=_object(
            ("name",), name=TEXT, namespace=TEXT, labels={"type": "object", "additionalProperties": TEXT}
        ),
        spec=spec,
    )


_SERVICE_MONITOR = _object(
    ("selector", "endpoints"),
    selector=_object(matchLabels={"type": "object", "additionalProperties": TEXT}),
    endpoints={
        "type": "array",
        "minItems": 1,
        "items": _object(port=TEXT, path=TEXT, interval={"type": "string", "pattern": r"^[0-9]+(s|m)$"}),
    },
)
_SCALED_OBJECT = _object(
    ("scaleTargetRef", "triggers"),
    scaleTargetRef=_object(("name",), apiVersion=TEXT, kind=TEXT, name=TEXT),
    pollingInterval=COUNT,
    cooldownPeriod=COUNT,
    minReplicaCount=COUNT,
    maxReplicaCount=COUNT,
    advanced=_object(horizontalPodAutoscalerConfig=_object(behavior={"type": "object"})),
    triggers={
        "type": "array",
        "minItems": 1,
        "items": _object(
            ("type", "metadata"),
            type={"const": "prometheus"},
            metadata=_object(
                ("serverAddress", "query", "threshold"),
                serverAddress=TEXT,
                query=TEXT,
                threshold=TEXT,
                ignoreNullValues={"enum": ["true", "false"]},
            ),
        ),
    },
)
CUSTOM = {
    "ServiceMonitor": _resource("monitoring.coreos.com/v1", "ServiceMonitor", _SERVICE_MONITOR),
    "ScaledObject": _resource("keda.sh/v1alpha1", "ScaledObject", _SCALED_OBJECT),
}


def problems(manifest: Schema) -> Iterator[str]:
    """What is wrong with one object."""
    name = f"{manifest.get('kind')} {manifest.get('metadata', {}).get('name')}"
    try:
        if manifest.get("kind") not in CUSTOM:
            kubernetes_validate.validate(manifest, VERSION, strict=True)
            return
        jsonschema.validate(manifest, CUSTOM[manifest["kind"]])
        if manifest["kind"] == "ScaledObject":
            kubernetes_validate.validate(_autoscaler(manifest["spec"]), VERSION, strict=True)
    except jsonschema.ValidationError as error:
        yield f"{name}: {'.'.join(map(str, error.path))}: {error.message}"
    except kubernetes_validate.SchemaNotFoundError as error:
        yield f"{name}: {error.message}"


def _autoscaler(spec: Schema) -> Schema:
    """What KEDA makes of the part that it hands on as it is."""
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "made-by-keda"},
        "spec": {
            "scaleTargetRef": spec["scaleTargetRef"],
            "maxReplicas": spec["maxReplicaCount"],
            "behavior": spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"],
        },
    }


def main() -> None:
    """Read YAML documents from standard input."""
    manifests = [document for document in yaml.safe_load_all(sys.stdin) if document]
    found = [problem for manifest in manifests for problem in problems(manifest)]
    if found:
        sys.exit("\n".join(found))
    print(json.dumps(manifests))


if __name__ == "__main__":
    main()

#!/bin/bash
# Pull the base image that the Dockerfile names, and write its digest to deploy/python-image, which `make image`
# builds from. It needs a registry: a digest that was not read from one is worth nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."
pinned=deploy/python-image

say() { echo "pin-image: $*" >&2; }

image=$(sed -nE 's/^ARG PYTHON_IMAGE=([^ ]+)$/\1/p' Dockerfile)
if ! docker pull --quiet "$image" >/dev/null; then
    say "$image cannot be pulled, and $pinned stays as it is: run this where a Docker daemon reaches its registry"
    exit 1
fi
digest=$(docker image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$image" |
    sed -nE 's/^.*@(sha256:[0-9a-f]{64})$/\1/p' | head -1)
[ -n "$digest" ] || { say "Docker knows no digest of $image" && exit 1; }
echo "$image@$digest" >"$pinned"
say "$pinned: $image@$digest"

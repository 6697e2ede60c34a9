#!/bin/bash
# Has images: build.sh [IMAGE...], by default those that the Dockerfile and docker-compose.yml name. What is
# neither here nor can be pulled is built under the same name, from Debian's packages and Maven's jars: that
# needs root on a Debian or Ubuntu. Such a stand-in is for this machine only and carries the label `standin`;
# never push it. What has none (Grafana) is left out of `docker compose up` by an override beside its file.
set -euo pipefail
cd "$(dirname "$0")"
root=../..
base=wallaroo-standin-base
override=docker-compose.override.yml

say() { echo "standin-images: $*" >&2; }

named() { # every image that this project names
    sed -nE 's/^ARG PYTHON_IMAGE=([^ ]+:[^ ]+)$/\1/p; s/^ +image: ([^ ]+:[^ ]+)$/\1/p' \
        "$root/Dockerfile" "$root/docker-compose.yml" | sort -u
}

had() { { docker image inspect "$1" || timeout 120 docker pull --quiet "$1"; } >/dev/null 2>&1; }

leave_out() { # SERVICE: put it behind a profile, unless somebody has an override of their own
    if [ -e "$root/$override" ]; then
        say "$override is there already and stays as it is"
        return
    fi
    cat >"$root/$override" <<EOF
# Written by scripts/standin-images/build.sh, where the image of $1 cannot be had: without it, the rest comes up
# with \`docker compose up\`. Delete this file where the image can be pulled.
services:
  $1:
    profiles: [$1]
EOF
    say "\`docker compose up\` goes without $1: see $override"
}

# Debian bookworm from wherever this machine's own apt takes it, trusting whom this machine trusts.
bootstrap() {
    local work sources=/etc/apt/sources.list.d/debian.sources
    grep -qs '^Suites:.*bookworm' "$sources" || sources=
    command -v mmdebstrap >/dev/null || apt-get install -y -qq --no-install-recommends mmdebstrap >/dev/null
    work=$(mktemp -d)
    cp -r /usr/local/share/ca-certificates "$work" 2>/dev/null || mkdir "$work/ca-certificates"
    {
        apt-config dump --format '%f "%v";%n' | grep -E '^Acquire::(Check|https?)' || true
        echo 'APT::Keep-Downloaded-Packages "false"; Dir::Cache::pkgcache ""; Dir::Cache::srcpkgcache "";'
    } >"$work/99standin"
    mmdebstrap --quiet --variant=minbase --include=ca-certificates \
        --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
        --customize-hook="copy-in $work/ca-certificates /usr/local/share" \
        --customize-hook="copy-in $work/99standin /etc/apt/apt.conf.d" \
        --customize-hook='chroot "$1" update-ca-certificates >/dev/null 2>&1; rm "$1"/var/cache/apt/*.bin' \
        bookworm "$work/root.tar" ${sources:+"$sources"}
    docker import "$work/root.tar" "$base" >/dev/null
    rm -r "$work"
}

jars() { (cd "$root" && python3 -c 'from scripts.kafka.jars import find_jars; print(find_jars())' | tail -1); }

build() { # IMAGE FOLDER: from the Dockerfile of the folder, with Kafka's jars beside it where it wants them
    local context
    context=$(mktemp -d)
    cp -r "$2/." "$context"
    [ "$2" != kafka ] || cp -r "$(jars)" "$context/libs"
    docker build --quiet --label "standin=built here from packages; not the image from the registry" \
        --tag "$1" "$context" >/dev/null
    rm -r "$context"
}

docker version >/dev/null 2>&1 || { say "no Docker daemon answers; see scripts/docker/with-daemon.sh" && exit 1; }
# shellcheck disable=SC2046 # one word for each image
(($#)) || set -- $(named)
for image; do
    had "$image" && continue
    case $image in
        grafana/*) say "$image has no stand-in" && leave_out grafana && continue ;;
        python:*) folder=python ;;
        apache/kafka:*) folder=kafka ;;
        prom/prometheus:*) folder=prometheus ;;
        *) say "$image has no stand-in" && exit 1 ;;
    esac
    docker image inspect "$base" >/dev/null 2>&1 || { say "bootstrapping Debian ..." && bootstrap; }
    say "building $image ..."
    build "$image" "$folder"
done

#!/bin/bash
# Builds stand-ins for images that cannot be pulled, under the same names, from Debian's packages and
# Maven's jars: build.sh [IMAGE...], by default those that the Dockerfile and docker-compose.yml name.
# Needs root on a Debian or Ubuntu, and a Docker daemon. What it builds is for this machine only and
# carries the label `standin`; never push it.
set -euo pipefail
cd "$(dirname "$0")"
root=../..
base=wallaroo-standin-base

say() { echo "standin-images: $*" >&2; }

named() { # every image that this project names
    sed -nE 's/^FROM ([^ ]+:[^ ]+).*/\1/p; s/^ +image: ([^ ]+:[^ ]+)$/\1/p' \
        "$root/Dockerfile" "$root/docker-compose.yml" | sort -u
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

# shellcheck disable=SC2046 # one word for each image
(($#)) || set -- $(named)
for image; do
    case $image in
        python:*) folder=python ;;
        apache/kafka:*) folder=kafka ;;
        prom/prometheus:*) folder=prometheus ;;
        *) say "$image has no stand-in; start the rest: docker compose up kafka service prometheus" && continue ;;
    esac
    docker image inspect "$base" >/dev/null 2>&1 || { say "bootstrapping Debian ..." && bootstrap; }
    say "building $image ..."
    build "$image" "$folder"
done

#!/bin/bash
# Gives the docker command its `compose` and `buildx`, where it has none: from the packages of Debian 13,
# wherever this machine's own apt takes Debian from, because those of Debian 12 are too old. Needs root.
set -euo pipefail
plugins=/usr/local/lib/docker/cli-plugins

docker compose version >/dev/null 2>&1 && exit
sources=/etc/apt/sources.list.d/debian.sources
[ -f "$sources" ] || { echo "install-compose: no $sources; install Docker Compose 2 yourself" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$plugins"
awk '/^$/ { exit } { print }' "$sources" | sed 's/^Suites:.*/Suites: trixie/' >"$work/trixie.sources"
apt=(-qq -o APT::Sandbox::User=root -o "Dir::Etc::sourcelist=$work/trixie.sources" -o Dir::Etc::sourceparts=-
    -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/cache")
cd "$work"
apt-get "${apt[@]}" update
apt-get "${apt[@]}" download docker-compose docker-buildx
for package in *.deb; do dpkg-deb -x "$package" unpacked; done
install unpacked/usr/libexec/docker/cli-plugins/* "$plugins"
docker compose version

#!/bin/bash
# Runs a command with a Docker daemon: the one that answers, else one of its own, installed from Debian's
# packages where it is missing, and stopped by its pid in the end. The command then must not skip its
# container tests. Where no daemon can be had, it says so, and runs the command all the same.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

say() { echo "with-daemon: $*" >&2; }

answers() { docker version >/dev/null 2>&1; }

installed() {
    command -v docker >/dev/null && command -v dockerd >/dev/null && return
    say "installing docker.io ..."
    apt-get update -qq &&
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends docker.io iptables >/dev/null
}

start() {
    log=$(mktemp)
    dockerd >"$log" 2>&1 </dev/null &
    daemon=$!
    trap stop EXIT
    for _ in $(seq 150); do
        answers && return
        kill -0 "$daemon" 2>/dev/null || break
        sleep 0.2
    done
    say "the daemon does not start:" && tail -5 "$log" >&2
    return 1
}

stop() {
    rm -f "$log"
    if kill "$daemon" 2>/dev/null; then
        wait "$daemon" || true # its exit code is not ours
    fi
}

available() {
    answers && return
    [ "$(id -u)" = 0 ] || { say "no Docker daemon answers, and only root may start one" && return 1; }
    installed && start
}

if available && { docker compose version >/dev/null 2>&1 || "$here/install-compose.sh" >&2; }; then
    export WALLAROO_TESTS_NEED_CONTAINERS=1
else
    say "NO DOCKER: the container tests will be skipped"
fi
"$@"

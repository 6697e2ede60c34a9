#!/bin/sh
# Make .venv from the newest Python that works here, and install the project into it, editable, with the versions
# of its dependencies that requirements/ names, from files with the hashes that it names.
# PYTHON=/path/to/python3.12 chooses another one; an existing .venv that works is kept.
set -eu

fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

recent() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

# Debian packs venv and ensurepip apart from Python itself.
complete() { "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; }

find_python() {
    incomplete=
    if [ -n "${PYTHON:-}" ]; then
        set -- "$PYTHON"
    else
        set -- python3.14 python3.13 python3.12 python3.11 python3 python
    fi
    for candidate in "$@"; do
        recent "$candidate" || continue
        if complete "$candidate"; then
            echo "$candidate"
            return
        fi
        incomplete=${incomplete:-$candidate}
    done
    [ -z "$incomplete" ] || fail "$incomplete has no venv module; on Debian or Ubuntu, as root:" \
        "apt-get install $("$incomplete" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
    fail "no Python 3.11 or newer found${PYTHON:+ at $PYTHON}; install one, or name it: make setup PYTHON=/path/to/python3"
}

if ! recent .venv/bin/python || ! .venv/bin/python -c 'import pip' 2>/dev/null; then
    python=$(find_python)
    echo "Making .venv with $("$python" --version) ..."
    "$python" -m venv --clear .venv
fi
echo "Installing wallaroo into .venv ..."
install() { .venv/bin/python -m pip install --quiet --disable-pip-version-check "$@"; }
install --require-hashes --requirement requirements/runtime.txt --requirement requirements/build.txt ||
    fail "pip finds no file of one of these versions with one of these hashes, or it reaches no index (its lines above" \
        "say which). \`make lock ARGS=--upgrade\` chooses versions among those that this machine can reach"
# With the build's packages just installed, and none that pip would choose.
install --no-build-isolation --no-deps --editable .

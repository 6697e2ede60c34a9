#!/bin/sh
# Write requirements/*.txt: every package that is installed, with its version and the hashes of all its files, for
# every platform and each Python from 3.11 on. UV names the uv to use. Versions stay as they are where they still
# fit pyproject.toml; --upgrade takes the newest. No address is written: pip takes files from wherever it is
# configured to, and only those with these hashes.
set -eu
cd "$(dirname "$0")/.."

lock() { # NAME [what uv resolves]
    name=$1
    shift
    "${UV:-uv}" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
        --custom-compile-command "make lock" --output-file "requirements/$name.txt" $options "$@"
}

options=$*
# The developer's environment first: what else is installed agrees with it.
lock dev pyproject.toml --group dev
lock runtime pyproject.toml --constraints requirements/dev.txt
for group in browser build fuzz kubernetes sbom site tools; do
    lock "$group" --group "$group" --constraints requirements/dev.txt
done

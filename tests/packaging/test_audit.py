"""scripts/audit.py: what nobody could be asked about has not passed."""

import json
import re

import pytest

from scripts import audit

KNOWN = {"name": "known", "version": "1.0", "vulns": []}
UNKNOWN = {"name": "unknown", "skip_reason": "Dependency not found"}
BAD = {
    "name": "bad",
    "version": "2.0",
    "vulns": [{"id": "CVE-1", "fix_versions": ["2.1"], "aliases": [], "description": "."}],
}


@pytest.fixture
def run(tmp_path, capsys):
    """A function that runs the script with a pip-audit that does what a line of shell says."""

    def run(line):
        pip_audit = tmp_path / "pip-audit"
        pip_audit.write_text(f"#!/bin/sh\n{line}\n")
        pip_audit.chmod(0o700)
        code = audit.main([str(pip_audit)])
        return code, capsys.readouterr().out.splitlines()

    return run


def reporting(*packages):
    return f"cat <<'END'\n{json.dumps({'dependencies': packages, 'fixes': []})}\nEND"


def test_packages_without_a_known_vulnerability_pass(run):
    assert run(reporting(KNOWN)) == (0, ["audited: no known vulnerability in 1 packages"])


def test_a_known_vulnerability_fails_and_is_named_once(run):
    code, lines = run(reporting(KNOWN, BAD) + "\nexit 1")
    assert (code, lines) == (1, ["bad==2.0: CVE-1, mended in 2.1", "VULNERABLE: 1 known in 2 packages"])


def test_where_the_service_knows_no_package_nothing_has_passed(run):
    code, lines = run(reporting(UNKNOWN))
    assert (code, lines) == (0, ["NOT AUDITED: the advisory service knows none of 1 packages"])


def test_a_package_that_the_service_does_not_know_is_named(run):
    expected = "audited: no known vulnerability in 1 packages; NOT AUDITED: unknown"
    assert run(reporting(KNOWN, UNKNOWN)) == (0, [expected])


def test_where_no_service_can_be_reached_the_line_says_why_and_nothing_has_passed(run):
    code, (line,) = run("echo 'Traceback' >&2; echo 'ConnectionError: no route' >&2; exit 1")
    assert code == 0
    assert re.fullmatch("NOT AUDITED: .*: ConnectionError: no route", line)


def test_without_pip_audit_nothing_has_passed(capsys):
    assert audit.main(["/no/such/pip-audit"]) == 0
    assert capsys.readouterr().out.startswith("NOT AUDITED")

"""`python -m scripts.audit PIP_AUDIT` asks an advisory service about every version that requirements/ names.

The last line is the verdict. Exit code 1 if a vulnerability is known; 0 if none is, and also where nobody
could be asked: that line then begins with NOT AUDITED, for a machine without a way out is no reason to stop.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REQUIREMENTS = Path(__file__).parent.parent / "requirements"
_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an advisory service said about the packages, each as `name==version`."""

    asked: frozenset[str]
    skipped: frozenset[str]
    # Lines that name a package and what is known about it.
    found: tuple[str, ...]

    @property
    def text(self) -> str:
        """One line, which says "no known vulnerability" only of packages that somebody was asked about."""
        if self.found:
            return f"VULNERABLE: {len(self.found)} known in {len(self.asked)} packages"
        if not self.asked:
            return f"NOT AUDITED: the advisory service knows none of {len(self.skipped)} packages"
        without = f"; NOT AUDITED: {', '.join(sorted(self.skipped))}" if self.skipped else ""
        return f"audited: no known vulnerability in {len(self.asked)} packages{without}"


def verdict(packages: Sequence[Mapping[str, Any]]) -> Verdict:
    """Of the packages in pip-audit's report as JSON."""
    asked = frozenset(_named(package) for package in packages if "vulns" in package)
    skipped = frozenset(package["name"] for package in packages if "skip_reason" in package)
    return Verdict(asked, skipped, tuple(dict.fromkeys(_vulnerabilities(packages))))


def _vulnerabilities(packages: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for package in packages:
        for known in package.get("vulns", ()):
            fixed = ", ".join(known["fix_versions"]) or "no version yet"
            yield f"{_named(package)}: {known['id']}, mended in {fixed}"


def _named(package: Mapping[str, Any]) -> str:
    return f"{package['name']}=={package['version']}"


def _report(pip_audit: str, files: Sequence[Path]) -> list[Mapping[str, Any]] | str:
    """What pip-audit reports about the packages of these files, or why it does not."""
    # Nothing is resolved or installed: the files name every version.
    command = [pip_audit, "--require-hashes", "--disable-pip", "--format=json", "--progress-spinner=off"]
    command += [f"--requirement={file}" for file in files]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
        packages: list[Mapping[str, Any]] = json.loads(done.stdout)["dependencies"]
    except subprocess.TimeoutExpired:
        return f"no answer within {_SECONDS} seconds"
    except OSError as error:
        return str(error)
    except json.JSONDecodeError:
        return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    return packages


def main(argv: Sequence[str] | None = None) -> int:
    """Audit all files; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m scripts.audit", description=__doc__)
    parser.add_argument("pip_audit", help="the command pip-audit")
    options = parser.parse_args(argv)
    packages = _report(options.pip_audit, sorted(REQUIREMENTS.glob("*.txt")))
    if isinstance(packages, str):
        print(f"NOT AUDITED: pip-audit could not ask an advisory service: {packages}")
        return 0
    said = verdict(packages)
    print("\n".join([*said.found, said.text]))
    return 1 if said.found else 0


if __name__ == "__main__":
    sys.exit(main())

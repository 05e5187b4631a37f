"""Known vulnerabilities in what the lock files name: one that nobody has looked at fails, as a step of CI.

pip-audit counts what it could not look up as passed. Without its advisory service nothing was audited: that is said
in so many words, and fails nothing, for the release has become no worse by it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-dev.lock")
# An advisory's id, with the reason why it does not concern us and the date until which that was looked at.
ALLOWED = ROOT / ".ci" / "audit-allowed.toml"
TIME_S = 240

Report = dict[str, Any]  # Any: JSON, as pip-audit writes it


def main() -> int:
    """Audit the locks, print what was found, and return the exit code."""
    report = ask()
    if report is None:
        print("NOT AUDITED: pip-audit gave no report; known vulnerabilities were not looked for.")
        return 0
    for line in tell_unaudited(report):
        print(line)
    problems = list(find_problems(report, tomllib.loads(ALLOWED.read_text()), date.today()))
    for problem in problems:
        print(problem)
    return 1 if problems else 0


def ask() -> Report | None:
    """Return what the advisory service says about the locked versions; None if there is no report."""
    locks = [part for lock in LOCKS for part in ("--requirement", str(ROOT / lock))]
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes", *locks]
    try:
        asked = subprocess.run(
            [*command, "--progress-spinner", "off", "--format", "json"],
            capture_output=True, text=True, timeout=TIME_S, check=False,
        )  # fmt: skip
        report: Report = json.loads(asked.stdout)
    except (subprocess.TimeoutExpired, json.JSONDecodeError):
        return None
    return report


def tell_unaudited(report: Report) -> Iterator[str]:
    """Say what was not looked at, and how much was."""
    named = report["dependencies"]
    skipped = [each["name"] for each in named if "skip_reason" in each]
    if not named or len(skipped) == len(named):
        yield f"NOT AUDITED: the advisory service knew none of {len(named)} dependencies; it cannot be reached."
        return
    yield f"audited {len(named) - len(skipped)} of {len(named)} dependencies"
    if skipped:
        yield f"NOT AUDITED: {', '.join(skipped)}"


def find_problems(report: Report, allowed: dict[str, Any], today: date) -> Iterator[str]:
    """Yield the vulnerabilities that nobody has looked at, or whose time is up; Any: TOML."""
    for each in report["dependencies"]:
        for found in each.get("vulns", ()):
            known = [allowed[name] for name in (found["id"], *found.get("aliases", ())) if name in allowed]
            if not any(entry["reason"].strip() and today <= entry["until"] for entry in known):
                fixed = ", ".join(found.get("fix_versions", ())) or "none yet"
                yield f"VULNERABLE: {each['name']} {each['version']}: {found['id']}, fixed in {fixed}"


if __name__ == "__main__":
    sys.exit(main())

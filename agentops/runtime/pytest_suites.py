"""pytest plugin: named suites, no skip that nobody allowed, and no test that no run would ever choose.

``--suite NAME`` runs the tests that carry the marker NAME; it is green only if one passed and none was skipped
but for a reason that stands, word for word, in the ini option ``allowed_suite_skips``. Any other run tolerates those
in ``allowed_skips``. Every other skip turns the run red, because a skipped test proves nothing. A test that is
marked ``slow`` has to be in a suite. A suite's run does not import modules that never name it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from agentops.runtime.testing import SUITES


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare ``--suite`` and ``allowed_skips``."""
    group = parser.getgroup("agentops")
    group.addoption(
        "--suite",
        choices=SUITES,
        help="run one named suite; a skip in it is a failure unless it is on its list",
    )
    group.addoption(
        "--only-slow",
        action="store_true",
        help="of the suite only what the run without --suite leaves out: for whoever has made that run, too",
    )
    for option in ("allowed_skips", "allowed_suite_skips"):
        parser.addini(option, "exact reasons for which a test may be skipped", type="linelist", default=[])


def pytest_configure(config: pytest.Config) -> None:
    """Select the suite's tests and watch the skips."""
    suite: str | None = config.getoption("suite")
    if suite:
        config.option.markexpr = f"{suite} and slow" if config.getoption("only_slow") else suite
    allowed: list[str] = config.getini("allowed_suite_skips" if suite else "allowed_skips")
    if not hasattr(config, "workerinput"):  # a worker of a parallel run reports to the controller
        config.pluginmanager.register(SkipWatch(allowed, must_pass=bool(suite)), "agentops-skip-watch")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out modules that do not name the suite: most of a small suite's time would go to importing them."""
    suite: str | None = config.getoption("suite")
    if suite and collection_path.suffix == ".py" and not names(collection_path, suite):
        return True
    return None


def names(module: Path, suite: str) -> bool:
    """Whether a module's text names a suite, be it as a marker or not."""
    return suite in module.read_text(encoding="utf-8")


@pytest.hookimpl(tryfirst=True)  # before anything is deselected
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse tests that would never run: too slow for the default run and in no suite, or not found by theirs."""
    forgotten = [item.nodeid for item in items if item.get_closest_marker("slow") and not suites_of(item)]
    if forgotten:
        raise pytest.UsageError(f"slow, but in no suite: {', '.join(forgotten)}")
    pairs = {(item.path, suite) for item in items for suite in suites_of(item)}
    hidden = [f"{path.name} ({suite})" for path, suite in sorted(pairs) if not names(path, suite)]
    if hidden:
        raise pytest.UsageError(f"in a suite that the module itself does not name: {', '.join(hidden)}")


def suites_of(item: pytest.Item) -> list[str]:
    """Return the named suites that a test is in."""
    return [suite for suite in SUITES if item.get_closest_marker(suite)]


class SkipWatch:
    """Collects what was skipped and decides at the end whether that is acceptable."""

    def __init__(self, allowed: Iterable[str], *, must_pass: bool) -> None:
        self.allowed = frozenset(allowed)
        self.must_pass = must_pass
        self.skips: Counter[str] = Counter()
        self.passed = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a test's skip (an expected failure is one too) or pass."""
        self._note_skip(report)
        self.passed += report.when == "call" and report.passed

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Count a whole module's skip."""
        self._note_skip(report)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Turn a green run red when it skipped what it must not, or proved nothing."""
        if exitstatus == pytest.ExitCode.OK and (self.refused() or (self.must_pass and not self.passed)):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print every reason and whether it is allowed."""
        for reason, count in sorted(self.skips.items()):
            verdict = "allowed" if reason in self.allowed else "NOT ALLOWED"
            terminalreporter.write_line(f"skipped, {verdict}: {reason} ({count})")
        if self.must_pass and not self.passed:
            terminalreporter.write_line("NOT ALLOWED: no test of this suite passed")

    def refused(self) -> list[str]:
        """Return the reasons that are not on the list."""
        return [reason for reason in self.skips if reason not in self.allowed]

    def _note_skip(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.skipped:
            self.skips[skip_reason(report)] += 1


def skip_reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Return the reason as its author wrote it."""
    expected_failure: str | None = getattr(report, "wasxfail", None)
    if expected_failure is not None:
        return f"expected failure: {expected_failure}"
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ")

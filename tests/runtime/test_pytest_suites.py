"""Suites and skips, with a real pytest on files made for it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from agentops.runtime.supervision import ROOT
from agentops.runtime.testing import SUITES

PASSES = "def test_passes(): pass\n"
IN_SUITE = "import pytest\npytestmark = pytest.mark.crash\n"
SKIPS = "import pytest\ndef test_skips(): pytest.skip('{reason}')\n"
FAILS = "def test_fails(): assert False\n"
EXPECTED_FAILURE = "import pytest\n@pytest.mark.xfail(reason='some day')\ndef test_fails(): assert False\n"
SLOW = "import pytest\n@pytest.mark.slow\n"
MODULE_SKIP = "import pytest\npytest.skip('no module', allow_module_level=True)\n"
INI = """
[pytest]
addopts = -p agentops.runtime.pytest_suites -p xdist --strict-markers
markers =
    crash: a suite
    slow: too slow for the default run
allowed_skips =
    the data is absent
allowed_suite_skips =
    no registry
"""


VARIABLES = {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}


def run_pytest(directory: Path, files: list[str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pytest on files with these texts."""
    (directory / "pytest.ini").write_text(INI)
    for number, text in enumerate(files):
        (directory / f"test_{number}.py").write_text(text)
    # A run inside a worker of a parallel run is no worker of that run.
    outer = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        cwd=directory,
        env={**outer, **VARIABLES},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("files", "exit_code", "says"),
    [
        ([PASSES], 0, "1 passed"),
        ([PASSES, FAILS], 1, "1 failed"),
        ([PASSES, SKIPS.format(reason="the data is absent")], 0, "skipped, allowed: the data is absent (1)"),
        ([PASSES, SKIPS.format(reason="not today")], 1, "skipped, NOT ALLOWED: not today (1)"),
        ([PASSES, SKIPS.format(reason="the data is absent, too")], 1, "NOT ALLOWED: the data is absent, too"),
        ([PASSES, MODULE_SKIP], 1, "NOT ALLOWED: no module"),
        ([PASSES, EXPECTED_FAILURE], 1, "NOT ALLOWED: expected failure: some day"),
    ],
)
def test_a_skip_needs_a_reason_on_the_list(
    tmp_path: Path, files: list[str], exit_code: int, says: str
) -> None:
    run = run_pytest(tmp_path, files)

    assert run.returncode == exit_code, run.stdout
    assert says in run.stdout


def test_skips_in_parallel_workers_count_as_much(tmp_path: Path) -> None:
    allowed, refused = SKIPS.format(reason="the data is absent"), SKIPS.format(reason="not today")
    run = run_pytest(tmp_path, [PASSES, allowed, refused, MODULE_SKIP], "-n", "2")

    assert run.returncode == pytest.ExitCode.TESTS_FAILED, run.stdout
    assert "skipped, allowed: the data is absent (1)" in run.stdout
    assert "skipped, NOT ALLOWED: not today (1)" in run.stdout
    assert "skipped, NOT ALLOWED: no module (1)" in run.stdout


@pytest.mark.parametrize(
    ("files", "exit_code", "says"),
    [
        ([IN_SUITE + PASSES, FAILS], 0, "1 passed"),
        ([IN_SUITE + PASSES, "# no crash\n" + FAILS], 0, "1 passed, 1 deselected"),
        ([IN_SUITE + FAILS], 1, "1 failed"),
        (
            [IN_SUITE + PASSES, IN_SUITE + SKIPS.format(reason="the data is absent")],
            1,
            "NOT ALLOWED: the data",
        ),
        ([IN_SUITE + PASSES, IN_SUITE + SKIPS.format(reason="no registry")], 0, "allowed: no registry (1)"),
        ([IN_SUITE + SKIPS.format(reason="no registry")], 1, "no test of this suite passed"),
        ([IN_SUITE + SKIPS.format(reason="the data is absent")], 1, "no test of this suite passed"),
        ([PASSES], 5, "no tests ran"),
    ],
)
def test_a_suite_is_green_only_if_all_of_it_ran(
    tmp_path: Path, files: list[str], exit_code: int, says: str
) -> None:
    run = run_pytest(tmp_path, files, "--suite", "crash")

    assert run.returncode == exit_code, run.stdout
    assert says in run.stdout


def test_an_unknown_suite_is_refused(tmp_path: Path) -> None:
    run = run_pytest(tmp_path, [PASSES], "--suite", "cras")

    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    assert "invalid choice" in run.stderr


@pytest.mark.parametrize("selection", [(), ("-m", "not slow"), ("-m", "slow")])
def test_a_slow_test_in_no_suite_is_refused_because_it_would_never_run(
    tmp_path: Path, selection: tuple[str, ...]
) -> None:
    run = run_pytest(tmp_path, [PASSES, SLOW + PASSES], *selection)

    assert run.returncode == pytest.ExitCode.USAGE_ERROR, run.stdout
    assert "slow, but in no suite: test_1.py::test_passes" in run.stderr


def test_a_test_in_a_suite_that_its_module_does_not_name_is_refused_because_its_suite_would_not_find_it(
    tmp_path: Path,
) -> None:
    (tmp_path / "marks.py").write_text("import pytest\nmark = pytest.mark.crash\n")
    run = run_pytest(tmp_path, ["from marks import mark\npytestmark = mark\n" + PASSES])

    assert run.returncode == pytest.ExitCode.USAGE_ERROR, run.stdout
    assert "does not name: test_0.py (crash)" in run.stderr


def test_a_slow_test_in_a_suite_runs_with_it(tmp_path: Path) -> None:
    run = run_pytest(tmp_path, [IN_SUITE + SLOW + PASSES], "--suite", "crash")

    assert (run.returncode, "1 passed" in run.stdout) == (0, True)


def test_of_a_suite_what_is_slow_can_be_run_alone(tmp_path: Path) -> None:
    quick = IN_SUITE + PASSES
    run = run_pytest(tmp_path, [IN_SUITE + SLOW + PASSES, quick], "--suite", "crash", "--only-slow")
    assert (run.returncode, "1 passed, 1 deselected" in run.stdout) == (0, True), run.stdout
    run = run_pytest(tmp_path, [IN_SUITE + SLOW + PASSES, quick], "--suite", "crash")
    assert "2 passed" in run.stdout


@pytest.mark.parametrize("suite", SUITES)
def test_every_suite_has_tests(suite: str) -> None:
    named = rf'^(?:pytestmark = .*|@)pytest\.mark\.{suite}\b|^ *getattr\(pytest\.mark, "{suite}"\)'
    mark = re.compile(named, re.MULTILINE)

    assert any(mark.search(path.read_text()) for path in (ROOT / "tests").rglob("test_*.py"))


@pytest.mark.parametrize("suite", SUITES)
def test_ci_runs_every_suite(suite: str) -> None:
    script = (ROOT / ".ci" / "run").read_text()

    assert re.search(rf"^(printf |    ).*(?<![\w-]){suite}(?![\w-])", script, re.MULTILINE)

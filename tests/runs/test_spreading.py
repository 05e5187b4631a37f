"""What is due in the same second is woken over many, and never earlier than due."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentops.identifiers import new_id
from runs import driver, spreading, turns
from runs.models import Run
from runs.session import utc_now
from runs.spreading import MOST, SHARE, put_off
from tests.rewriting import rewrite
from tests.runs.company import ORDER, Company, proposes, says

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@given(st.timedeltas(min_value=-DAY, max_value=30 * DAY), st.uuids())
def test_never_earlier_than_due_and_not_much_later(wait: timedelta, run: object) -> None:
    woken = put_off(NOW + wait, NOW, new_id())
    assert NOW + wait <= woken <= NOW + wait + min(max(timedelta(), wait) * SHARE, MOST)


def fullest_second() -> int:
    """Return how many of ten thousand runs that are due in the same second are woken in the same one."""
    woken = Counter(int(put_off(NOW + DAY, NOW, new_id()).timestamp()) for _ in range(10_000))
    return max(woken.values())


def test_ten_thousand_that_are_due_together_are_woken_over_half_a_minute() -> None:
    assert fullest_second() < 500  # 333 on an average second


def test_without_it_they_would_be_woken_together(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = rewrite(
        monkeypatch, spreading, "put_off", "(int(run.hex[-_DIGITS:], 16) / float(16**_DIGITS))", "0"
    )
    monkeypatch.setitem(globals(), "put_off", changed)
    assert fullest_second() == 10_000


def test_a_run_is_put_off_by_as_much_each_time() -> None:
    run = new_id()
    assert put_off(NOW + DAY, NOW, run) == put_off(NOW + DAY, NOW, run)


def test_a_run_that_waits_for_people_is_woken_for_its_expiry_after_it(company: Company) -> None:
    version = company.add_tool("refund", grant="REQUIRE_APPROVAL")
    company.let_decide(version.tool)
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    assert run.wake_at is not None
    assert run.expires_at < run.wake_at <= run.expires_at + MOST


def test_a_rest_after_a_fault_is_no_shorter(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    company.expects_fault = True
    company.play(says("Hello."))
    run = company.start()

    def fail(*_: object) -> None:
        raise RuntimeError("a fault of ours")

    with monkeypatch.context() as patch:
        patch.setattr(turns, "find_route", fail)
        before = utc_now()
        company.drive(run)
    wake_at = Run.objects.get().wake_at
    assert wake_at is not None
    assert wake_at > before + timedelta(seconds=driver.REST_S)

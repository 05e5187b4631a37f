"""Guards of the path of a call, each with what happens once it is taken out."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from django.db import connection

from runs import driver
from runs.actions import executing, gating, outcomes
from runs.models import Run
from runs.services import add_message
from runs.session import Session
from tests.rewriting import rewrite
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.deeds import busy
from tests.runs.test_driver import abandon
from tools import execution
from tools.models import CapUsage

# --- a probe that was not used is given back --------------------------------------------------------------

PROBED = {"consecutive_failures": 1, "open_s": 0.05, "open_cap_s": 0.05, "probe_lease_s": 600}


def probe_and_be_interrupted(company: Company, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a run to which the user wrote between the admission of its probe and the commit of the attempt."""
    company.add_tool("refund", max_attempts=1, breaker=PROBED)
    company.world.mishaps.extend([busy])
    company.run(proposes(("refund", ORDER)), says("I cannot."))
    time.sleep(0.1)  # the breaker lets a probe through by now
    company.play(proposes(("refund", ORDER)), says("Done."))
    run, commit, said = company.start(), executing._commit_attempts, [False]

    def write_and_commit(session: Session, ready: list[executing.Ready]) -> None:
        assert ready[0].admission.probe_token or said[0]
        if not said[0]:
            said[0] = True
            add_message(actor=company.cast.application.service_account, run=run, text="Well?")
        commit(session, ready)

    monkeypatch.setattr(executing, "_commit_attempts", write_and_commit)
    return company.drive(run)


def test_a_probe_that_was_not_used_is_given_back(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    run = probe_and_be_interrupted(company, monkeypatch)
    assert (run.state, company.states(run)) == ("completed", [("succeeded", "ok")])


def test_without_giving_it_back_the_tool_stays_shut(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant: the probe is as good as made, until its lease runs out."""
    monkeypatch.setattr(executing, "give_back", lambda spec, admission: None)
    run = probe_and_be_interrupted(company, monkeypatch)
    assert (run.status_reason, company.states(run)) == ("circuit_open", [("refused", "circuit_open")])


# --- caps of a retry that people deny are given back ------------------------------------------------------


def deny_a_retry(company: Company) -> int:
    """Return what stays used of a cap after a person denied the second attempt of a call that had no effect."""
    caps = [{"per": "month", "count": 1}]
    tool = company.add_tool("refund", grant="ALLOW_WITH_CAPS", grant_caps=caps).tool
    company.let_decide(tool)

    def tighten_and_fail(do: Any) -> Any:
        company.grant(tool, "REQUIRE_APPROVAL")
        return busy(do)

    company.world.mishaps.extend([tighten_and_fail])
    run = company.run(proposes(("refund", ORDER)), says("I cannot."))
    assert (company.states(run)[0][0], CapUsage.objects.get().used_count) == ("waiting", 1)
    company.decide("deny")
    assert company.states(company.drive(run)) == [("refused", "denied_by_human")]
    used: int = CapUsage.objects.get().used_count
    return used


def test_what_people_deny_gives_its_caps_back(company: Company) -> None:
    assert deny_a_retry(company) == 0


def test_without_giving_them_back_a_cap_is_used_up_by_nothing(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant."""
    monkeypatch.setattr(gating, "give_caps_back", lambda session, call: None)
    assert deny_a_retry(company) == 1


# --- a tool is asked only once a lost call has surely arrived or never will -------------------------------

TIMEOUT_S, ON_ITS_WAY_S = 2.0, 1.5


def be_taken_over_with_a_call_on_its_way(company: Company, monkeypatch: pytest.MonkeyPatch) -> int:
    """Return how many effects there are of a call that arrives late, but in time, after its driver was taken over."""
    company.world.honours_keys = False
    company.add_tool("refund", idempotency="read_back", timeout_s=TIMEOUT_S)
    asked, read_back = threading.Event(), execution.read_back

    def read_back_and_tell(call: Any) -> Any:
        answer = read_back(call)
        asked.set()
        return answer

    def take_over() -> None:
        driver.drive(run.pk)
        connection.close()

    def arrive_late(do: Any) -> Any:
        abandon(run)
        connection.close()
        other.start()
        asked.wait(ON_ITS_WAY_S)
        return do()

    monkeypatch.setattr(execution, "read_back", read_back_and_tell)
    company.play(proposes(("refund", ORDER)), says("Done."))
    company.world.mishaps.extend([arrive_late])
    run, other = company.start(), threading.Thread(target=take_over)
    company.drive(run)
    other.join(30)
    time.sleep(TIMEOUT_S)  # the rest, at most
    run = company.drive(run)
    assert run.state == "completed"
    return len(company.world.effects)


def test_a_call_on_its_way_is_not_repeated(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    assert be_taken_over_with_a_call_on_its_way(company, monkeypatch) == 1


def test_without_the_rest_it_is_made_twice(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: the tool is asked at once, and knows of nothing yet."""
    rewrite(monkeypatch, outcomes, "settle_lost_attempt", "rest_s=spec.timeout_s", "rest_s=0.0")
    assert be_taken_over_with_a_call_on_its_way(company, monkeypatch) == 2

"""Indicators by version and type of task: what is counted apart, found apart, and shown."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from guardian.shortcuts import assign_perm

from runs.fulfilment.judging import judge_ended
from runs.indicators import rule, samples, watching
from runs.indicators.reading import read_indicators
from runs.indicators.rule import LEAST_RUNS, LOOKS, Sample, happens_more
from runs.indicators.samples import days_of, newest_runs
from runs.indicators.units import units_of
from runs.models import AgentVersion, Fulfilment, Regression, Run, Schedule, VersionLook
from runs.schedules.firing import start_due
from tests.api.caller import Caller, bearer_of
from tests.console.visits import page_of, sign_in, text_of
from tests.factories import AgentVersionFactory
from tests.rewriting import rewrite, rewrite_text
from tests.runs.company import Company, proposes, says
from tests.runs.fulfilment.refunds import REFUND
from tests.runs.test_indicators import complete, look

PAYS: dict[str, Any] = {"name": "refund", "fulfilled_when": [{"called": "refund", "times": 1}]}
CANCEL: dict[str, Any] = {"name": "cancel", "fulfilled_when": [{"ended": ["completed"]}]}


def version(company: Company, number: int, state: str, *tasks: Any) -> AgentVersion:
    listed = list(tasks or (PAYS, CANCEL))
    made: AgentVersion = AgentVersionFactory.create(
        identity=company.cast.agent, number=number, state=state, tasks=listed
    )
    return made


def finish(company: Company, of: AgentVersion, task: str, good: int, bad: int = 0, usd: str = "0.01") -> None:
    """Write runs of a task that did what was asked, and others that did not, one in turn with the other."""
    known = set(Run.objects.values_list("pk", flat=True))
    complete(company, of, good + bad, usd, 3)
    runs = list(Run.objects.exclude(pk__in=known).order_by("pk"))
    Run.objects.filter(pk__in=[run.pk for run in runs]).update(task=task)
    every = (good + bad) // bad if bad else 0
    now = timezone.now()
    Fulfilment.objects.bulk_create(
        Fulfilment(
            run=run,
            task=task,
            fulfilled=not (every and place % every == 0 and place < every * bad),
            judged_at=now,
        )
        for place, run in enumerate(runs)
    )


@pytest.fixture
def two(company: Company) -> tuple[AgentVersion, AgentVersion]:
    """A retired version with runs enough of two tasks, and the one that followed it."""
    first, second = version(company, 1, "retired"), version(company, 2, "published")
    finish(company, first, "refund", 25)
    finish(company, first, "cancel", 25)
    return first, second


# --- the rule for shares ------------------------------------------------------------------------------------------


def share(have: int, runs: int) -> Sample:
    return Sample(runs, have / runs, 0.0)


@pytest.mark.parametrize(
    ("now", "before", "expected"),
    [
        (share(10, 20), share(10, 100), True),
        (share(4, 20), share(10, 100), False),  # chance
        (share(20, 20), share(90, 100), False),  # as likely as one in eight
        (share(5, 20), share(0, 640), True),
        (share(1, 20), share(0, 640), False),
        (share(0, 20), share(0, 20), False),
        (share(340, 640), share(320, 640), False),  # nobody would mind
        (share(19, 19), share(0, 100), False),  # too few
        (share(20, 20), share(0, 19), False),
        (share(0, 20), share(20, 20), False),
    ],
)
def test_a_share_that_is_more_than_chance(now: Sample, before: Sample, expected: bool) -> None:
    assert happens_more(now, before) is expected


def test_how_likely_it_is_by_chance() -> None:
    """Of eight cups four have it, and at least three of them are among four: Fisher's own example, 17 of 70."""
    assert rule._by_chance(3, 4, 1, 4) == pytest.approx(17 / 70)
    assert rule._by_chance(0, 9, 3, 9) == pytest.approx(1.0)


# --- found by task ------------------------------------------------------------------------------------------------


def test_what_one_task_takes_more_says_nothing_of_the_other(
    company: Company, two: tuple[AgentVersion, AgentVersion]
) -> None:
    finish(company, two[1], "refund", 20, usd="0.05")
    finish(company, two[1], "cancel", 20)
    assert look() == [2]
    found = Regression.objects.get()
    assert (found.task, found.unit, found.worse) == ("refund", "cost", "refund: dearer")
    assert set(VersionLook.objects.values_list("task", "runs")) == {("refund", 20), ("cancel", 20)}


def test_all_tasks_together_would_have_hidden_it(
    company: Company, two: tuple[AgentVersion, AgentVersion]
) -> None:
    """A version of which dear runs are more frequent takes no more for any task; one that does is found."""
    finish(company, two[0], "refund", 300, usd="1.00")
    finish(company, two[1], "refund", 20, usd="1.00")
    finish(company, two[1], "cancel", 40, usd="0.05")
    look(2)
    assert [(found.task, found.unit) for found in Regression.objects.all()] == [("cancel", "cost")]


def test_runs_of_no_task_are_told_apart(company: Company, two: tuple[AgentVersion, AgentVersion]) -> None:
    complete(company, two[0], 25, "0.01", 3)
    complete(company, two[1], 25, "0.05", 3)
    assert look() == [1]
    found = Regression.objects.get()
    assert (found.task, found.unit, found.worse) == ("", "cost", "dearer")
    assert "unfulfilled" not in newest_runs(two[1].pk)


def test_a_version_that_does_less_often_what_was_asked_is_found_and_told(
    company: Company, two: tuple[AgentVersion, AgentVersion]
) -> None:
    finish(company, two[1], "refund", 12, 8)
    look()
    found = Regression.objects.get()
    assert (found.task, found.unit, found.before, found.now) == ("refund", "unfulfilled", 0.0, 0.4)
    facts = {
        "agent": "a",
        "version": 2,
        "than": 1,
        "unit": "unfulfilled",
        "before": 0.0,
        "now": 0.4,
        "runs": 20,
    }
    assert watching._say({**facts, "task": "refund"}) == (
        "Version 2 of a takes more than version 1 with refund: runs that did not do what was asked, on average of a"
        " completed run 0.4 against 0, after 20 runs."
    )
    assert "with" not in watching._say(facts)


def test_other_checks_are_not_compared(company: Company) -> None:
    first = version(company, 1, "retired", PAYS)
    second = version(company, 2, "published", {**PAYS, "fulfilled_when": REFUND["fulfilled_when"]})
    finish(company, first, "refund", 25)
    finish(company, second, "refund", 5, 20, usd="0.05")
    look()
    assert [found.unit for found in Regression.objects.all()] == ["cost"]
    [row] = [row for row in read_indicators(second, "refund").rows if row.unit.name == "unfulfilled"]
    assert (row.now, row.before) == (0.8, None)


def test_a_run_that_is_not_judged_yet_is_waited_for(
    company: Company, two: tuple[AgentVersion, AgentVersion]
) -> None:
    finish(company, two[1], "refund", 12, 8)
    last = Run.objects.filter(agent_version=two[1]).order_by("-pk")[0]
    Fulfilment.objects.filter(run=last).update(judged_at=None, fulfilled=None)
    assert look() == [0]
    Fulfilment.objects.filter(run=last).update(judged_at=timezone.now(), fulfilled=None, why_unknown="erased")
    assert look() == [1]
    assert newest_runs(two[1].pk, task="refund")["unfulfilled"].number == 19
    assert newest_runs(two[1].pk, task="refund")["cost"].number == 20


def test_each_task_is_looked_at_no_more_than_declared(
    company: Company, two: tuple[AgentVersion, AgentVersion]
) -> None:
    finish(company, two[1], "refund", LOOKS[-1])
    assert look(7) == [1, 1, 1, 1, 1, 1, 0]
    finish(company, two[1], "cancel", LEAST_RUNS)
    assert look(2) == [1, 0]


def test_real_runs_are_counted_by_what_they_did(company: Company) -> None:
    company.add_tool("refund")
    company.publish(tasks=[PAYS])
    order = {"order_id": "A-1"}
    for turns in ([proposes(("refund", order)), says("Done.")], [says("No.")]):
        company.play(*turns)
        company.drive(company.start(task="refund"))
    judge_ended(timezone.now())
    assert company.published is not None
    taken = newest_runs(company.published.pk, task="refund")["unfulfilled"]
    assert (taken.number, taken.mean) == (2, 0.5)
    [day] = days_of(company.published.pk, task="refund")
    assert day.means["unfulfilled"] == 0.5


# --- shown --------------------------------------------------------------------------------------------------------


def test_the_page_shows_one_task_and_leads_to_the_others(
    company: Company, two: tuple[AgentVersion, AgentVersion]
) -> None:
    client = sign_in(company.cast.alice)
    address = page_of("runs_agentversion", "change", two[1].pk)
    assert "No run is completed yet" in text_of(client.get(address))
    finish(company, two[1], "refund", 12, 8)
    look()
    page = text_of(client.get(address))
    assert "refund is carried out exactly once" in page
    assert "refund · cancel · no task" in page
    assert "this version, 20 runs v1, 25 runs" in page
    assert "runs that did not do what was asked 0.400 0.000" in page
    assert "refund: less often what was asked than v1" in page
    assert "No run is completed yet" in text_of(client.get(address, {"task": "cancel"}))
    assert "this version, 20 runs" in text_of(client.get(address, {"task": "nothing"}))


def test_the_page_begins_with_what_has_runs(company: Company) -> None:
    """One task is declared, and all runs are of none."""
    made = version(company, 1, "published", PAYS)
    client, address = sign_in(company.cast.alice), page_of("runs_agentversion", "change", made.pk)
    assert "refund · no task No run is completed yet" in text_of(client.get(address))
    complete(company, made, 3, "0.01", 3)
    assert "refund · no task this version, 3 runs" in text_of(client.get(address))
    finish(company, made, "refund", 2)
    assert "refund · no task this version, 2 runs" in text_of(client.get(address))
    assert "this version, 3 runs" in text_of(client.get(address, {"task": ""}))


def test_the_pages_statements_do_not_grow_with_the_tasks(company: Company) -> None:
    client, counts = sign_in(company.cast.alice), []
    for number, tasks in ((1, [PAYS]), (2, [PAYS, *({**CANCEL, "name": f"t{n}"} for n in range(15))])):
        made = version(company, number, "draft", *tasks)
        finish(company, made, "refund", 2)
        with CaptureQueriesContext(connection) as captured:
            client.get(page_of("runs_agentversion", "change", made.pk))
        counts.append(len(captured))
    assert counts[1] - counts[0] <= 1, "there is a version before the second one"


def test_the_page_of_a_run_says_whether_and_why(refunds: Company) -> None:
    refunds.play(says("No."))
    run = refunds.start(task="refund")
    client, address = sign_in(refunds.cast.bob), page_of("runs_run", "change", run.pk)
    assert "It is judged a moment after its end" in text_of(client.get(address))
    refunds.drive(run)
    judge_ended(timezone.now())
    page = text_of(client.get(address))
    assert "It did not do what was asked refund" in page
    assert "no refund is carried out exactly once; it was not" in page
    Fulfilment.objects.update(fulfilled=None, checks=[], why_unknown="its record cannot be read")
    page = text_of(client.get(address))
    assert "Nobody can tell whether it did what was asked refund Its record cannot be read." in page


def test_the_form_starts_a_run_of_a_task_and_says_which_there_are(company: Company) -> None:
    company.add_tool("refund")
    company.publish(principal_source="staff", tasks=[PAYS])
    assign_perm("start_run", company.cast.bob, company.cast.agent)
    client = sign_in(company.cast.bob)
    asked = {"agent": str(company.cast.agent.pk), "message": "Give it back.", "task": "cancel"}
    refused = text_of(client.post(page_of("runs_run", "add"), asked))
    assert "does not declare it; it declares: refund" in refused
    assert not Run.objects.exists()
    client.post(page_of("runs_run", "add"), {**asked, "task": "refund"})
    assert Run.objects.get().task == "refund"


def test_a_schedule_starts_runs_of_its_task(company: Company) -> None:
    company.publish(principal_source="staff", tasks=[CANCEL])
    assign_perm("start_run", company.cast.bob, company.cast.agent)
    client = sign_in(company.cast.bob)
    asked = {
        "agent": str(company.cast.agent.pk), "name": "Daily", "message": "Go on.", "cron": "* * * * *",
        "timezone": "UTC", "catch_up": "last", "overlap": "skip", "spread_s": "0",
    }  # fmt: skip
    refused = text_of(client.post(page_of("runs_schedule", "add"), {**asked, "task": "refund"}))
    assert "does not declare it; it declares: cancel" in refused
    client.post(page_of("runs_schedule", "add"), {**asked, "task": "cancel"})
    schedule = Schedule.objects.get()
    assert "Type of task cancel" in text_of(client.get(page_of("runs_schedule", "change", schedule.pk)))
    assert start_due(schedule.starts_at) == 1
    assert Run.objects.get().task == "cancel"


def test_the_api_tells_the_same(company: Company, two: tuple[AgentVersion, AgentVersion]) -> None:
    finish(company, two[1], "refund", 12, 8)
    look()
    alice = Caller(bearer_of(company.cast, company.cast.alice))
    address = f"/agents/{company.cast.agent.pk}/indicators"
    told = alice.get(f"{address}?task=refund").body
    assert (told["version"], told["than"], told["task"], told["tasks"]) == (
        2,
        1,
        "refund",
        ["refund", "cancel", ""],
    )
    assert (told["runs"], told["runs_before"], told["looks"], told["false_alarms"]) == (
        20,
        25,
        list(LOOKS),
        0.01,
    )
    [unfulfilled] = [row for row in told["indicators"] if row["unit"] == "unfulfilled"]
    assert (unfulfilled["now"], unfulfilled["before"], unfulfilled["runs"]) == (0.4, 0.0, 20)
    assert [day["mean"] for day in unfulfilled["by_day"]] == [0.4]
    [found] = told["regressions"]
    assert (found["task"], found["unit"], found["than"]) == ("refund", "unfulfilled", 1)
    none = alice.get(f"{address}?task=cancel").body
    assert (none["runs"], none["indicators"], none["regressions"]) == (0, [], told["regressions"])
    assert alice.get(f"{address}?version=1&task=cancel").body["than"] is None
    plain = alice.get(address).body
    assert (plain["task"], plain["runs"]) == ("", 0)
    unknown = alice.get(f"{address}?task=nothing")
    assert (unknown.status, unknown.code) == (404, "unknown_task")
    outsider = Caller(bearer_of(company.cast, company.cast.charlie))
    assert outsider.get(address).code == "unknown_agent"
    application = Caller(bearer_of(company.cast, company.cast.application.service_account))
    assert application.get(address).code == "unknown_agent"


def test_the_api_starts_a_run_of_a_task_and_says_whether_it_was_fulfilled(refunds: Company) -> None:
    application = Caller(bearer_of(refunds.cast, refunds.cast.application.service_account))
    asked = {
        "agent": refunds.cast.agent.slug,
        "message": "Money back!",
        "principal": {"issuer": "i", "subject": "s"},
    }
    refused = application.post("/runs", {**asked, "task": "cancel"}, key="one")
    assert (refused.status, refused.code) == (422, "unknown_task")
    assert "it declares: refund" in refused.body["detail"]
    made = application.post("/runs", {**asked, "task": "refund"}, key="two").body
    assert made["task"] == "refund"
    shown = application.get(f"/runs/{made['id']}").body
    assert shown["fulfilment"] == {"fulfilled": None, "why_unknown": "", "checks": [], "judged_at": None}
    refunds.play(says("No."))
    refunds.drive(Run.objects.get(pk=made["id"]))
    judge_ended(timezone.now())
    told = application.get(f"/runs/{made['id']}").body["fulfilment"]
    assert (told["fulfilled"], [check["passed"] for check in told["checks"]]) == (
        False,
        [False, False, True, True],
    )
    plain = application.post("/runs", asked, key="three").body
    assert plain["task"] == ""
    assert application.get(f"/runs/{plain['id']}").body["fulfilment"] is None


# --- without the guards -------------------------------------------------------------------------------------------


def test_without_fishers_test_sure_things_would_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    rewrite(
        monkeypatch, watching, "_is_worse", "(happens_more if unit.is_share else takes_more)", "takes_more"
    )
    [unit] = [unit for unit in units_of("refund") if unit.is_share]
    assert watching._is_worse(unit, Sample(20, 1.0, 0.0), Sample(640, 0.9, 0.09))
    assert not happens_more(Sample(20, 1.0, 0.0), Sample(640, 0.9, 0.09))


def test_without_the_task_one_would_hide_the_other(
    company: Company, two: tuple[AgentVersion, AgentVersion], monkeypatch: pytest.MonkeyPatch
) -> None:
    rewrite_text(monkeypatch, samples, "_RUNS", "r.task = %(task)s", "%(task)s = %(task)s")
    rewrite_text(monkeypatch, samples, "_COUNT", "r.task = %(task)s", "%(task)s = %(task)s")
    with pytest.raises(AssertionError):
        test_what_one_task_takes_more_says_nothing_of_the_other(company, two)

"""Replaying a run: decided again as it is recorded, and nothing is done."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.db.utils import InternalError

from agentops.engine import events as e
from agentops.errors import NondeterminismError, PolicyDenied
from agentops.ledger.store import StoredEntry
from runs import starting
from runs.erasure import erase_run
from runs.models import Run
from runs.replays import prompts, services
from runs.replays.recording import Recording, read_recording
from runs.replays.report import Report
from runs.replays.services import replay_recording, replay_run
from runs.replays.walk import Walk
from runs.services import add_message
from tests.cast import Cast
from tests.ledger.forging import as_owner
from tests.rewriting import rewrite
from tests.runs.company import ORDER, Company, proposes, rows_of, says
from tests.runs.planner.provider import reply

Change = Callable[[StoredEntry], StoredEntry | None]


@pytest.fixture
def run(company: Company) -> Run:
    """Return a run of four steps: a read, a refused write, one that a person approves, and an answer."""
    company.add_reads()
    company.add_tool("refund", grant="DENY")
    company.let_decide(company.add_tool("cancel", function="refund", grant="REQUIRE_APPROVAL").tool)
    run = company.run(
        proposes(("look_up", ORDER), text="I look."),
        proposes(("refund", ORDER), ("look_up", {"order": 1}), ("no_such_tool", {})),
        proposes(("cancel", ORDER)),
        says("Done."),
    )
    add_message(actor=company.cast.application.service_account, run=run, text="Go on.")
    company.drive(run)
    return run


def record_of(run: Run) -> Recording:
    with connection.cursor() as cursor:
        return read_recording(cursor, run.pk)


def bend(run: Run, kind: str, change: Callable[[StoredEntry], StoredEntry | None]) -> Report:
    """Replay a recording whose first entry of a kind is another one, or gone, with the rest moved up."""
    recording, done = record_of(run), False
    entries: list[StoredEntry] = []
    for entry in recording.entries:
        changed: StoredEntry | None = entry
        if entry.kind == kind and not done:
            changed, done = change(entry), True
        if changed is not None:
            entries.append(replace(changed, seq=len(entries) + 1))
    assert done
    return replay_recording(run, Recording(run.pk, tuple(entries), frozenset()))


def told(report: Report) -> list[tuple[int, str]]:
    return [(each.step, each.what) for each in report.differences]


def with_content(**changes: Any) -> Callable[[StoredEntry], StoredEntry]:
    return lambda entry: replace(entry, content={**entry.content, **changes})


def with_facts(**changes: Any) -> Callable[[StoredEntry], StoredEntry]:
    return lambda entry: replace(entry, facts={**entry.facts, **changes})


def test_a_run_is_decided_again_as_it_is_recorded(company: Company, run: Run) -> None:
    report = replay_run(actor=company.cast.alice, run=run)
    assert (report.outcome, report.differences) == ("same", ())
    requests = len(company.facts(run, e.MODEL_REQUESTED))
    assert (report.prompts, report.uncompared) == (requests, 0)
    assert (report.verdicts, report.entries) == (5, len(company.entries(run)))
    assert (report.commands, report.steps) == (11, 4)
    assert report.engine == report.by_engine


def test_nothing_is_asked_done_charged_or_written(company: Company, run: Run) -> None:
    seen = (rows_of(run), company.entries(run), len(company.asked()), list(company.world.attempts))
    assert replay_run(actor=company.cast.alice, run=run).outcome == "same"
    assert seen == (rows_of(run), company.entries(run), len(company.asked()), list(company.world.attempts))


def test_windows_that_slide_and_failures_and_summaries_are_replayed(company: Company) -> None:
    company.add_reads()
    company.publish(context_tokens=1_000, summarise=True)
    turns = [proposes(("look_up", {"order_id": "A" * 900 + str(number)})) for number in range(5)]
    run = company.run(reply({}, 503), *turns, says("Done."))
    report = replay_run(actor=company.cast.alice, run=run)
    assert (report.outcome, report.uncompared) == ("same", 0)
    assert report.prompts == len(company.facts(run, e.MODEL_REQUESTED)) == 5
    assert {e.MODEL_FAILED, e.SUMMARY_REQUESTED} <= set(company.kinds(run))


def test_a_declared_plan_is_replayed(company: Company) -> None:
    company.add_reads()
    company.publish(plan="planner", off_plan="DENY")
    plan = {"tools": [{"tool": "look_up"}]}
    run = company.run(proposes(("declare_plan", plan)), proposes(("look_up", ORDER)), says("Done."))
    assert replay_run(actor=company.cast.alice, run=run).outcome == "same"


def test_one_that_goes_on_is_replayed_as_far_as_it_has_come(company: Company) -> None:
    company.add_tool("refund", grant="REQUIRE_APPROVAL")
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    assert run.state == "requires_action"
    assert replay_run(actor=company.cast.alice, run=run).outcome == "same"


@pytest.mark.parametrize(
    ("kind", "change", "found"),
    [
        (e.RUN_STARTED, with_content(message="Other words."), (1, "prompt")),
        (e.CALL_SUCCEEDED, with_content(value={"order": "B-2"}), (2, "prompt")),
        (e.STEP_DECIDED, with_content(text="I do not look."), (2, "prompt")),
        (
            e.STEP_DECIDED,
            with_content(calls=[{"call": 1, "tool": "look_up", "arguments": {}}]),
            (1, "answer"),
        ),
        (e.MODEL_REQUESTED, with_facts(offered="0" * 64), (1, "offer")),
        (e.MODEL_REQUESTED, with_facts(reserved_tokens=1), (1, "bound")),
        (e.MODEL_REQUESTED, with_facts(step=2), (2, "command")),
        (e.CALL_ALLOWED, with_facts(effect="reversible"), (1, "verdict")),
        (e.CALL_ALLOWED, with_facts(tool=3), (1, "verdict")),
        (e.CALL_REFUSED, with_facts(code="not_allow_listed"), (2, "verdict")),
        (e.RUN_COMPLETED, with_facts(reason="killed"), (4, "command")),
        (e.CALL_SUCCEEDED, lambda entry: replace(entry, kind="call.invented"), (1, "missing")),
        (e.CALL_SUCCEEDED, lambda entry: replace(entry, facts={}), (1, "missing")),
        (e.RUN_STARTED, lambda entry: replace(entry, kind="run.begun"), (0, "history")),
    ],
)
def test_a_bent_recording_is_found(
    run: Run, kind: str, change: Callable[[StoredEntry], StoredEntry], found: tuple[int, str]
) -> None:
    report = bend(run, kind, change)
    assert report.outcome in ("different", "missing")
    assert told(report)[0] == found


@pytest.mark.parametrize(
    ("kind", "now"),
    [
        (e.STEP_DECIDED, "the model's answer in step 1"),
        (e.CALL_SUCCEEDED, "what became of call 1 of step 1"),
        (e.ATTEMPT_STARTED, ""),
        (e.RUN_COMPLETED, "Finish(event='run.completed'"),
    ],
)
def test_what_was_not_recorded_is_named(run: Run, kind: str, now: str) -> None:
    report = bend(run, kind, lambda _: None)
    assert report.outcome != "same"
    if now:
        assert report.outcome == "missing"
        [missing] = [each for each in report.differences if each.what == "missing"]
        assert missing.now.startswith(now)


def test_an_answer_without_its_words_is_a_miss(run: Run) -> None:
    report = bend(run, e.CALL_SUCCEEDED, lambda entry: replace(entry, content=None))
    assert report.outcome == "missing"
    assert told(report)[0] == (1, "missing")


def test_a_row_that_somebody_has_written_is_found(company: Company, run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(tokens=1)
    report = replay_run(actor=company.cast.alice, run=run)
    assert (report.outcome, told(report)) == ("different", [(4, "row")])
    company.is_mutant = True


def test_an_entry_that_the_owner_of_the_database_has_changed_is_found(company: Company, run: Run) -> None:
    """Through the verb: not only where a test hands the recording in."""
    with as_owner(triggers=False) as owner:
        owner.execute(
            "UPDATE ledger_entry SET content = replace(content, 'delivered', 'lost') WHERE stream = %s AND kind = %s",
            (run.pk, e.CALL_SUCCEEDED),
        )
    report = replay_run(actor=company.cast.alice, run=run)
    assert told(report)[0] == (2, "prompt")
    company.is_mutant = True


def test_erased_words_are_a_defined_outcome(company: Company, run: Run) -> None:
    company.cast.alice.user_permissions.add(Permission.objects.get(codename="erase_content"))
    erase_run(actor=company.cast.alice, run=run, reason="asked for")
    report = replay_run(actor=company.cast.alice, run=run)
    assert (report.outcome, report.differences) == ("erased", ())
    assert "erased" in report.words


def test_a_run_of_an_older_engine_is_replayed_by_its_own_rules(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under the first rules an uninterrupted cycle was no reason to stop; under today's the same stream would."""
    company.add_reads()
    company.publish(repeat_limit=2)
    monkeypatch.setattr(starting, "ENGINE_VERSION", 2)
    other = {"order_id": "A-2"}
    run = company.run(
        *(proposes(("look_up", o)) for o in (ORDER, other, {"order_id": "A-3"}, ORDER)), says("Done.")
    )
    report = replay_run(actor=company.cast.alice, run=run)
    assert (run.state, report.outcome, report.engine) == ("completed", "same", 2)
    by_ours = bend(run, e.RUN_STARTED, with_facts(engine=report.by_engine))
    assert told(by_ours)[0] == (4, "command")


def test_a_run_of_a_later_engine_is_left_alone(
    company: Company, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "ENGINE_VERSION", 1)
    assert replay_run(actor=company.cast.alice, run=run).outcome == "newer_engine"


def test_whose_team_it_is_not_replays_nothing(company: Company, cast: Cast, run: Run) -> None:
    with pytest.raises(PolicyDenied, match="not on"):
        replay_run(actor=cast.charlie, run=run)


def test_a_recording_from_before_there_were_digests_says_what_was_not_compared(run: Run) -> None:
    recording = record_of(run)
    entries = tuple(
        replace(each, facts={k: v for k, v in each.facts.items() if k not in ("prompt", "offered")})
        for each in recording.entries
    )
    report = replay_recording(run, Recording(run.pk, entries, frozenset()))
    assert (report.outcome, report.prompts, report.uncompared) == ("same", 0, 4)


# --- without the guard --------------------------------------------------------------------------------------


def test_without_the_read_only_transaction_a_replay_could_write(
    company: Company, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a replay comes to do by mistake: the database refuses it, and without the guard it happens."""

    def write(row: Run, recording: Recording) -> Report:
        Run.objects.filter(pk=row.pk).update(status_detail="touched")
        return replay_recording(row, recording)

    monkeypatch.setattr(services, "replay_recording", write)
    with pytest.raises(InternalError, match="read-only"):
        replay_run(actor=company.cast.alice, run=run)
    rewrite(monkeypatch, services, "replay_run", 'cursor.execute("SET TRANSACTION READ ONLY")', "pass")
    services.replay_run(actor=company.cast.alice, run=run)
    run.refresh_from_db()
    assert run.status_detail == "touched"
    company.is_mutant = True


def rewrite_method(monkeypatch: pytest.MonkeyPatch, owner: type, name: str, old: str, new: str) -> None:
    source = textwrap.dedent(inspect.getsource(getattr(owner, name)))
    assert source.count(old) == 1
    made: dict[str, Any] = {}
    scope = vars(inspect.getmodule(owner))
    exec(compile(source.replace(old, new), name, "exec"), scope, made)  # noqa: S102  our own source
    monkeypatch.setattr(owner, name, made[name])


MORE = [{"call": 1, "tool": "look_up", "arguments": {"order_id": "A-1", "more": 1}}]
WORDLESS: Change = lambda entry: replace(entry, content=None)  # noqa: E731  one of several changes


@pytest.mark.parametrize(
    ("name", "old", "kind", "change"),
    [
        ("_compare_prompt", 'facts[name] != made.get(name, "")', e.MODEL_REQUESTED, with_facts(prompt="0" * 64)),
        ("_compare_answer", 'digest != each["args_digest"]', e.STEP_DECIDED, with_content(calls=MORE)),
        ("_take_answer", "wanted not in content", e.CALL_SUCCEEDED, WORDLESS),
    ],
)  # fmt: skip
def test_without_a_comparison_a_bent_recording_passes_there(
    run: Run, monkeypatch: pytest.MonkeyPatch, name: str, old: str, kind: str, change: Change
) -> None:
    before = told(bend(run, kind, change))
    rewrite_method(monkeypatch, Walk, name, old, "False")
    assert told(bend(run, kind, change))[:1] != before[:1]


def test_without_heeding_the_engine_a_replay_would_break_off(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewrite_method(
        monkeypatch, Walk, "_read", "except NondeterminismError as error", "except ZeroDivisionError as error"
    )
    with pytest.raises(NondeterminismError):
        bend(run, e.RUN_COMPLETED, with_facts(reason="killed"))


def test_without_what_the_run_was_told_a_prompt_would_be_another(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewrite(monkeypatch, prompts, "is_declaring", "version.plan == PLANNER and ", "")
    assert told(replay_recording(run, record_of(run)))[0] == (1, "prompt")

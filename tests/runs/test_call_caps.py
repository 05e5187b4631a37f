"""Caps on the calls of a run: taken before an effect, given back where there surely was none."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from runs.services import kill_run, settle_outcome
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.deeds import Mishap, busy, lose_reply, refuse
from tools.caps import release_caps, reserve_caps
from tools.models import CapUsage


def caps(*rows: dict[str, object]) -> list[dict[str, object]]:
    return list(rows)


def test_a_cap_on_the_count_of_a_run(company: Company) -> None:
    company.add_tool("refund", grant="ALLOW_WITH_CAPS", grant_caps=caps({"per": "run", "count": 2}))
    turns = [proposes(("refund", {"order_id": f"A-{n}"})) for n in range(3)]
    run = company.run(*turns, says("Done."))
    assert company.states(run) == [("succeeded", "ok"), ("succeeded", "ok"), ("refused", "cap_exceeded")]


def test_a_retry_is_counted_once(company: Company) -> None:
    company.add_tool("refund", grant="ALLOW_WITH_CAPS", grant_caps=caps({"per": "run", "count": 1}))
    company.world.mishaps.extend([busy])
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    assert company.states(run) == [("succeeded", "ok")]
    assert CapUsage.objects.get().used_count == 1


def test_a_call_that_surely_had_no_effect_gives_its_caps_back(company: Company) -> None:
    company.add_tool(
        "refund",
        grant="ALLOW_WITH_CAPS",
        grant_caps=caps({"per": "day", "count": 1, "amount": "5.00"}),
        amount_argument="amount",
    )
    company.world.mishaps.extend([refuse])
    turns = [proposes(("refund", {"order_id": f"A-{n}", "amount": "4.00"})) for n in range(3)]
    run = company.run(*turns, says("Done."))
    assert [state for state, _ in company.states(run)] == ["failed", "succeeded", "refused"]
    usage = CapUsage.objects.get()
    assert (usage.used_count, usage.used_amount) == (1, Decimal(4))


def test_a_call_in_doubt_keeps_its_caps(company: Company) -> None:
    company.add_tool(
        "refund", idempotency="none", grant="ALLOW_WITH_CAPS", grant_caps=caps({"per": "day", "count": 1})
    )
    company.world.mishaps.extend([lose_reply])
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    assert CapUsage.objects.get().used_count == 1
    settle_outcome(actor=company.cast.alice, run=run, step=1, call=1, happened=False, note="I looked.")
    company.drive(run)
    assert CapUsage.objects.get().used_count == 0


@pytest.mark.parametrize(("mishap", "left"), [(busy, 0), (lose_reply, 1)])
def test_a_run_that_ends_before_a_retry_gives_back_what_is_not_in_doubt(
    company: Company, mishap: Mishap, left: int
) -> None:
    company.add_tool(
        "refund",
        grant="ALLOW_WITH_CAPS",
        grant_caps=caps({"per": "day", "count": 1}),
        backoff_base_s=1e7,
        backoff_cap_s=1e7,
    )
    company.publish(max_seconds=1_000_000_000)
    company.world.mishaps.extend([mishap])
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    assert company.states(run)[0][0] == "retrying"
    company.drive(kill_run(actor=company.cast.alice, run=run))
    assert CapUsage.objects.get().used_count == left


def test_caps_are_locked_in_the_order_of_their_tools(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one tool's call gives back and another's takes is one transaction."""
    terms: dict[str, Any] = {"grant": "ALLOW_WITH_CAPS", "grant_caps": caps({"per": "day", "count": 9})}
    tools = [company.add_tool(name, **terms).tool for name in ("refund", "cancel")]
    first, second = sorted(tools, key=lambda tool: str(tool.pk))
    asked: list[object] = []
    watch(monkeypatch, "runs.actions.executing.reserve_caps", reserve_caps, asked)
    watch(monkeypatch, "runs.actions.refusals.release_caps", release_caps, asked)
    company.world.mishaps.extend([refuse])
    run = company.run(proposes((second.name, ORDER), (first.name, ORDER)), says("Done."))
    assert [state for state, _ in company.states(run)] == ["failed", "succeeded"]
    assert asked == [second.pk, first.pk, second.pk], "taken; then taken and given back, by tool"


def watch(patch: pytest.MonkeyPatch, name: str, function: Callable[..., object], seen: list[object]) -> None:
    """Note the tool of every call of a function of the caps."""

    def noting(cursor: object, identity: object, tool: object, rest: object) -> object:
        seen.append(tool)
        return function(cursor, identity, tool, rest)

    patch.setattr(name, noting)


def test_parallel_reads_get_no_more_than_their_cap(company: Company) -> None:
    company.add_tool(
        "look_up", effect="read", grant="ALLOW_WITH_CAPS", grant_caps=caps({"per": "run", "count": 3})
    )
    company.publish(max_seconds=86_400)  # a machine that stands still must not halt the run between two calls
    orders = [("look_up", {"order_id": f"A-{n}"}) for n in range(5)]
    run = company.run(proposes(*orders), says("Done."))
    assert (run.state, sorted(company.states(run))) == (
        "completed",
        [("refused", "cap_exceeded")] * 2 + [("succeeded", "ok")] * 3,
    )
    assert CapUsage.objects.get().used_count == 3


def test_an_amount_that_no_column_could_hold_is_refused(company: Company) -> None:
    company.add_tool(
        "refund",
        grant="ALLOW_WITH_CAPS",
        grant_caps=caps({"per": "day", "count": 9}),
        amount_argument="amount",
    )
    run = company.run(proposes(("refund", {**ORDER, "amount": "1e20"})), says("Sorry."))
    assert (run.state, company.states(run)) == ("completed", [("refused", "amount_out_of_range")])


@pytest.mark.parametrize(("amount", "written"), [("1E+2", "100"), ("2.50", "2.50"), ("1.500000", "1.50")])
def test_what_a_call_takes_of_caps_is_written_in_digits(company: Company, amount: str, written: str) -> None:
    cap = {"per": "day", "count": 9, "amount": "1000"}
    company.add_tool("refund", grant="ALLOW_WITH_CAPS", grant_caps=caps(cap), amount_argument="amount")
    company.world.mishaps.extend([refuse])
    run = company.run(proposes(("refund", {**ORDER, "amount": amount})), says("Sorry."))
    (started,) = company.facts(run, "attempt.started")
    assert [taken for _, taken in started["claims"]] == [written]
    usage = CapUsage.objects.get()
    assert (usage.used_count, usage.used_amount) == (0, Decimal(0)), "and given back as written"

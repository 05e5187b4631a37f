"""What differs is shown, changed and then settled; what is left out stays."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from agentops.errors import StateConflict
from identities.models import AgentIdentity, Team, User
from runs.models import Budget
from tests.runs.provisioning.document import END, apply, changed, edited, instruct, set_end
from tools.models import ToolGrant

pytestmark = [pytest.mark.setup, pytest.mark.slow]


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (lambda d: d["teams"]["desk"].update(name="Help desk"), {"team desk": "update"}),
        (lambda d: d["teams"]["desk"].update(members=["hugo"]), {"team desk": "update"}),
        (lambda d: d["groups"]["approvers"].update(permissions=[]), {"group approvers": "update"}),
        (lambda d: d["people"]["hugo"].update(staff=False), {"person hugo": "update"}),
        (lambda d: d["agents"]["desk-agent"].update(purpose="Helps a lot."), {"agent desk-agent": "update"}),
        (lambda d: d["agents"]["desk-agent"].update(state="suspended"), {"agent desk-agent": "update"}),
        (
            lambda d: d["agents"]["desk-agent"]["grants"].update(look_up={"decision": "DENY"}),
            {"grant desk-agent → look_up": "update"},
        ),
        (
            lambda d: d["agents"]["desk-agent"]["grants"].update(look_up={"state": "revoked"}),
            {"grant desk-agent → look_up": "update"},
        ),
        (
            lambda d: d["versions"]["desk-agent"].update(instructions="Help more."),
            {"version desk-agent v2": "create"},
        ),
        (
            lambda d: d["versions"].update({"desk-agent": {"state": "retired"}}),
            {"version Desk agent v1": "update"},
        ),
        (
            lambda d: d["tools"]["look_up"].update(timeout_s=2.5),
            {"tool look_up": "update", "version desk-agent v2": "create"},
        ),
        (lambda d: d["tools"]["refund"].update(state="quarantined"), {"tool refund": "update"}),
        (
            lambda d: d["tools"]["refund"].update(for_end_users={"decision": "DENY"}),
            {"tool refund": "update"},
        ),
        (
            lambda d: d["applications"]["desk-app"].update(may_assert_users=False),
            {"application desk-app": "update"},
        ),
        (lambda d: d["applications"]["desk-app"].update(state="revoked"), {"application desk-app": "update"}),
        (
            lambda d: d["applications"]["desk-app"].update(audience="https://shop.example/api"),
            {"application desk-app": "update"},
        ),
        (
            lambda d: d["prices"]["little-model"].update(version="2", output_usd_per_mtok="0.50"),
            {"price little-model": "update"},
        ),
        (lambda d: d["budgets"][0].update(max_usd="6.00"), {"budget Desk per day": "update"}),
    ],
)
def test_what_differs_is_changed_and_then_settled(
    ada: User, edit: Callable[[dict[str, Any]], object], expected: dict[str, str]
) -> None:
    apply(ada)
    text = edited(edit)

    assert changed(apply(ada, text)) == expected
    assert apply(ada, text).is_empty


def test_leaving_something_out_removes_nothing(ada: User) -> None:
    apply(ada)

    def leave_out(document: dict[str, Any]) -> None:
        del document["agents"]["desk-agent"]["grants"]["refund"]
        document["applications"]["desk-app"]["may_start"] = []
        document["tools"]["refund"]["approvers"] = {}
        del document["tools"]["look_up"], document["people"]["gina"], document["budgets"]
        document["teams"]["desk"].pop("members")
        del document["versions"]

    plan = apply(ada, edited(leave_out))
    assert plan.is_empty
    notes = "\n".join(plan.notes)
    for left in ("also granted refund", "person gina", "group approvers", "also start desk-agent"):
        assert left in notes
    assert "that stays" in str(plan)
    assert ToolGrant.objects.filter(state="active").count() == 2


def test_an_end_and_ceilings_that_are_left_out_stay(ada: User) -> None:
    apply(ada, edited(set_end(END)))

    plan = apply(ada, edited(lambda document: document["budgets"][1].pop("max_usd")))
    assert plan.is_empty
    assert AgentIdentity.objects.get(slug="desk-agent").expires_at is not None
    assert Budget.objects.get(identity__slug="desk-agent").max_usd == Decimal("2.50")


def test_only_null_takes_an_end_or_a_ceiling_away_and_the_plan_says_that_it_loosens(ada: User) -> None:
    apply(ada, edited(set_end(END)))

    def take_away(document: dict[str, Any]) -> None:
        document["agents"]["desk-agent"]["expires_at"] = None
        document["budgets"][1]["max_usd"] = None

    shown = str(apply(ada, edited(take_away)))
    assert f"expires_at (loosens): {END} → (none)" in shown
    assert "max_usd (loosens): 2.5 → (none)" in shown
    assert AgentIdentity.objects.get(slug="desk-agent").expires_at is None
    budget = Budget.objects.get(identity__slug="desk-agent")
    assert (budget.max_usd, budget.max_steps) == (None, 100)


def test_long_instructions_that_differ_at_the_end_show_where(ada: User) -> None:
    lines = [f"{number:03} {'Be kind to the customer. ' * 4}" for number in range(20)]
    texts = ["\n".join([*lines, last]) for last in ("Never refund twice.", "Refund whatever is asked for.")]
    assert all(len(text) > 2000 for text in texts)

    apply(ada, edited(instruct(texts[0])))
    shown = str(apply(ada, edited(instruct(texts[1])), dry_run=True))

    assert "-Never refund twice.\n      +Refund whatever is asked for." in shown
    assert lines[0] not in shown, "only what differs, and the line before it"


def test_a_further_version_shows_what_it_replaces(ada: User) -> None:
    apply(ada)

    def loosen(document: dict[str, Any]) -> None:
        document["versions"]["desk-agent"]["budget"].update(max_usd="0.75", max_steps=4)
        document["versions"]["desk-agent"]["catalogue"].remove("refund")

    shown = str(apply(ada, edited(loosen)))
    assert "+ version desk-agent v2: create" in shown
    assert "max_usd (loosens): 0.5 → 0.75" in shown
    assert "max_steps: 5 → 4" in shown
    assert "catalogue: refund v1, look_up v1 → look_up v1" in shown


def test_a_plan_that_differs_only_far_down_in_a_text_is_another(ada: User) -> None:
    texts = [edited(instruct("x" * 2000 + end)) for end in ("a", "b")]
    plan = apply(ada, texts[0], dry_run=True)

    with pytest.raises(StateConflict, match="plan_changed"):
        apply(ada, texts[1], expected=plan)


def test_a_plan_with_people_it_creates_itself_still_holds(ada: User) -> None:
    plan = apply(ada, dry_run=True)

    assert apply(ada, expected=plan) == plan


def test_plan_that_no_longer_holds_is_not_applied(ada: User) -> None:
    plan = apply(ada, dry_run=True)
    Team.objects.create(slug="desk", name="Something else")

    with pytest.raises(StateConflict, match="plan_changed"):
        apply(ada, expected=plan)
    assert Team.objects.get(slug="desk").name == "Something else"

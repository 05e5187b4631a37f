"""Ready-made reasons to deny: whose they are, what they leave on record, who may set them."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from agentops.errors import AgentOpsError, PolicyDenied, ValidationFailed
from approvals.denials import LONGEST, MOST, SHIPPED, read_presets, set_denial_reasons
from approvals.models import ApprovalDecision, ApprovalRequest, DenialReasons
from approvals.services import decide
from runs.models import Run
from tests.cast import Cast
from tests.console.visits import page_of, sign_in, text_of
from tests.ledger import kinds_of, last_entry
from tests.runs.company import Company

LIST = [{"code": "too_late", "words": "It is past the 30 days."}]
MODEL = "approvals_denialreasons"


def deny(cast: Cast, request: ApprovalRequest, **changes: Any) -> ApprovalRequest:
    values = {
        "verdict": "deny",
        "reason": "",
        "digest": request.digest,
        "channel": "api",
        "second_factor": True,
    }
    return decide(actor=cast.fiona, request=request, **{**values, **changes})


def test_a_team_without_a_list_has_what_is_shipped(cast: Cast) -> None:
    assert read_presets([cast.team.pk]) == {cast.team.pk: SHIPPED}


def test_the_code_is_counted_and_the_agent_reads_the_words(
    company: Company, run: Run, waiting: ApprovalRequest
) -> None:
    set_denial_reasons(actor=company.cast.ada, team=company.cast.team, reasons=LIST)
    deny(company.cast, waiting, preset="too_late", reason="Order of May.")
    entry = last_entry(waiting.pk)
    assert (entry.facts["preset"], entry.content) == (
        "too_late",
        {"reason": "It is past the 30 days. Order of May."},
    )
    assert ApprovalDecision.objects.get().preset == "too_late"
    company.drive(run)
    assert (
        company.observations()[-1]["detail"] == "a person denied this: It is past the 30 days. Order of May."
    )


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"preset": "too_late"}, "unknown_preset"),
        ({"preset": "not_asked_for", "verdict": "approve"}, "bad_preset"),
        ({}, "reason_missing"),
    ],
)
def test_a_reason_that_is_none_denies_nothing(
    cast: Cast, waiting: ApprovalRequest, changes: dict[str, Any], code: str
) -> None:
    with pytest.raises(ValidationFailed) as refused:
        deny(cast, waiting, **changes)
    assert refused.value.code == code
    assert not ApprovalDecision.objects.exists()


def test_a_list_is_set_as_a_whole_and_goes_back_to_what_is_shipped(cast: Cast) -> None:
    assert [each.code for each in set_denial_reasons(actor=cast.alice, team=cast.team, reasons=LIST)] == [
        "too_late"
    ]
    set_denial_reasons(actor=cast.alice, team=cast.team, reasons=LIST)
    assert kinds_of(cast.team.pk).count("denial_reasons.set") == 1
    assert set_denial_reasons(actor=cast.alice, team=cast.team, reasons=None) == SHIPPED
    assert not DenialReasons.objects.exists()


def test_who_may_not_set_the_rules_sets_no_reasons(cast: Cast) -> None:
    for person in (cast.bob, cast.charlie, cast.fiona):
        with pytest.raises(PolicyDenied):
            set_denial_reasons(actor=person, team=cast.team, reasons=LIST)


@pytest.mark.parametrize(
    "reasons",
    [
        [{"code": "Too late", "words": "So."}],
        [{"code": "late", "words": " "}],
        [{"code": "late", "words": "x" * (LONGEST + 1)}],
        [{"code": "late"}],
        [{"code": "late", "words": "So.", "more": 1}],
        [*LIST, *LIST],
        ["late"],
        [{"code": f"late_{n}", "words": "So."} for n in range(MOST + 1)],
    ],
    ids=str,
)
def test_a_list_that_cannot_be_kept(cast: Cast, reasons: Any) -> None:
    with pytest.raises(ValidationFailed) as refused:
        set_denial_reasons(actor=cast.ada, team=cast.team, reasons=reasons)
    assert refused.value.code == "invalid_reasons"


# --- in the console ---------------------------------------------------------------------------------------


def send(client: Client, cast: Cast, text: str) -> str:
    form = {"team": str(cast.team.pk), "reasons": text}
    return text_of(client.post(page_of(MODEL, "add"), form, follow=True))


def test_a_list_is_typed_in_line_by_line(cast: Cast) -> None:
    client = sign_in(cast.alice)
    assert "not_asked_for" in text_of(client.get(page_of(MODEL, "add")))
    assert "too_late" in send(client, cast, "too_late: It is past: 30 days.\n\n")
    assert DenialReasons.objects.get().reasons == [{"code": "too_late", "words": "It is past: 30 days."}]
    assert "It is past: 30 days." in text_of(client.get(page_of(MODEL, "change", cast.team.pk)))
    assert "words, at most" in send(client, cast, "nonsense")


def test_an_outsider_sets_and_sees_none(cast: Cast) -> None:
    set_denial_reasons(actor=cast.ada, team=cast.team, reasons=LIST)
    for person in (cast.charlie, cast.bob):
        send(sign_in(person), cast, "mine: Mine.")
    assert DenialReasons.objects.get().reasons == LIST
    assert "too_late" not in text_of(sign_in(cast.charlie).get(page_of(MODEL, "changelist")))


def test_without_the_check_anybody_sets_reasons(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("approvals.denials.require", lambda *_: None)
    try:
        set_denial_reasons(actor=cast.charlie, team=cast.team, reasons=LIST)
    except AgentOpsError:
        pytest.fail("another guard holds")
    assert DenialReasons.objects.get().set_by == cast.charlie

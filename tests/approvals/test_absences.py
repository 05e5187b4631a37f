"""Naming a deputy: by oneself, by two people for somebody else, and by nobody whom it is not up to."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import ProgrammingError, transaction
from django.utils import timezone
from guardian.shortcuts import assign_perm

from agentops.errors import AgentOpsError, PolicyDenied
from approvals.absences import Leave, declare_absence, end_absence
from approvals.models import Absence, ApprovalRequest
from identities.changes import activate, do_or_propose, seconded
from identities.models import ApiKey, ChangeProposal, User
from identities.services import issue_api_key
from tests.api.caller import Caller, bearer_of
from tests.approvals.bending import unguarded
from tests.cast import Cast
from tests.console.visits import page_of, sign_in, text_of
from tests.factories import ApprovalRequestFactory, PersonFactory, ToolVersionFactory
from tests.identities.test_roles import with_role
from tests.ledger import kinds_of
from tests.verbs import absence_of, leave_of
from tools.models import Tool

pytestmark = pytest.mark.django_db


def leave(cast: Cast, **changes: Any) -> Leave:
    """Return Fiona's, with Bob as her deputy; both approve calls of one tool of the team."""
    tool: Tool = ToolVersionFactory.create(tool__team=cast.team, irreversible=True).tool
    for person in (cast.fiona, cast.bob):
        assign_perm("approve_calls", person, tool)
    now = timezone.now()
    values = {
        "absent": cast.fiona, "deputy": cast.bob, "begins_at": now, "ends_at": now + timedelta(days=3),
        "reason": "On leave.", **changes,
    }  # fmt: skip
    return Leave(**values)


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(AgentOpsError) as refused:
        act()
    return f"{refused.value.code}: {refused.value.detail}"


# --- who says it -------------------------------------------------------------------------------------------


def test_who_is_away_says_so_alone_and_it_is_on_their_record(governed: Cast) -> None:
    cast, said = governed, leave(governed)
    absence = declare_absence(actor=cast.fiona, leave=said)
    assert declare_absence(actor=cast.fiona, leave=said) == absence, "said twice it is said once"
    end_absence(actor=cast.bob, absence=absence)
    end_absence(actor=cast.fiona, absence=absence)
    assert kinds_of(cast.fiona.pk)[-2:] == ["absence.declared", "absence.ended"]
    assert Absence.objects.get().ended_by == cast.bob


def test_for_somebody_else_it_takes_two(governed: Cast) -> None:
    """And neither is the deputy; the row by one person alone is refused by the database, too."""
    cast, said = governed, leave(governed, team=governed.team)
    proposal = do_or_propose(actor=cast.alice, act=lambda: declare_absence(actor=cast.alice, leave=said))
    assert isinstance(proposal, ChangeProposal)
    row = {**said.values(), "declared_by": cast.alice, "declared_at": timezone.now()}
    with pytest.raises(ProgrammingError, match="second person"), transaction.atomic():
        Absence.objects.create(**row)
    activate(actor=cast.ada, proposal=proposal, second_factor=True)
    assert Absence.objects.get().declared_by == cast.alice
    assert kinds_of(cast.fiona.pk)[-1] == "absence.declared"


def test_nobody_makes_themselves_somebodys_deputy(governed: Cast) -> None:
    """Neither as the first of two people nor as the second."""
    cast = governed
    for maker, checker in ((cast.alice, cast.ada), (cast.ada, cast.alice)):
        said = leave(cast, deputy=cast.alice)
        assign_perm("approve_calls", cast.alice, Tool.objects.first())
        with seconded(checker), pytest.raises(PolicyDenied) as refused:
            declare_absence(actor=maker, leave=Leave(**{**_fields(said), "team": cast.team}))
        assert refused.value.code == "own_approval"
    assert not Absence.objects.exists()


def _fields(said: Leave) -> dict[str, Any]:
    return {name: getattr(said, name) for name in Leave.__dataclass_fields__}


def test_outsiders_and_machines_name_and_end_nothing(governed: Cast) -> None:
    cast, said = governed, leave(governed, team=governed.team)
    absence = declare_absence(actor=cast.fiona, leave=said)
    for outsider in (cast.charlie, cast.bob, cast.application.service_account):
        with pytest.raises(PolicyDenied, match="not_permitted"):
            declare_absence(actor=outsider, leave=said)
    assert code_of(lambda: end_absence(actor=cast.charlie, absence=absence)).startswith("unknown_absence")
    mate = PersonFactory.create()
    cast.team.members.add(mate)
    assert code_of(lambda: end_absence(actor=mate, absence=absence)).startswith("not_permitted")
    assert list(Absence.objects.visible_to(mate)) == [absence]
    assert list(Absence.objects.visible_to(cast.charlie)) == []


# --- what may be said --------------------------------------------------------------------------------------

NOW = timezone.now()
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"ends_at": NOW + timedelta(days=31)}, "ends_at: after begins_at, by at most 30 days"),
    ({"ends_at": NOW - timedelta(days=1)}, "ends_at: after begins_at"),
    ({"begins_at": NOW - timedelta(days=9), "ends_at": NOW - timedelta(days=8)}, "ends_at: still to come"),
    (
        {"begins_at": NOW + timedelta(days=91), "ends_at": NOW + timedelta(days=92)},
        "begins_at: at most 90 days",
    ),
    ({"reason": " \u200b"}, "reason: up to 200"),
    ({"reason": "x" * 201}, "reason: up to 200"),
]


@pytest.mark.parametrize(("change", "fault"), WRONG)
def test_times_and_reasons_that_cannot_be(cast: Cast, change: dict[str, Any], fault: str) -> None:
    said = leave(cast, begins_at=NOW, **change) if "begins_at" not in change else leave(cast, **change)
    assert fault in code_of(lambda: declare_absence(actor=cast.fiona, leave=said))


def test_deputies_that_cannot_be(cast: Cast) -> None:
    """Who approves nothing of the team, the absent themselves, machines, the closed, auditors."""
    closed = PersonFactory.create(is_active=False)
    auditor = with_role(cast, "auditor")
    known = leave(cast)
    assign_perm("approve_calls", closed, Tool.objects.first())
    assign_perm("approve_calls", auditor, Tool.objects.first())
    elsewhere = ToolVersionFactory.create(tool__team=cast.other_team).tool
    assign_perm("approve_calls", cast.charlie, elsewhere)
    for wrong in (cast.alice, cast.charlie, closed, auditor, cast.application.service_account, cast.fiona):
        said = Leave(**{**_fields(known), "deputy": wrong})
        assert "deputy: " in code_of(lambda said=said: declare_absence(actor=cast.fiona, leave=said))  # type: ignore[misc]  # a default


def test_there_has_to_be_something_to_decide(cast: Cast) -> None:
    known = leave(cast)
    friends = Group.objects.create(name="friends")
    elsewhere = ToolVersionFactory.create(tool__team=cast.other_team).tool
    for change, fault in (
        ({"tool": elsewhere}, "absent: somebody who has calls to approve there"),
        ({"team": cast.other_team}, "absent: somebody who has calls to approve there"),
        ({"group": friends}, "group: one that the absent is in"),
        ({"team": cast.other_team, "tool": Tool.objects.first()}, "tool: one of the team's"),
    ):
        said = Leave(**{**_fields(known), **change})
        assert fault in code_of(lambda said=said: declare_absence(actor=cast.fiona, leave=said))  # type: ignore[misc]  # a default


def test_nobody_is_away_twenty_one_times(cast: Cast) -> None:
    known = leave(cast)
    for day in range(21):
        said = Leave(**{**_fields(known), "ends_at": known.ends_at + timedelta(days=day)})
        if day < 20:
            declare_absence(actor=cast.fiona, leave=said)
    assert "at most 20" in code_of(lambda: declare_absence(actor=cast.fiona, leave=said))


# --- through the console and the API -----------------------------------------------------------------------


def test_in_the_console_one_names_a_deputy_and_ends_it(cast: Cast) -> None:
    leave_of(cast)
    fiona, charlie = sign_in(cast.fiona), sign_in(cast.charlie)
    now = timezone.localtime()
    form = {
        "deputy": str(cast.bob.pk), "begins_at": now.strftime("%Y-%m-%dT%H:%M"), "reason": "On leave.",
        "ends_at": (now + timedelta(days=3)).strftime("%Y-%m-%dT%H:%M"), "team": str(cast.team.pk),
    }  # fmt: skip
    shown = fiona.post(page_of("approvals_absence", "add"), form)
    absence = Absence.objects.get()
    assert shown["Location"] == page_of("approvals_absence", "change", absence.pk)
    assert "bob, deputy of fiona" in text_of(fiona.get(shown["Location"]))
    end = {"action": "end", "_selected_action": [str(absence.pk)], "index": "0", "confirmed": "1"}
    charlie.post(page_of("approvals_absence", "changelist"), end)
    assert Absence.objects.get().ended_at is None
    sign_in(cast.bob).post(page_of("approvals_absence", "changelist"), end)
    assert Absence.objects.get().ended_by == cast.bob


def test_in_the_console_somebody_elses_is_proposed(governed: Cast) -> None:
    cast = governed
    leave_of(cast)
    form = {
        "absent": str(cast.fiona.pk), "deputy": str(cast.bob.pk), "begins_at": "2099-01-01T00:00", "reason": "Ill.",
        "ends_at": "2099-01-03T00:00", "team": str(cast.team.pk),
    }  # fmt: skip
    refused = sign_in(cast.ada).post(page_of("approvals_absence", "add"), form)
    assert "at most 90 days ahead" in text_of(refused)
    now = timezone.localtime()
    form |= {"begins_at": f"{now:%Y-%m-%dT%H:%M}", "ends_at": f"{now + timedelta(days=2):%Y-%m-%dT%H:%M}"}
    assert sign_in(cast.fiona).post(page_of("approvals_absence", "add"), form).status_code == 302
    assert Absence.objects.get().declared_by == cast.fiona, "her form has no field for others"
    sign_in(cast.ada).post(page_of("approvals_absence", "add"), {**form, "reason": "She is ill."})
    assert ChangeProposal.objects.get().verb == "absence.declare"


def test_the_page_of_a_request_says_for_whom_one_decides(cast: Cast) -> None:
    absence = absence_of(cast)
    asked = ApprovalRequestFactory.create(identity=cast.agent)
    assign_perm("approve_calls", cast.fiona, asked.tool)
    bob, page = sign_in(cast.bob), page_of("approvals_approvalrequest", "change", asked.pk)
    assert "You decide as the deputy of fiona" in text_of(bob.get(page))
    form = {"verdict": "approve", "reason": "Seen.", "digest": asked.digest}
    bob.post(page_of("approvals_approvalrequest", "decision", asked.pk), form)
    assert "bob, deputy of fiona until" in text_of(sign_in(cast.fiona).get(page))
    assert asked.decisions.get().absence == absence


def test_a_deputy_sees_what_they_may_decide_and_no_more(cast: Cast) -> None:
    """Charlie is of no team of hers; what a tool of the team makes him an approver of is all that he sees beside."""
    known = ToolVersionFactory.create(tool__team=cast.team).tool
    for person in (cast.fiona, cast.charlie):
        assign_perm("approve_calls", person, known)
    mine, other = (ApprovalRequestFactory.create(identity=cast.agent) for _ in range(2))
    assign_perm("approve_calls", cast.fiona, mine.tool)
    assert list(ApprovalRequest.objects.visible_to(cast.charlie)) == []
    absence = declare_absence(actor=cast.fiona, leave=leave(cast, deputy=cast.charlie))
    assert list(ApprovalRequest.objects.visible_to(cast.charlie)) == [mine]
    assert list(ApprovalRequest.objects.decidable_by(cast.charlie)) == [mine]
    end_absence(actor=cast.fiona, absence=absence)
    assert list(ApprovalRequest.objects.visible_to(cast.charlie)) == []
    assert other in ApprovalRequest.objects.visible_to(cast.fiona)


def test_through_the_api(cast: Cast) -> None:
    leave_of(cast)
    fiona, bob, charlie = (Caller(bearer_of(cast, person)) for person in (cast.fiona, cast.bob, cast.charlie))
    body = {"deputy": "bob", "begins_at": NOW.isoformat(), "reason": "On leave.", "team": "support"}
    body["ends_at"] = (timezone.now() + timedelta(days=3)).isoformat()
    assert fiona.post("/absences", body).code == "second_factor_required"
    ApiKey.objects.update(verified_until=timezone.now() + timedelta(seconds=60))
    assert fiona.post("/absences", {**body, "deputy": "nobody"}).code == "invalid_absence"
    made = fiona.post("/absences", body, key="k")
    assert (made.status, made.body["state"], made.body["deputy"]) == (201, "active", "bob")
    assert fiona.post("/absences", body, key="k").body == made.body
    where = made.headers["Location"].removeprefix("/api/v1")
    assert bob.get(where).body == made.body
    assert bob.get("/absences?standing=true").body["data"] == [made.body]
    assert bob.get("/absences?standing=false").body["data"] == []
    assert (charlie.get(where).status, charlie.post(f"{where}/end", {}).status) == (404, 404)
    assert bob.post(f"{where}/end", {}).body["state"] == "ended"


# --- who issued the key ------------------------------------------------------------------------------------


def test_who_issues_a_key_is_kept(cast: Cast) -> None:
    key, _ = issue_api_key(actor=cast.alice, user=cast.application.service_account, label="shop")
    assert ApiKey.objects.get(pk=key.pk).issued_by == cast.alice


@pytest.mark.django_db(transaction=True)
def test_who_issued_the_key_that_started_a_run_decides_about_none_of_its_calls(cast: Cast) -> None:
    """The service says so, and the database; without both it counts, which is the mutant."""
    asked: ApprovalRequest = ApprovalRequestFactory.create(identity=cast.agent, key_issuer=cast.fiona)
    values = {
        "verdict": "approve", "channel": "api", "digest": asked.digest, "decided_at": timezone.now(),
        "decided_by": cast.fiona,
    }  # fmt: skip
    assign_perm("approve_calls", cast.fiona, asked.tool)
    assert list(ApprovalRequest.objects.decidable_by(User.objects.get(pk=cast.fiona.pk))) == []
    with pytest.raises(ProgrammingError, match="somebody apart"), transaction.atomic():
        asked.decisions.create(**values)
    with unguarded():
        asked.decisions.create(**values)

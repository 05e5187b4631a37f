"""Separation of duties down a line of runs: who has a part in one decides about no call of those that act for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.db import ProgrammingError
from django.urls import reverse
from django.utils import timezone
from guardian.shortcuts import assign_perm

from agentops.errors import PolicyDenied
from approvals import gate, policies
from approvals.models import ApprovalParent, ApprovalRequest
from approvals.services import decide
from identities.models import STAFF_ISSUER, AgentIdentity, ApiKey, User
from runs.models import Run
from runs.services import cancel_run
from tests.api.conftest import Callers
from tests.approvals.bending import unguarded
from tests.authority.conftest import Desk
from tests.cast import Cast
from tests.console.visits import page_of, sign_in, text_of
from tests.factories import AgentFactory, ApprovalRequestFactory, PersonFactory, ToolVersionFactory
from tests.factories.identities import PrincipalFactory
from tests.rewriting import rewrite, rewrite_text
from tests.runs.company import ORDER, proposes, says

pytestmark = [pytest.mark.authority, pytest.mark.slow]


# --- parts, lines and doors --------------------------------------------------------------------------------


Part = Callable[[AgentIdentity, User], dict[str, Any]]  # what the row of a parent says; Any: of its columns


def ask(cast: Cast, *parts: tuple[int, Part, User], **values: Any) -> ApprovalRequest:
    """Write a request of a run for another run, which is for a third: Fiona, Bob and Ada may approve such calls.

    ``parts``: at which place somebody has which part.
    """
    version = ToolVersionFactory.create(tool__team=cast.team, irreversible=True)
    request: ApprovalRequest = ApprovalRequestFactory.create(
        identity=cast.agent, tool_version=version, **values
    )
    for person in (cast.fiona, cast.bob, cast.ada):
        assign_perm("approve_calls", person, version.tool)
    for place in (0, 1):
        agent = AgentFactory.create(team=cast.team, name=f"Agent {place}")
        row = {"identity": agent, "owner": agent.owner, "principal": request.principal}
        for _, part, person in (each for each in parts if each[0] == place):
            row |= part(agent, person)
        ApprovalParent.objects.create(request=request, place=place, subject_ref=f"run-{place}", **row)
    return request


def an_owner_since(agent: AgentIdentity, person: User) -> dict[str, Any]:
    AgentIdentity.objects.filter(pk=agent.pk).update(owner=person)
    return {}


def an_owner_at_asking(_: AgentIdentity, person: User) -> dict[str, Any]:
    return {"owner": person}


def a_starter(_: AgentIdentity, person: User) -> dict[str, Any]:
    return {"requested_by": person}


def a_key_issuer(_: AgentIdentity, person: User) -> dict[str, Any]:
    return {"key_issuer": person}


def an_end_user(agent: AgentIdentity, person: User) -> dict[str, Any]:
    served = PrincipalFactory.create(team=agent.team, issuer=STAFF_ISSUER, subject=person.get_username())
    return {"principal": served}


PARTS = [
    (an_owner_since, "owns_a_parents_agent", "that agent's owner does not approve it"),
    (an_owner_at_asking, "owns_a_parents_agent", "that agent's owner does not approve it"),
    (a_starter, "started_a_parent", "who started that does not approve it"),
    (a_key_issuer, "issued_a_parents_key", "who issued the key that started that does not approve it"),
    (an_end_user, "is_a_parents_principal", "which is on your behalf"),
]


class Service:
    def __init__(self, cast: Cast, callers: Callers, person: str) -> None:
        self.person: User = getattr(cast, person)

    def decide(self, request: ApprovalRequest) -> str:
        """Approve; return what one is told, and nothing when it is done."""
        try:
            approve(request, self.person)
        except PolicyDenied as error:
            return f"{error.code}: {error.detail}"
        return ""

    def is_offered(self, request: ApprovalRequest) -> bool:
        return request in ApprovalRequest.objects.decidable_by(self.person)


class Console(Service):
    def __init__(self, cast: Cast, callers: Callers, person: str) -> None:
        self.client = sign_in(getattr(cast, person))

    def decide(self, request: ApprovalRequest) -> str:
        form = {"verdict": "approve", "reason": "Seen.", "digest": request.digest}
        page = self.client.post(
            page_of("approvals_approvalrequest", "decision", request.pk), form, headers={"HX-Request": "true"}
        )
        return "" if page.status_code == 200 else text_of(page)

    def is_offered(self, request: ApprovalRequest) -> bool:
        inbox = text_of(self.client.get(reverse("admin:approvals_approvalrequest_changelist")))
        shown = text_of(self.client.get(page_of("approvals_approvalrequest", "change", request.pk)))
        offered = "yours to decide" in inbox
        assert ("You cannot decide this one" in shown) is not offered
        return offered


class Api(Service):
    def __init__(self, cast: Cast, callers: Callers, person: str) -> None:
        fresh = timezone.now() + timedelta(seconds=60)
        ApiKey.objects.filter(user=getattr(cast, person)).update(verified_until=fresh)
        self.caller = getattr(callers, person)

    def decide(self, request: ApprovalRequest) -> str:
        body = {"verdict": "approve", "digest": request.digest}
        answer = self.caller.post(f"/approvals/{request.pk}/decision", body, key="k")
        return "" if answer.status == 200 else f"{answer.code}: {answer.body['detail']}"

    def is_offered(self, request: ApprovalRequest) -> bool:
        listed = self.caller.get("/approvals?decidable=true").body["data"]
        return str(request.pk) in [each["id"] for each in listed]


def approve(request: ApprovalRequest, person: User) -> None:
    decide(
        actor=person, request=request, verdict="approve", reason="", digest=request.digest, channel="api",
        second_factor=True,
    )  # fmt: skip


@pytest.mark.parametrize("door", [Service, Console, Api])
@pytest.mark.parametrize("place", [0, 1], ids=["parent", "grandparent"])
@pytest.mark.parametrize(("part", "code", "words"), PARTS, ids=[part.__name__ for part, *_ in PARTS])
def test_who_has_a_part_in_a_run_decides_about_none_that_acts_for_it(
    cast: Cast,
    callers: Callers,
    part: Part,
    code: str,
    words: str,
    place: int,
    door: type[Service],
) -> None:
    asked = ask(cast, (place, part, cast.fiona))
    involved, colleague = door(cast, callers, "fiona"), door(cast, callers, "bob")
    assert (involved.is_offered(asked), colleague.is_offered(asked)) == (False, True)
    told = involved.decide(asked)
    assert f"his is done for run run-{place} of Agent {place}" in told
    assert words in told
    assert door is Console or told.startswith(f"{code}: ")
    assert colleague.decide(asked) == ""
    asked.refresh_from_db()
    assert (asked.state, asked.decisions.get().decided_by) == ("approved", cast.bob)


@pytest.mark.parametrize(("part", "code", "_"), PARTS, ids=[part.__name__ for part, *_ in PARTS])
def test_rank_frees_nobody_from_a_part_further_up(
    cast: Cast, callers: Callers, part: Part, code: str, _: str
) -> None:
    ada = Service(cast, callers, "ada")
    assert ada.is_offered(ask(cast))
    asked = ask(cast, (1, part, cast.ada))
    assert not ada.is_offered(asked)
    assert ada.decide(asked).startswith(f"{code}: ")


def test_the_nearest_part_is_named(cast: Cast, callers: Callers) -> None:
    fiona, above = Service(cast, callers, "fiona"), [(place, a_starter, cast.fiona) for place in (1, 0)]
    assert "run-0" in fiona.decide(ask(cast, *above))
    assert fiona.decide(ask(cast, *above, requested_by=cast.fiona)).startswith("started_the_run: ")


# --- real runs ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """Three runs, the last of which acts for the second, and that for the first. It waits for people."""

    desk: Desk
    first: Run
    second: Run
    third: Run
    fiona: User
    greta: User

    @property
    def request(self) -> ApprovalRequest:
        return ApprovalRequest.objects.select_related("identity").get()

    def give_first_agent_to(self, person: User) -> None:
        AgentIdentity.objects.filter(pk=self.first.identity_id).update(owner=person)

    def is_refunded(self) -> bool:
        self.desk.company.drive(self.third)
        return self.desk.company.world.attempts != []


@pytest.fixture
def line(desk: Desk) -> Line:
    """Fiona, who may approve, owns the first run's agent when the third asks."""
    company = desk.company
    tool = company.add_tool("refund", grant="REQUIRE_APPROVAL").tool
    greta = PersonFactory.create(username="greta")
    for person in (company.cast.fiona, greta):
        company.let_decide(tool, person)
    first = company.start()
    second = desk.start(desk.hire(grants={"refund": {"decision": "ALLOW"}}), parent=first)
    third = desk.start(desk.hire(grants={"refund": {"decision": "ALLOW"}}), parent=second)
    line = Line(desk, first, second, third, company.cast.fiona, greta)
    line.give_first_agent_to(line.fiona)
    company.play(proposes(("refund", ORDER)), says("Done."))
    company.drive(third)
    return line


def test_a_request_keeps_who_had_a_part_further_up_when_it_asked(line: Line) -> None:
    fields = "subject_ref", "identity", "owner", "requested_by", "principal"
    assert list(line.request.parents.values_list(*fields)) == [
        (str(run.pk), run.identity_id, owner, None, run.principal_id)
        for run, owner in ((line.second, line.second.identity.owner_id), (line.first, line.fiona.pk))
    ]


def test_neither_an_end_nor_a_new_owner_frees_anybody(line: Line) -> None:
    """Who owned the agent when it was asked stays involved, whoever owns it now is, too."""
    cast = line.desk.company.cast
    line.desk.company.let_decide(line.request.tool, cast.bob)
    line.give_first_agent_to(cast.bob)
    cancel_run(actor=cast.application.service_account, run=line.first)
    line.desk.company.drive(line.first)
    for person in (line.fiona, cast.bob):
        assert line.request not in ApprovalRequest.objects.decidable_by(person)
        with pytest.raises(PolicyDenied) as refused:
            approve(line.request, person)
        assert refused.value.code == "owns_a_parents_agent"
        assert str(line.first.pk) in refused.value.detail
    approve(line.request, line.greta)
    assert not line.is_refunded(), "its parent has ended"


def test_a_colleague_approves_and_the_call_goes_out(line: Line) -> None:
    approve(line.request, line.greta)
    assert line.is_refunded()


def test_who_became_an_owner_further_up_since_has_approved_nothing(line: Line) -> None:
    approve(line.request, line.greta)
    line.give_first_agent_to(line.greta)
    assert not line.is_refunded()
    assert line.desk.company.states(line.third) == [("refused", "approval_voided")]


# --- mutants -----------------------------------------------------------------------------------------------


def test_without_the_guard_an_owner_further_up_approves(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    line.desk.company.is_mutant = True
    line.give_first_agent_to(line.greta)  # or the gate would hold
    above = "ApprovalParent.objects.filter(request=request)"
    rewrite(monkeypatch, policies, "_find_part", above, "ApprovalParent.objects.none()")
    with pytest.raises(ProgrammingError, match="somebody apart"):  # the database holds by itself
        approve(line.request, line.fiona)
    with unguarded():
        approve(line.request, line.fiona)
    assert line.is_refunded()


def test_without_the_gate_a_new_owner_further_up_has_approved(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    line.desk.company.is_mutant = True
    for name in ("_APPROVED", "CONSUME"):
        rewrite_text(monkeypatch, gate, name, "o.owner_id = u.id", "false")
    approve(line.request, line.greta)
    line.give_first_agent_to(line.greta)
    assert line.is_refunded()

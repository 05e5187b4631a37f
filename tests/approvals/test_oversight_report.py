"""The figures of the oversight report against the rows: each is counted anew here, and each leads to what it counts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from guardian.shortcuts import assign_perm

from approvals import behind
from approvals.behind import read_behind
from approvals.models import ApprovalDecision, ApprovalRequest, SecondLook
from approvals.oversight import read_report
from approvals.second_looks import take_second_look
from identities.models import User
from tests.approvals.test_pace import decide
from tests.approvals.test_second_looks import draw
from tests.cast import Cast
from tests.console.visits import sign_in
from tests.factories import ApprovalRequestFactory, ToolFactory, ToolVersionFactory
from tools.models import ToolVersion

pytestmark = pytest.mark.django_db(transaction=True)

# Of each decision: whose, what, how many weeks ago, for how many seconds it was open, how many words there were.
GIVEN = (
    ("fiona", "approve", 0, 60, 100), ("fiona", "approve", 0, None, 100), ("fiona", "approve", 1, 2, 100),
    ("fiona", "deny", 2, 5, 100), ("bob", "approve", 3, 60, 100), ("bob", "deny", 0, None, None),
)  # fmt: skip
FIGURES = ("decided", "approved", "considered", "unopened", "disagreed")


@pytest.fixture
def version(cast: Cast) -> ToolVersion:
    tool = ToolFactory.create(team=cast.team, name="refund")
    for person in (cast.fiona, cast.bob):
        assign_perm("approve_calls", person, tool)
    made: ToolVersion = ToolVersionFactory.create(tool=tool, irreversible=True)
    return made


@pytest.fixture
def decided(cast: Cast, version: ToolVersion) -> list[ApprovalRequest]:
    """Return what was decided as GIVEN says; the second thing of Fiona's was disagreed with, her first agreed with."""
    made = []
    for who, verdict, weeks, opened_s, to_read in GIVEN:
        at = timezone.now() - timedelta(weeks=weeks, hours=1)
        request = ApprovalRequestFactory.create(
            identity=cast.agent, tool_version=version, created_at=at, decided_at=at,
            state="approved" if verdict == "approve" else "denied",
        )  # fmt: skip
        ApprovalDecision.objects.create(
            request=request, decided_by=getattr(cast, who), verdict=verdict, channel="console",
            digest=request.digest, decided_at=at, opened_s=opened_s, to_read=to_read,
        )  # fmt: skip
        made.append(request)
    rule = draw(cast, second_percent=1)
    for request, agrees in ((made[0], True), (made[1], False)):
        look = SecondLook.objects.create(request=request, rule=rule, drawn_at=timezone.now())
        take_second_look(actor=cast.bob, look=look, agrees=agrees, reason="No receipt.")
    SecondLook.objects.create(request=made[2], rule=rule, drawn_at=timezone.now())
    return made


def test_each_figure_is_what_the_rows_add_up_to(cast: Cast, decided: list[ApprovalRequest]) -> None:
    report = read_report(cast.alice, timezone.now())
    told = {
        row.name: (row.decided, row.approved, row.considered, row.unopened, row.median_s)
        for row in report.people
    }
    assert told == {"fiona": (4, 3, 1, 1, 5), "bob": (2, 1, 1, 0, 60)}
    fiona, bob = report.people
    assert (fiona.approve_rate, fiona.considered_rate, fiona.disagree_rate) == (75.0, 33.3, 50.0)
    assert (bob.approve_rate, bob.disagree_rate) == (50.0, None)
    weeks = [(week.decided, week.approved, week.considered) for _, week in report.weeks]
    assert weeks == [(1, 1, 1), (1, 0, 0), (1, 1, 0), (3, 2, 1)]
    assert (report.open_looks, report.busiest, report.is_cut) == (1, 3, False)


def test_what_nobody_of_the_team_may_see_is_not_counted(cast: Cast, decided: list[ApprovalRequest]) -> None:
    assert read_report(cast.charlie, timezone.now()).people == []
    assert read_behind(cast.charlie, "decided", by="", week="", now=timezone.now()).requests == ()


def links(client: Client) -> Iterator[tuple[str, int]]:
    """Yield each number of the report that leads to rows, with its address."""
    page = client.get(reverse("admin:approvals_oversightrule_report")).content.decode()
    for address, number in re.findall(r'<a href="([^"]*[?&;]said=[^"]*)">([\d,]+)</a>', page):
        yield unescape(address), int(number)


def test_each_number_leads_to_as_many_rows(cast: Cast, decided: list[ApprovalRequest]) -> None:
    client = sign_in(cast.alice)
    found = list(links(client))
    assert {re.findall(r"said=(\w+)", address)[0] for address, _ in found} == set(FIGURES)
    assert len(found) == 4 + 5 + 4 + 4 + 3  # of two people and four weeks, what there is
    for address, number in found:
        page = client.get(address).content.decode()
        assert len(set(re.findall(r'data-request="([^"]+)"', page))) == number, address


def test_the_open_second_looks_lead_to_themselves(cast: Cast, decided: list[ApprovalRequest]) -> None:
    client = sign_in(cast.alice)
    page = client.get(reverse("admin:approvals_oversightrule_report")).content.decode()
    (address,) = re.findall(r'href="([^"]*secondlook/\?[^"]*)"', page)
    rows: Any = client.get(unescape(address)).context
    assert rows["cl"].result_count == 1


def test_mutant_whose_rows_are_not_what_is_counted(
    cast: Cast, decided: list[ApprovalRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(behind.TOLD, "approved", lambda given: True)
    with pytest.raises(AssertionError):
        test_each_number_leads_to_as_many_rows(cast, decided)


def test_a_real_decision_is_one_of_them(cast: Cast, version: ToolVersion) -> None:
    request = ApprovalRequestFactory.create(identity=cast.agent, tool_version=version)
    decide(cast.fiona, request)
    (row,) = read_report(User.objects.get(pk=cast.alice.pk), timezone.now()).people
    assert (row.name, row.decided, row.approved, row.unopened) == ("fiona", 1, 1, 1)

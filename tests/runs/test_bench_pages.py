"""No page asks for more than thirty statements, whoever looks, and none asks for more where there is more to show."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from approvals.models import ApprovalRequest
from identities.models import User
from runs.bench.addresses import list_pages
from runs.bench.pages import ELSEWHERE
from runs.bench.seed import seed_steps, seed_waiting
from runs.models import Run
from tests.console.visits import sign_in
from tests.runs.company import ORDER, Company, proposes

MOST = 30
# What people look at all day; the other pages are left to the suite.
DAILY = ("dashboard", "inbox, narrowed", "review together", "runs, narrowed")
DAILY_OBJECTS = ("one of approval requests", "one of runs", "one of agent identities", "one of tools")


@pytest.fixture
def asking(company: Company) -> tuple[Company, ApprovalRequest, Run]:
    """Have a run that waits for a person."""
    # A slow machine takes longer to visit all pages than people have to decide by default.
    tool = company.add_tool("refund", grant="REQUIRE_APPROVAL", grant_approval_ttl_s=86_400).tool
    company.let_decide(tool)
    run = company.run(proposes(("refund", ORDER)))
    company.is_mutant = True  # the copies of it fit no seal
    return company, ApprovalRequest.objects.get(), run


def people_of(company: Company) -> dict[str, User]:
    """Return who looks: who approves, who may look only, who may all."""
    cast = company.cast
    cast.fiona.groups.add(Group.objects.get(name="approver"))
    cast.bob.groups.add(Group.objects.get(name="auditor"))
    return {"approver": cast.fiona, "auditor": cast.bob, "superuser": cast.ada}


def count(client: Client, address: str) -> int | None:
    """Return how many statements a page takes, None where it is not this person's; what is cached for good aside.

    The least of two visits: now and then one notes that the session is still in use.
    """
    if client.get(address).status_code in ELSEWHERE:
        return None
    taken = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as captured:
            assert client.get(address).status_code == 200, address
        taken.append(len(captured))
    return min(taken)


def find_excesses(client: Client, pages: dict[str, str], grow: Iterator[None]) -> dict[str, object]:
    """Return the pages that take too many statements, or more once there is more to show."""
    few = {name: count(client, address) for name, address in pages.items()}
    next(grow)
    many = {name: count(client, address) for name, address in pages.items()}
    return {
        name: (few[name], many[name])
        for name in pages
        if (few[name] or 0) > MOST or (many[name] or 0) > (few[name] or 0)
    }


def growing(company: Company, request: ApprovalRequest, run: Run) -> Iterator[None]:
    seed_waiting(20, request, run)
    seed_steps(200, company.cast.agent, run)
    yield


def test_daily_pages_stay_within_their_statements(asking: tuple[Company, ApprovalRequest, Run]) -> None:
    company, request, run = asking
    fiona = people_of(company)["approver"]
    known = dict(list_pages(request, run))
    pages = {name: known[name] for name in (*DAILY, *DAILY_OBJECTS)}
    assert find_excesses(sign_in(fiona), pages, growing(*asking)) == {}


@pytest.mark.approvals
@pytest.mark.slow
@pytest.mark.parametrize("who", ["approver", "auditor", "superuser"])
def test_every_page_stays_within_its_statements(
    who: str, asking: tuple[Company, ApprovalRequest, Run]
) -> None:
    company, request, run = asking
    person = people_of(company)[who]
    assert find_excesses(sign_in(person), dict(list_pages(request, run)), growing(*asking)) == {}

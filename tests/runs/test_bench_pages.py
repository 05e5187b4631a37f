"""No page asks for more than thirty statements, whoever looks, and none asks for more where there is more to show."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib.admin import site
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from approvals.models import ApprovalRequest
from identities.models import User
from runs.bench.addresses import list_pages
from runs.bench.pages import ELSEWHERE
from runs.bench.seed import seed_steps, seed_waiting
from runs.models import Run
from tests.browser.stage import HERE, hand_over, hold, run_out, stage, talk
from tests.console.visits import sign_in
from tests.runs import company as companies
from tests.runs.company import ORDER, Company, proposes
from tests.runs.furnishing import furnish, put_batch_together

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
    """Return the pages that take too many statements, or more once there is more to show than a little."""
    next(grow)
    few = {name: count(client, address) for name, address in pages.items()}
    next(grow)
    many = {name: count(client, address) for name, address in pages.items()}
    return {
        name: (few[name], many[name])
        for name in pages
        if (few[name] or 0) > MOST or (many[name] or 0) > (few[name] or 0)
    }


def growing(company: Company, request: ApprovalRequest, run: Run) -> Iterator[None]:
    seed_steps(10, company.cast.agent, run)
    yield
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


# --- what the rarer pages show ------------------------------------------------------------------------------

# Kinds of pages that a list of rows does not lead to, so that leaving one out is noticed.
SPECIAL = {
    "edit a call", "prompt", "ledger entry", "what if", "edit an agent", "try it", "calls of a tool", "import",
    "what a table decides", "batch", "compare", "preflight", "set up",
}  # fmt: skip


@pytest.fixture
def furnished(company: Company, settings: Settings) -> tuple[Company, ApprovalRequest, Run]:
    """Have everything in the house that there is a page about."""
    settings.TOOLS_PYTHON_MODULES = [companies.HERE, HERE]
    stage(company)
    request = ApprovalRequest.objects.filter(
        state="waiting", tool__name="refund", follows__isnull=False
    ).get()
    put_batch_together(company, request)
    furnish(company)
    company.is_mutant = True  # what is furnished belongs to no run
    return company, request, Run.objects.get(pk=request.subject_ref)


def test_every_kind_of_page_is_asked_for(furnished: tuple[Company, ApprovalRequest, Run]) -> None:
    pages = dict(list_pages(*furnished[1:]))
    empty = [model._meta.label for model in site._registry if not model._default_manager.exists()]
    assert not empty
    assert pages.keys() >= SPECIAL
    assert sum(name.startswith("one of ") for name in pages) == len(site._registry)


def furnishing_more(company: Company) -> Iterator[None]:
    yield
    Run.objects.update(wake_at=None)  # or, after that many pages, they would be late, and no other be let in
    for scene in (talk, hand_over, hold, run_out, talk, hand_over):
        scene(company)
    yield


@pytest.mark.console
@pytest.mark.slow
@pytest.mark.parametrize("who", ["approver", "superuser"])
def test_rarer_pages_stay_within_their_statements(
    who: str, furnished: tuple[Company, ApprovalRequest, Run]
) -> None:
    company, request, run = furnished
    pages = dict(list_pages(request, run))
    client = sign_in(people_of(company)[who])
    unseen = {name for name, address in pages.items() if count(client, address) is None}
    assert who != "superuser" or unseen == {"one of mail preferences"}, (
        "those of others are nobody's business"
    )
    assert find_excesses(client, pages, furnishing_more(company)) == {}

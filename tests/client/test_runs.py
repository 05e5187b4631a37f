"""A run, from the outside, through the client, on a real server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection

from agentops import database
from agentops.client import ApiError
from runs.models import Run
from tests.api.conftest import Callers
from tests.api.live import serve_api
from tests.client.cutting import AsyncCutting, Cutting
from tests.client.halves import HALVES, Awaited, Blocking, Half
from tests.runs.company import ORDER, Company, proposes, says

pytestmark = [pytest.mark.slow, pytest.mark.api, pytest.mark.webhooks]

REFUND = ("refund", {**ORDER, "amount": "5.00"})
CUTTING: dict[Any, Any] = {Blocking: Cutting, Awaited: AsyncCutting}
PRINCIPAL = {"issuer": "https://shop.example", "subject": "customer-1"}


@pytest.fixture
def address(transactional_db: None) -> Iterator[str]:
    with serve_api() as address:
        yield address
    connection.close()
    database.close_pool()


class Story:
    """A company with a refund that people decide, and the application's client."""

    def __init__(self, company: Company, callers: Callers, half: Callable[..., Half], address: str) -> None:
        company.let_decide(company.add_tool("refund", grant="REQUIRE_APPROVAL").tool)
        company.publish()
        self.company, self.half, self.address, self.key = company, half, address, callers.app.bearer
        self.client = half(address, callers.app.bearer)

    def start(self, *turns: Any) -> str:
        self.company.play(*turns)
        slug = self.company.cast.agent.slug
        started = self.client.call(
            "start_run", agent=slug, message="Help me.", principal=PRINCIPAL, idempotency_key="once"
        )
        again = self.client.call(
            "start_run", agent=slug, message="Help me.", principal=PRINCIPAL, idempotency_key="once"
        )
        assert again["id"] == started["id"]
        return str(started["id"])

    def drive(self, run: str) -> None:
        self.company.drive(Run.objects.get(pk=run))


@pytest.fixture(params=HALVES, ids=lambda half: half.__name__)
def story(company: Company, callers: Callers, address: str, request: pytest.FixtureRequest) -> Story:
    return Story(company, callers, request.param, address)


def test_a_run_is_followed_over_a_broken_stream_to_its_end(story: Story) -> None:
    run = story.start(proposes(REFUND), says("Done."))
    story.drive(run)
    story.company.decide()
    story.drive(run)
    cut = story.half(story.address, story.key, CUTTING[story.half]())
    events = cut.listed("follow", run)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["kind"] == "run.completed"
    behind = story.client.listed("follow", run, after=len(events) - 1)
    assert [event["kind"] for event in behind] == ["run.completed"]
    assert story.client.listed("follow", run, after=len(events)) == []


def test_waiting_returns_for_an_approval_or_goes_on_over_it(story: Story) -> None:
    run = story.start(proposes(REFUND), says("Done."))
    with pytest.raises(TimeoutError):
        story.client.call("wait", run, timeout_s=0.2)
    story.drive(run)
    waiting = story.client.call("wait", run, returns_on=("approval",), timeout_s=60)
    assert [action["type"] for action in waiting["required_actions"]] == ["approval"]
    with pytest.raises(TimeoutError):
        story.client.call("wait", run, timeout_s=0.2)
    ended: list[Any] = []
    waiter = threading.Thread(target=lambda: ended.append(story.client.call("wait", run, timeout_s=60)))
    waiter.start()
    story.company.decide()
    story.drive(run)
    waiter.join(60)
    assert [(run["state"], run["answer"]) for run in ended] == [("completed", "Done.")]


def test_what_is_refused_says_why(story: Story) -> None:
    with pytest.raises(ApiError) as refused:
        story.client.call("start_run", agent="nobody", message="Help.", principal=PRINCIPAL)
    assert (refused.value.status, refused.value.code) == (404, "unknown_agent")
    with pytest.raises(ApiError) as unknown:
        story.client.listed("follow", "01900000-0000-7000-8000-000000000000")
    assert (unknown.value.status, unknown.value.code) == (404, "unknown_run")

"""Errors of lint keep agents from being published, until a named person overrides them, on the record."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import Error, transaction

from agentops.errors import PolicyDenied, StateConflict, ValidationFailed
from agentops.ledger.models import Entry
from runs.models import AgentVersion
from runs.preflight import versions
from runs.preflight.versions import check_published, check_version
from runs.publishing import publish_version
from tests.api.caller import Caller
from tests.cast import Cast
from tests.console.visits import act, page_of, sign_in, text_of
from tests.factories import ToolVersionFactory
from tests.runs.guardrails import make_whole_version
from tools.models import LintOverride, ToolVersion
from tools.services import override_lint
from tools.services.linting import examine_version, find_blocking

pytestmark = pytest.mark.django_db

FREE = {"type": "object", "properties": {"meta": {"type": "object"}, "nonce": {"type": "string"}}}
TOOL = "tools_tool"


@pytest.fixture
def agent(cast: Cast) -> AgentVersion:
    """Provide a draft that lacks nothing, but for a tool in it that takes any object."""
    agent = make_whole_version(cast)
    first = agent.catalogue.get(tool__name="refund")
    fields: dict[str, Any] = {name: getattr(first, name) for name in ("effect", "idempotency", "statement")}
    wide = ToolVersionFactory.create(
        tool=first.tool, number=first.number + 1, input_schema=FREE, **{**fields, "effect": "reversible"}
    )
    agent.catalogue.remove(first)
    agent.catalogue.add(wide)
    return agent


@pytest.fixture
def wide(agent: AgentVersion) -> ToolVersion:
    found: ToolVersion = agent.catalogue.get(tool__name="refund")
    return found


def codes(agent: AgentVersion) -> list[str]:
    return [finding.code for finding in check_version(agent)]


def test_errors_keep_an_agent_from_being_published_until_somebody_overrides_them(
    cast: Cast, agent: AgentVersion, wide: ToolVersion
) -> None:
    assert codes(agent) == ["lint_errors"]
    with pytest.raises(ValidationFailed, match="any object fits"):
        publish_version(actor=cast.alice, version=agent)

    made = override_lint(actor=cast.alice, version=wide, reason=" The shop takes anything. ")

    assert (made.by, made.reason) == (cast.alice, "The shop takes anything.")
    assert made.findings == [["free_object", "/meta"], ["invented_key", "/nonce"]]
    entry = Entry.objects.get(kind="tool.lint_overridden")
    assert (entry.actor, entry.facts["digest"]) == (cast.alice.pk, wide.digest)
    assert publish_version(actor=cast.alice, version=agent).state == "published"


def test_without_the_guard_the_agent_is_published(
    cast: Cast, agent: AgentVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versions, "find_blocking", lambda version: [])
    assert publish_version(actor=cast.alice, version=agent).state == "published"


def test_what_is_published_goes_on(cast: Cast, agent: AgentVersion) -> None:
    AgentVersion.objects.filter(pk=agent.pk).update(state="published")
    assert check_published(agent) == []


def test_an_override_holds_for_what_was_seen_and_for_this_version(cast: Cast, wide: ToolVersion) -> None:
    override = override_lint(actor=cast.alice, version=wide, reason="So be it.")
    assert find_blocking(wide) == []
    assert any(finding.severity == "error" for finding in examine_version(wide))
    next_one = ToolVersionFactory.create(
        tool=wide.tool, number=wide.number + 1, input_schema=FREE, effect="reversible"
    )
    assert find_blocking(next_one) != []
    LintOverride.objects.create(
        version=next_one, by=cast.alice, reason="A part.", findings=override.findings[:1]
    )
    assert [finding.code for finding in find_blocking(next_one)] == ["invented_key"]


def test_it_is_on_the_record_for_good(cast: Cast, wide: ToolVersion) -> None:
    override = override_lint(actor=cast.alice, version=wide, reason="So be it.")
    for deed in (override.delete, lambda: LintOverride.objects.update(reason="Never.")):
        with pytest.raises(Error, match="on the record"), transaction.atomic():
            deed()


def test_who_may_not_and_what_cannot_be_overridden(cast: Cast, wide: ToolVersion) -> None:
    with pytest.raises(PolicyDenied):
        override_lint(actor=cast.charlie, version=wide, reason="Why not?")
    for reason in ("", "  ", "x" * 501):
        with pytest.raises(ValidationFailed, match="say why"):
            override_lint(actor=cast.alice, version=wide, reason=reason)
    override_lint(actor=cast.alice, version=wide, reason="So be it.")
    with pytest.raises(StateConflict, match="nothing_to_override"):
        override_lint(actor=cast.alice, version=wide, reason="Again.")


def test_a_tool_that_shows_it_beforehand_is_a_preview(cast: Cast) -> None:
    version = ToolVersionFactory.create(tool__team=cast.team, tool__name="pay", irreversible=True)
    assert "no_preview" in [finding.code for finding in examine_version(version)]
    ToolVersionFactory.create(tool__team=cast.other_team, tool__name="preview_pay", effect="read")
    assert "no_preview" in [finding.code for finding in examine_version(version)]
    ToolVersionFactory.create(tool__team=cast.team, tool__name="preview_pay", effect="read")
    assert "no_preview" not in [finding.code for finding in examine_version(version)]


def test_its_page_and_the_api_say_who_has_overridden_what(cast: Cast, wide: ToolVersion) -> None:
    address = page_of(TOOL, "change", wide.tool_id)
    alice, charlie = sign_in(cast.alice), sign_in(cast.charlie)
    assert "keep agents from being published" in text_of(alice.get(address))
    act(charlie, TOOL, "override", wide.tool_id, reason="Why not?")
    assert not LintOverride.objects.exists()

    act(alice, TOOL, "override", wide.tool_id, reason="The shop takes anything.")

    page = text_of(alice.get(address))
    assert "alice has overridden 2 errors" in page
    assert "keep agents from being published" not in page
    answer = Caller(client=sign_in(cast.alice)).get(f"/tools/{wide.tool_id}").body["version"]
    assert [each["by"] for each in answer["lint_overrides"]] == ["alice"]
    assert answer["lint"][0]["severity"] == "error"

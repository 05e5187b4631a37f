"""One list: the console, the API, ``apply`` and the system checks say the same of the same lack."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
import yaml
from django.conf import LazySettings

from agentops.errors import ValidationFailed
from runs.behaviour import behaviour_of
from runs.checks import check_advice, check_preflight
from runs.models import AgentVersion
from runs.preflight import advise_installation, check_installation
from runs.preflight.findings import OUT_OF_SERVICE
from runs.provisioning import apply_document
from runs.publishing import publish_version
from tests.api.caller import Caller
from tests.cast import Cast
from tests.console.visits import Page, page_of, sign_in, text_of
from tests.runs.guardrails import SPOILED, agents, change, lack_nothing, lose_fiona, make_whole_version

pytestmark = [pytest.mark.console, pytest.mark.slow]

Said = list[tuple[str, str, str, str]]  # code, subject, problem, remedy
# A document has no words for these: what it leaves out has its default.
UNSPEAKABLE = {"no_budget", "no_expiry", "no_loop_detection"}
PREFLIGHT = "/admin/runs/agentversion/preflight/"


@pytest.fixture
def version(cast: Cast) -> AgentVersion:
    return make_whole_version(cast)


def said(findings: Iterable[Any]) -> Said:  # Any: a Finding, or one as JSON
    rows = [f if isinstance(f, dict) else {name: getattr(f, name) for name in f.__slots__} for f in findings]
    return [(row["code"], row["subject"], row["problem"], row["remedy"]) for row in rows]


def shown(page: Page) -> Said:
    """Return what the page lists, once a person can read all of it."""
    listed, text = said(page.context["findings"]), text_of(page)
    assert all(word in text for finding in listed for word in finding)
    return listed


def answered(cast: Cast, person: str, path: str) -> Said:
    return said(Caller(client=sign_in(getattr(cast, person))).get(path).body["findings"])


def applied(cast: Cast, version: AgentVersion) -> Said:
    """Publish the version through a document, as drafted; return what stands against it."""
    behaviour = behaviour_of(version)
    AgentVersion.objects.filter(pk=version.pk).update(digest=behaviour.digest())
    entry: dict[str, Any] = {
        "instructions": behaviour.instructions,
        "model": behaviour.model,
        "catalogue": [tool_version.tool.name for tool_version in behaviour.catalogue],
    }
    if behaviour.principal_source:
        entry["principal_source"] = behaviour.principal_source
    document = {"format": "agentops/1", "versions": {version.identity.slug: entry}}
    with pytest.raises(ValidationFailed, match="preflight_failed") as refusal:
        apply_document(actor=cast.ada, text=yaml.safe_dump(document))
    return said(refusal.value.problems)


def published(cast: Cast, version: AgentVersion) -> Said:
    with pytest.raises(ValidationFailed, match="preflight_failed") as refusal:
        publish_version(actor=cast.ada, version=version)
    return said(refusal.value.problems)


def checked() -> Said:
    return [(str(m.id).removeprefix("agentops."), m.obj, m.msg, str(m.hint)) for m in check_preflight(None)]


@pytest.mark.parametrize(("spoil", "code"), SPOILED)
def test_everybody_is_told_the_same(
    cast: Cast, version: AgentVersion, settings: LazySettings, spoil: Callable[[Cast], None], code: str
) -> None:
    spoil(cast)
    version = AgentVersion.objects.select_related("identity").get(pk=version.pk)
    page, path = page_of("runs_agentversion", "change", version.pk), f"/agents/{cast.agent.pk}/preflight"

    draft = shown(sign_in(cast.bob).get(page))
    assert [finding[0] for finding in draft] == [code]
    assert answered(cast, "bob", path) == draft
    assert (published if code in UNSPEAKABLE else applied)(cast, version) == draft

    AgentVersion.objects.filter(pk=version.pk).update(state="published")
    assert shown(sign_in(cast.bob).get(page)) == draft
    lack_nothing(settings)
    expected = [] if code in OUT_OF_SERVICE else [(code, f"{version}: {draft[0][1]}", *draft[0][2:])]
    assert checked() == expected


@pytest.mark.parametrize("spoil", [lambda cast: None, lose_fiona])
def test_the_installation_is_shown_as_it_is_checked(
    cast: Cast, version: AgentVersion, settings: LazySettings, spoil: Callable[[Cast], None]
) -> None:
    lack_nothing(settings)
    settings.AGENTOPS_DIGEST_KEY, settings.DEBUG, settings.ALLOWED_HOSTS = "short", True, ["*"]
    AgentVersion.objects.filter(pk=version.pk).update(state="published")
    spoil(cast)

    found = said(check_installation())
    assert len(found) >= 3
    assert (
        shown(sign_in(cast.ada).get(PREFLIGHT)) == answered(cast, "ada", "/preflight") == checked() == found
    )


def test_advice_for_the_installation_is_the_same_everywhere(cast: Cast, settings: LazySettings) -> None:
    lack_nothing(settings)
    settings.ALLOWED_HOSTS = ["*"]
    settings.MCP_COMMANDS = {"time": {"line": ["mcp-server-time"], "sandbox": False}}
    page, ada = sign_in(cast.ada).get(PREFLIGHT), Caller(client=sign_in(cast.ada))
    told = said(advise_installation())
    assert [each[0] for each in told] == ["no_sandbox_wanted"]
    assert said(page.context["advice"]) == said(ada.get("/preflight").body["advice"]) == told
    assert all(word in text_of(page) for each in told for word in each)
    warned = [(str(m.id).removeprefix("agentops."), m.obj, m.msg, str(m.hint)) for m in check_advice(None)]
    assert warned == told


def test_only_superusers_see_the_installation(cast: Cast) -> None:
    for person in (cast.alice, cast.bob, cast.charlie):
        client = sign_in(person)
        assert client.get(PREFLIGHT).status_code == 403
        assert PREFLIGHT not in client.get("/admin/").content.decode()
        assert Caller(client=client).get("/preflight").code == "superusers_only"
    assert PREFLIGHT in sign_in(cast.ada).get("/admin/").content.decode()


def test_the_page_of_an_agent_says_what_its_published_version_lacks(
    cast: Cast, version: AgentVersion
) -> None:
    page = page_of("identities_agentidentity", "change", cast.agent.pk)
    AgentVersion.objects.filter(pk=version.pk).update(state="published")
    assert "lacks" not in text_of(sign_in(cast.bob).get(page))

    change(agents, state="suspended")(cast)
    lose_fiona(cast)
    text = text_of(sign_in(cast.bob).get(page))
    assert "What v1 lacks by now:" in text
    assert "there is nobody who could give it no_approver" in text


def test_what_is_retired_lacks_nothing_any_more(cast: Cast, version: AgentVersion) -> None:
    AgentVersion.objects.filter(pk=version.pk).update(state="published")
    AgentVersion.objects.filter(pk=version.pk).update(state="retired")
    lose_fiona(cast)

    page = sign_in(cast.bob).get(page_of("runs_agentversion", "change", version.pk))
    assert shown(page) == []
    assert "lacks" not in text_of(page)


def test_the_rail_marks_one_place(cast: Cast) -> None:
    page = sign_in(cast.ada).get(PREFLIGHT).content.decode()
    assert page.count('aria-current="page"') == 1
    assert f'<a href="{PREFLIGHT}" aria-current="page">' in page

"""Servers of tools over the API: the console's verbs, and no more than those."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from identities.models import ApiKey, ChangeProposal
from tests.api.caller import Answer, Caller
from tests.api.conftest import Callers
from tests.api.interface import INTERFACE
from tests.cast import Cast
from tests.ledger import kinds_of
from tools.models import Tool, ToolServer, ToolVersion

MODULE = "tests.tools.functions.shop"
Body = dict[str, Any]  # Any: JSON


@pytest.fixture(autouse=True)
def allowed(callers: Callers, settings: Any) -> None:  # Any: pytest-django's
    """Let the module be named, and everybody be within their key's window."""
    settings.TOOLS_PYTHON_MODULES = [MODULE]
    ApiKey.objects.update(verified_until=timezone.now() + timedelta(minutes=1))


def name_server(caller: Caller, team: str = "support", key: str = "name", **more: str) -> Answer:
    body = {"team": team, "slug": "shelf", "transport": "python", "module": MODULE, **more}
    return caller.post("/tool-servers", body, key=key)


@pytest.fixture
def server(callers: Callers) -> str:
    """Provide the id of a server that was named and asked."""
    made = name_server(callers.alice)
    assert made.status == 201, made.content
    path: str = made.body["id"]
    asked = callers.alice.post(f"/tool-servers/{path}/refresh", {})
    assert (asked.status, asked.body["trouble"]) == (200, "")
    return path


def listed(caller: Caller, server: str) -> dict[str, Body]:
    return {row["name"]: row for row in caller.get(f"/tool-servers/{server}/tools").body["data"]}


def take_over(caller: Caller, server: str, row: Body, key: str = "take", **more: object) -> Answer:
    body = {"digest": row["digest"], "name": "look", "effect": "read", "statement": "look", **more}
    return caller.post(f"/tool-servers/{server}/tools/{row['id']}/import", body, key=key)


def usable(caller: Caller, server: str) -> Body:
    return next(row for row in listed(caller, server).values() if not row["faults"])


def test_a_tool_is_taken_over_of_what_was_looked_at(callers: Callers, server: str) -> None:
    row = usable(callers.alice, server)
    assert (row["tool"], row["accepted"], row["is_changed"]) == (None, None, False)
    made = take_over(callers.alice, server, row)
    assert made.status == 201, made.content
    assert made.headers["Location"].endswith(f"/tools/{made.body['id']}")
    assert (made.body["name"], made.body["version"]["effect"]) == ("look", "read")
    again = listed(callers.alice, server)[row["name"]]
    assert (again["tool"], again["accepted"]) == (made.body["id"], row["described"])
    assert kinds_of(ToolServer.objects.get().pk)[-1] == "server.tool_imported"


def test_repeated_with_its_key_it_is_taken_over_once(callers: Callers, server: str) -> None:
    row = usable(callers.alice, server)
    first, second = (take_over(callers.alice, server, row) for _ in range(2))
    assert (first.status, second.status, first.body) == (201, 201, second.body)
    assert ToolVersion.objects.count() == 1


def test_what_has_changed_since_is_looked_at_again(callers: Callers, server: str) -> None:
    row = usable(callers.alice, server)
    refused = take_over(callers.alice, server, {**row, "digest": "0" * 64})
    assert (refused.status, refused.code) == (409, "definition_changed")
    assert not Tool.objects.exists()


def test_what_cannot_be_taken_over_says_why(callers: Callers, server: str) -> None:
    rows = [row for row in listed(callers.alice, server).values() if row["faults"]]
    assert rows, "the module has functions that cannot be described"
    refused = take_over(callers.alice, server, {**rows[0], "digest": rows[0]["digest"] or "0" * 64})
    assert refused.status in (409, 422)


def test_what_takes_two_is_proposed(governed: Cast, callers: Callers, server: str) -> None:
    """A first version of a tool is nobody's yet; one that is said to do less harm than before takes two."""
    row = usable(callers.alice, server)
    assert take_over(callers.alice, server, row, effect="irreversible").status == 201
    answer = take_over(callers.alice, server, row, key="again")
    proposal = ChangeProposal.objects.get()
    assert (answer.status, answer.body["id"]) == (202, str(proposal.pk))
    assert answer.headers["Location"].endswith(f"/proposals/{proposal.pk}")
    assert ToolVersion.objects.get().effect == "irreversible"


def test_without_a_fresh_factor_nothing_is_done(callers: Callers, server: str) -> None:
    row = usable(callers.alice, server)
    ApiKey.objects.update(verified_until=None)
    for answer in (
        name_server(callers.alice, key="more", slug="other"),
        callers.alice.post(f"/tool-servers/{server}/refresh", {}),
        take_over(callers.alice, server, row),
        callers.alice.post(f"/tool-servers/{server}/retire", {"reason": "No."}, key="end"),
    ):
        assert answer.code == "second_factor_required"


@pytest.mark.parametrize("who", ["app", "bob", "fiona", "charlie"])
def test_who_may_not_define_tools_names_asks_and_imports_nothing(
    callers: Callers, server: str, who: str
) -> None:
    caller, row = getattr(callers, who), usable(callers.alice, server)
    assert name_server(caller, slug="other").status in (403, 404)
    assert caller.post(f"/tool-servers/{server}/refresh", {}).status in (403, 404)
    assert take_over(caller, server, row).status in (403, 404)
    assert caller.post(f"/tool-servers/{server}/retire", {"reason": "No."}, key="end").status in (403, 404)
    assert not Tool.objects.exists()
    assert ToolServer.objects.get().state == "active"


def test_a_server_that_must_not_be_reached_is_refused(callers: Callers) -> None:
    refused = name_server(callers.alice, module="os")
    assert (refused.status, refused.code) == (422, "invalid_server")
    unknown = name_server(callers.alice, team="nobody")
    assert unknown.status == 404


def test_a_retired_one_is_asked_nothing_more(callers: Callers, server: str) -> None:
    made = take_over(callers.alice, server, usable(callers.alice, server))
    ended = callers.alice.post(f"/tool-servers/{server}/retire", {"reason": "Gone."}, key="end")
    assert (ended.status, ended.body["state"]) == (200, "retired")
    assert callers.alice.get(f"/tools/{made.body['id']}").body["state"] == "retired"
    assert callers.alice.post(f"/tool-servers/{server}/refresh", {}).code == "server_retired"


def test_the_document_of_an_interface_is_brought(callers: Callers) -> None:
    made = name_server(callers.alice, transport="openapi", module="")
    path = f"/tool-servers/{made.body['id']}"
    assert callers.alice.post(f"{path}/refresh", {}).code == "no_document"
    broken = callers.alice.post(f"{path}/refresh", {"document": "{}"})
    assert (broken.status, broken.code) == (422, "invalid_document")
    read = callers.alice.post(f"{path}/refresh", {"document": INTERFACE})
    assert (read.status, read.body["url"]) == (200, "https://shop.example/api"), read.content
    assert list(listed(callers.alice, made.body["id"])) == ["GET /orders/{id}"]


def test_another_teams_servers_are_not_there(callers: Callers, server: str) -> None:
    for caller in (callers.charlie, callers.app):
        assert caller.get(f"/tool-servers/{server}").status == 404
        assert caller.get(f"/tool-servers/{server}/tools").status == 404
        assert caller.get("/tool-servers").body["data"] == []

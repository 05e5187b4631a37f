"""Identity admins through the API: agents, applications, keys and key sets, by the verbs of the console."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.utils import timezone
from joserfc.jwk import ECKey

from agentops.api.models import IdempotentAnswer
from agentops.ledger.models import Entry
from identities.api import keys as key_views
from identities.models import AgentIdentity, ApiKey, Credential
from tests.api.caller import Answer, Caller, caller_of
from tests.api.conftest import Callers
from tests.cast import Cast
from tests.identities.test_roles import with_role
from tests.ledger import kinds_of, last_entry
from tests.oauth.clients import API
from tests.oauth.clients import Caller as OAuthClient
from tests.oauth.conftest import _forgetful_process
from tests.verbs import key_of, key_set_of

__all__ = ["_forgetful_process"]


@pytest.fixture
def rosa(cast: Cast) -> Caller:
    """An identity admin of the team, within her key's window."""
    caller = caller_of(cast, with_role(cast, "identity admin"))
    ApiKey.objects.update(verified_until=timezone.now() + timedelta(minutes=1))
    return caller


def new_agent(cast: Cast, caller: Caller, *, key: str = "", **changes: Any) -> Answer:  # Any: JSON
    body = {
        "team": cast.team.slug, "slug": "returns", "name": "Returns", "purpose": "Take things back.",
        "owner": "alice", **changes,
    }  # fmt: skip
    return caller.post("/agents", body, key=key)


def make_key() -> dict[str, object]:
    return {**ECKey.generate_key("P-256").as_dict(private=True)}


def test_an_agent_is_made_as_a_draft_and_acts_once_activated(cast: Cast, rosa: Caller) -> None:
    made, again = (new_agent(cast, rosa, key="once", sponsor="bob") for _ in range(2))
    assert (made.status, made.body["state"], made.body["sponsor"]) == (201, "draft", "bob")
    assert (again.body, again.headers["Idempotent-Replayed"]) == (made.body, "true")
    assert rosa.get(made.headers["Location"]).body == made.body
    assert last_entry(UUID(made.body["id"])).kind == "agent.created"
    assert rosa.post(f"/agents/{made.body['id']}/activate", {}).body["state"] == "active"
    assert new_agent(cast, rosa).status == 409, "a name is taken once"


def test_what_is_left_out_of_a_change_stays(cast: Cast, rosa: Caller) -> None:
    end = (timezone.now() + timedelta(days=30)).replace(microsecond=0)
    place = f"/agents/{cast.agent.pk}/update"
    assert rosa.post(place, {"sponsor": "bob", "expires_at": end.isoformat()}).status == 200
    before = AgentIdentity.objects.get(pk=cast.agent.pk)
    assert (before.sponsor, before.ends_at, before.name) == (cast.bob, end, cast.agent.name)
    changed = rosa.post(place, {"purpose": "Less."}).body
    after = AgentIdentity.objects.get(pk=cast.agent.pk)
    assert (changed["purpose"], after.purpose) == ("Less.", "Less.")
    assert (after.sponsor, after.ends_at, after.owner) == (cast.bob, end, cast.agent.owner)
    assert rosa.post(place, {"owner": "bob"}).code == "validation_failed"
    assert rosa.post(place, {"sponsor": "charlie"}).code == "unknown_person"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"team": "other"}, "unknown_team"),
        ({"owner": "charlie"}, "unknown_person"),
        ({"sponsor": "nobody"}, "unknown_person"),
        ({"sponsor": "alice"}, "sponsor_is_owner"),
        ({"state": "active"}, "validation_failed"),
    ],
)
def test_an_agent_that_is_wrong_is_refused(
    cast: Cast,
    rosa: Caller,
    change: dict[str, Any],
    code: str,  # Any: as above
) -> None:
    assert new_agent(cast, rosa, **change).code == code
    assert not AgentIdentity.objects.filter(slug="returns").exists()


def test_an_application_is_made_gets_a_key_and_starts_an_agent(cast: Cast, rosa: Caller) -> None:
    body = {"team": cast.team.slug, "slug": "till", "name": "Till", "may_assert_users": True}
    made = rosa.post("/applications", body)
    assert (made.status, made.body["state"], made.body["may_assert_users"]) == (201, "active", True)
    place = made.headers["Location"]
    assert rosa.get(place).body == made.body
    assert made.body in rosa.get("/applications?limit=1&slug=till").body["data"]
    issued = rosa.post(f"{place}/keys", {"label": "at the counter"})
    till = Caller(issued.body["key"])
    assert till.get("/agents").body["data"] == []
    right = {"agent": str(cast.agent.pk)}
    assert rosa.post(f"{place}/allow-start", right).body == {**right, "may_start": True}
    assert [row["id"] for row in till.get("/agents").body["data"]] == [str(cast.agent.pk)]
    assert rosa.post(f"{place}/forbid-start", right).body == {**right, "may_start": False}
    assert till.get("/agents").body["data"] == []
    (listed,) = rosa.get(f"{place}/keys").body["data"]
    assert (listed["state"], "key" in listed) == ("active", False)
    ended = rosa.post(f"{place}/keys/{listed['id']}/revoke")
    assert (ended.body["state"], till.get("/agents").status) == ("revoked", 401)
    closed = rosa.post(f"{place}/revoke", {"reason": "Sold."})
    assert (closed.body["state"], rosa.post(f"{place}/revoke", {"reason": "Sold."}).status) == (
        "revoked",
        409,
    )
    assert rosa.post(f"{place}/keys", {"label": "again"}).code == "account_closed"


def token_status(cast: Cast, secret: str) -> int:
    client = OAuthClient(cast.application.service_account, secret)
    return client.post(grant_type="client_credentials", audience=API).status_code


def test_a_key_set_is_given_followed_and_ended(cast: Cast, rosa: Caller) -> None:
    first = rosa.post("/key-sets", {"application": str(cast.application.pk)})
    assert (first.status, first.body["generation"], first.body["method"]) == (201, 1, "client_secret")
    assert token_status(cast, first.body["secret"]) == 200
    public = {name: value for name, value in make_key().items() if name != "d"}
    second = rosa.post("/key-sets", {"application": str(cast.application.pk), "public_key": public}).body
    assert (second["generation"], second["method"], second["secret"]) == (2, "private_key_jwt", None)
    shown = rosa.get("/key-sets?application=" + str(cast.application.pk)).body["data"]
    assert [(row["generation"], row["state"]) for row in shown] == [(2, "current"), (1, "replaced")]
    assert not any("secret" in row for row in shown)
    ended = rosa.post(f"/key-sets/{first.body['id']}/revoke").body
    assert (ended["state"], rosa.get(f"/key-sets/{ended['id']}").body["state"]) == ("revoked", "revoked")
    assert token_status(cast, first.body["secret"]) == 401
    assert "credential.revoked" in kinds_of(cast.application.pk)


@pytest.mark.parametrize(
    ("owner", "body", "code"),
    [
        ("agent", {"public_key": make_key()}, "unusable_key"),  # a private one
        ("agent", {"public_key": {"kty": "oct", "k": "AAAA"}}, "unusable_key"),
        ("agent", {"public_key": {"kty": "EC"}}, "unusable_key"),
        ("agent", {"expires_at": "2020-01-01T00:00:00Z"}, "invalid_expiry"),
        ("neither", {}, "validation_failed"),
        ("both", {}, "validation_failed"),
    ],
)
def test_a_key_set_that_is_wrong_is_refused(
    cast: Cast, rosa: Caller, owner: str, body: dict[str, object], code: str
) -> None:
    whose = {"agent": str(cast.agent.pk), "application": str(cast.application.pk)}
    chosen = {name: pk for name, pk in whose.items() if owner in (name, "both")}
    refused = rosa.post("/key-sets", {**chosen, **body})
    assert refused.code == code
    assert str(body.get("public_key", {}).get("d", "…")) not in refused.content.decode()  # type: ignore[attr-defined]  # a mapping
    assert not Credential.objects.filter(owner=cast.agent.service_account).exists()


SECRETS: dict[str, Callable[[Cast], tuple[str, object]]] = {
    "key": lambda cast: (f"/applications/{cast.application.pk}/keys", {"label": "till"}),
    "secret": lambda cast: ("/key-sets", {"application": str(cast.application.pk)}),
}


@pytest.mark.parametrize("member", SECRETS)
def test_a_secret_is_shown_once_and_kept_nowhere(cast: Cast, rosa: Caller, member: str) -> None:
    path, body = SECRETS[member](cast)
    first, again = (rosa.post(path, body, key="once") for _ in range(2))
    assert len(first.body[member]) > 40
    assert again.body == {**first.body, member: None}
    kept = json.dumps([row.body for row in IdempotentAnswer.objects.all()])
    assert (first.body["id"] in kept, first.body[member] in kept) == (True, False)


def test_without_hiding_it_the_secret_would_be_kept(
    cast: Cast, rosa: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_views, "_without_secret", lambda body: body)
    path, body = SECRETS["key"](cast)
    first, again = (rosa.post(path, body, key="once") for _ in range(2))
    assert again.body["key"] == first.body["key"], "this is what the test above finds"


def attempts(cast: Cast) -> dict[str, tuple[str, object]]:
    """Return every write, sound in itself."""
    application, agent = str(cast.application.pk), str(cast.agent.pk)
    key, key_set = key_of(cast), key_set_of(cast)
    place = f"/applications/{application}"
    return {
        "agent": ("/agents", {"team": cast.team.slug, "slug": "x", "name": "X", "purpose": "X.", "owner": "alice"}),
        "application": ("/applications", {"team": cast.team.slug, "slug": "x", "name": "X"}),
        "change": (f"/agents/{agent}/update", {"purpose": "All."}),
        "trust": (f"{place}/update", {"may_assert_users": True}),
        "revoke": (f"{place}/revoke", {"reason": "So."}),
        "allow": (f"{place}/allow-start", {"agent": agent}),
        "forbid": (f"{place}/forbid-start", {"agent": agent}),
        "issue": (f"{place}/keys", {"label": "x"}),
        "end": (f"{place}/keys/{key.pk}/revoke", None),
        "key set": ("/key-sets", {"agent": agent}),
        "generation": (f"/key-sets/{key_set.pk}/revoke", None),
    }  # fmt: skip


def test_nobody_else_does_any_of_it(cast: Cast, callers: Callers) -> None:
    tried = attempts(cast)
    before = Entry.objects.count()
    for name, (path, body) in tried.items():
        assert callers.stranger.post(path, body).status == 401, name
        assert callers.bob.post(path, body).code == "not_permitted", name
        assert {who.post(path, body).status for who in (callers.charlie, callers.app)} <= {403, 404}, name
    assert Entry.objects.count() == before


def test_who_is_not_there_gives_and_ends_nothing(cast: Cast, rosa: Caller) -> None:
    tried = attempts(cast)
    ApiKey.objects.update(verified_until=None)
    told = {name: rosa.post(path, body) for name, (path, body) in tried.items()}
    done = {name for name, answer in told.items() if answer.status < 300}
    assert done == {"agent", "application"}, "drafts: a factor is asked for once they get something"
    assert {told[name].code for name in told.keys() - done} == {"second_factor_required"}


def test_another_teams_clients_look_like_none(cast: Cast, callers: Callers) -> None:
    place = f"/applications/{cast.application.pk}"
    for path in (place, f"{place}/keys", f"/key-sets/{key_set_of(cast).pk}"):
        theirs, nobodys = (
            callers.charlie.get(path),
            callers.charlie.get(re.sub(r"[0-9a-f-]{36}", str(uuid4()), path)),
        )
        assert (theirs.status, theirs.code) == (nobodys.status, nobodys.code) == (404, theirs.code)
    for path in ("/applications", "/key-sets", f"/key-sets?agent={cast.agent.pk}"):
        assert callers.charlie.get(path).body["data"] == []

"""A credential is leased for one attempt, by who has a right to it, and ended after it whatever happens."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar
from typing import cast as cast_type

import pytest
from django.conf import LazySettings
from django.utils import timezone

from agentops.errors import ValidationFailed
from identities.models import Secret, SecretLease
from identities.services import replace_secret, retire_secret
from tests.cast import Cast
from tests.console.visits import sign_in, text_of
from tests.factories import AgentFactory
from tests.identities.secrets import VALUE, make_secret
from tests.ledger import kinds_of
from tests.tools.credentials import functions
from tests.tools.credentials.leased import assessed, carry_out, leased_call, let_time_pass, states
from tests.tools.rude_server import RudeServer, rude_server
from tools.adapters import get_adapter
from tools.adapters.http import HttpAdapter
from tools.calls import Call
from tools.catalogue import read_spec
from tools.credentials import leasing
from tools.credentials.leasing import sweep_leases
from tools.credentials.providers import CredentialTrouble, LeaseTerms, OpenSecret, Released
from tools.credentials.providers.static import StaticProvider
from tools.execution import adapter_options
from tools.models import ToolGrant, ToolVersion
from tools.services.catalogue import add_version
from tools.services.definition import definition_of

HERE = "tests.tools.credentials.functions"
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def server() -> Iterator[RudeServer]:
    with rude_server() as server:
        yield server
        cast_type(HttpAdapter, get_adapter("http", adapter_options())).close()


@pytest.fixture(autouse=True)
def _functions(settings: LazySettings) -> None:
    settings.TOOLS_PYTHON_MODULES = [HERE]
    functions.GIVEN.clear()


def post(server: RudeServer, path: str = "/ok") -> dict[str, Any]:
    return {"method": "POST", "url": server.url + path, "allow_private": True}


class Stubborn(StaticProvider):
    """A provider whose leases have to be ended, and cannot be until it gives in."""

    gives_in = False

    def handle_of(self, lease_id: object) -> str:
        return "a-name-upstream"

    def end(self, secret: OpenSecret, handle: str) -> None:
        if not self.gives_in:
            raise CredentialTrouble("credential_unavailable", "it would not")


@pytest.fixture
def stubborn(monkeypatch: pytest.MonkeyPatch) -> Stubborn:
    provider = Stubborn()
    monkeypatch.setattr(leasing, "get_provider", lambda kind: provider)
    return provider


# --- released for one attempt -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "header", "value"),
    [
        ({}, "authorization", f"Bearer {VALUE}"),
        ({"header": "X-Api-Key", "scheme": ""}, "x-api-key", VALUE),
        ({"scheme": "Token"}, "authorization", f"Token {VALUE}"),
    ],
)
def test_the_target_gets_it_in_the_header_of_the_secret(
    cast: Cast, server: RudeServer, where: dict[str, str], header: str, value: str
) -> None:
    secret = make_secret(cast, settings=where)
    call = leased_call(cast, post(server), secret)

    assert carry_out(call).status == "succeeded"
    assert server.seen[0].headers[header] == value
    lease = SecretLease.objects.get()
    assert (lease.state, lease.call_key, lease.run_id, lease.tool_id) == (
        "ended",
        call.key,
        call.run_id,
        call.spec.tool_id,
    )
    assert (lease.expires_at - lease.issued_at).total_seconds() <= 300
    secret.refresh_from_db()
    assert secret.last_used_at is not None


def test_a_replaced_value_is_what_the_next_call_gets(cast: Cast, server: RudeServer) -> None:
    secret = make_secret(cast)
    call = leased_call(cast, post(server), secret)
    replace_secret(actor=cast.alice, secret=secret, value="another-value")
    carry_out(call)

    assert server.seen[0].headers["authorization"] == "Bearer another-value"


def test_a_function_gets_it_only_if_it_asks(cast: Cast) -> None:
    used = carry_out(leased_call(cast, {"function": f"{HERE}:use"}, adapter="python"))
    looked = carry_out(
        leased_call(cast, {"function": f"{HERE}:look"}, make_secret(cast, slug="other"), adapter="python")
    )

    assert functions.GIVEN[0] == VALUE
    assert (used.value, looked.value) == ({"used": "[credential]"}, "looked")
    assert VALUE not in repr(functions.GIVEN[1])


def test_what_is_taken_back_while_it_is_issued_is_ended_and_not_used(
    cast: Cast, server: RudeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(StaticProvider):
        done: ClassVar[list[str]] = []

        def handle_of(self, lease_id: object) -> str:
            return "a-name-upstream"

        def issue(self, secret: OpenSecret, lease: LeaseTerms) -> Released:
            assert leasing.end_leases("%(value)s = ''", "") == 1
            self.done.append("issued")
            return super().issue(secret, lease)

        def end(self, secret: OpenSecret, handle: str) -> None:
            self.done.append("ended")

    provider = Interrupted()
    monkeypatch.setattr(leasing, "get_provider", lambda kind: provider)
    outcome = carry_out(leased_call(cast, post(server)))

    assert (outcome.status, outcome.code) == ("failed", "credential_unavailable")
    assert (provider.done, states(), server.seen) == (["ended", "issued", "ended"], ["ended"], [])


# --- who may have it --------------------------------------------------------------------------------------


def retire(cast: Cast, secret: Secret) -> None:
    retire_secret(actor=cast.alice, secret=secret)


def let_expire(cast: Cast, secret: Secret) -> None:
    Secret.objects.update(expires_at="2020-01-01T00:00Z")


def take_the_grant(cast: Cast, secret: Secret) -> None:
    ToolGrant.objects.update(state="revoked")


def suspend(cast: Cast, secret: Secret) -> None:
    type(cast.agent).objects.update(state="suspended")


@pytest.mark.parametrize("spoil", [retire, let_expire, take_the_grant, suspend])
def test_what_changed_since_the_permit_counts(
    cast: Cast, server: RudeServer, spoil: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = make_secret(cast)
    call = leased_call(cast, post(server), secret)
    spoil(cast, secret)
    outcome = leasing.with_credential(call, lambda call: pytest.fail("released"))

    assert (outcome.status, outcome.code) == ("failed", "credential_unavailable")
    assert states() == []


def refused(call: Call, *, asking: bool) -> str:
    """Return the code with which no credential is released."""
    return leasing.with_credential(call, lambda call: pytest.fail("released"), asking=asking).code


@pytest.mark.parametrize("asking", [False, True])
def test_another_teams_secret_is_out_of_reach(cast: Cast, server: RudeServer, asking: bool) -> None:
    call = leased_call(cast, post(server))
    foreign = AgentFactory.create(team=cast.other_team)
    make_secret(replace(cast, team=cast.other_team, alice=cast.ada), slug="theirs")
    theirs = replace(call.spec, config={**call.spec.config, "credential": "theirs"})

    assert refused(replace(call, identity_id=foreign.pk), asking=asking) == "credential_unavailable"
    assert refused(replace(call, spec=theirs), asking=asking) == "credential_unavailable"


@pytest.mark.parametrize("slug", ["theirs", "none", 5, ""])
def test_a_version_names_a_secret_of_its_own_team(cast: Cast, server: RudeServer, slug: object) -> None:
    make_secret(replace(cast, team=cast.other_team, alice=cast.ada), slug="theirs")
    version = ToolVersion.objects.get(pk=leased_call(cast, post(server)).spec.id)
    definition = replace(definition_of(version), config={**post(server), "credential": slug})
    with pytest.raises(ValidationFailed, match="name as credential"):
        add_version(actor=cast.ada, tool=version.tool, definition=definition)


@pytest.mark.parametrize("change", [{"timeout_s": 280.0}, {"config": {"credential": "role"}}])
def test_a_version_that_could_not_use_it_is_refused(
    cast: Cast, server: RudeServer, change: dict[str, Any]
) -> None:
    made = leased_call(cast, post(server))
    settings = {"host": "h", "database": "d", "user": "u", "inherits": "r"}
    make_secret(cast, slug="role", provider="postgres", settings=settings)
    version = ToolVersion.objects.get(pk=made.spec.id)
    changed = {**change, "config": {**version.config, **change.get("config", {})}}
    with pytest.raises(ValidationFailed, match=r"a credential is leased|in a header"):
        add_version(actor=cast.ada, tool=version.tool, definition=replace(definition_of(version), **changed))


def test_an_approval_is_bound_to_the_credential(cast: Cast, server: RudeServer) -> None:
    call = leased_call(cast, post(server))
    make_secret(cast, slug="other")
    version = ToolVersion.objects.get(pk=call.spec.id)
    config = {**version.config, "credential": "other"}
    other = add_version(
        actor=cast.ada, tool=version.tool, definition=replace(definition_of(version), config=config)
    )

    assert assessed(call).digest != assessed(replace(call, spec=read_spec(other.pk))).digest


# --- whatever happens -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/complain/500", "/complain/403", "/drop", "/garbled", "/redirect/307", "/echo"]
)
def test_it_is_ended_and_not_told_however_the_call_went(cast: Cast, server: RudeServer, path: str) -> None:
    outcome = carry_out(leased_call(cast, post(server, path)))

    assert states() == ["ended"]
    assert server.seen[0].headers["authorization"] == f"Bearer {VALUE}"
    assert VALUE not in json.dumps([outcome.code, outcome.detail, outcome.value])
    assert VALUE.encode().hex() not in outcome.detail


def test_an_adapter_that_raises_does_not_tell_it_to_the_log(
    cast: Cast, server: RudeServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def burst(_: object, call: Any, **__: object) -> None:
        raise RuntimeError(f"refused {call.credential.reveal()}")

    monkeypatch.setattr(HttpAdapter, "invoke", burst)
    outcome = carry_out(leased_call(cast, post(server)))

    assert (outcome.status, outcome.code, states()) == ("unknown", "tool_error", ["ended"])
    assert "refused [credential]" in caplog.text
    assert VALUE not in caplog.text + outcome.detail


def test_a_function_that_raises_does_not_tell_it(cast: Cast, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        outcome = carry_out(leased_call(cast, {"function": f"{HERE}:fail"}, adapter="python"))
    assert (outcome.status, states()) == ("unknown", ["ended"])
    assert VALUE not in caplog.text + outcome.detail


def test_a_credential_that_cannot_be_had_leaves_no_doubt(
    cast: Cast, server: RudeServer, settings: LazySettings
) -> None:
    call = leased_call(cast, post(server))
    settings.AGENTOPS_SEALING_KEYS = ["other:" + "x1" * 30]
    outcome = carry_out(call)

    assert (outcome.status, outcome.code, server.seen) == ("failed", "credential_unavailable", [])


def test_what_a_killed_worker_left_is_ended_by_the_sweep(cast: Cast, server: RudeServer) -> None:
    call = leased_call(cast, post(server))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(leasing, "end_lease", lambda lease: None)  # as after kill -9
        assert carry_out(call).status == "succeeded"
    assert (states(), sweep_leases()) == (["issued"], 0)
    let_time_pass()
    assert (sweep_leases(), states()) == (1, ["ended"])


# --- an end that fails ------------------------------------------------------------------------------------


def test_an_end_that_fails_blocks_the_grant_until_it_works(
    cast: Cast, server: RudeServer, stubborn: Stubborn
) -> None:
    secret = make_secret(cast)
    call = leased_call(cast, post(server), secret)
    assert carry_out(call).status == "succeeded"
    assert states() == ["revoke_failed"]
    again = replace(call, key="another")

    denied = assessed(again)
    assert (denied.verdict, denied.decision.code) == ("DENY", "credential_not_ended")
    # Also for what was assessed a moment before.
    assert (
        leasing.with_credential(again, lambda call: pytest.fail("released")).code == "credential_unavailable"
    )
    assert kinds_of(secret.id)[-1] == "lease.end_failed"

    assert (sweep_leases(), states()) == (0, ["revoke_failed"])  # it rests first
    let_time_pass()
    assert (sweep_leases(), states()) == (0, ["revoke_failed"])
    assert assessed(again).verdict == "DENY"
    assert SecretLease.objects.get().end_attempts == 2
    stubborn.gives_in = True
    let_time_pass()
    assert (sweep_leases(), states()) == (1, ["ended"])
    assert assessed(again).verdict == "ALLOW"
    assert kinds_of(secret.id).count("lease.end_failed") == 1


def test_it_is_tried_again_before_the_lease_would_have_ended(
    cast: Cast, server: RudeServer, stubborn: Stubborn
) -> None:
    carry_out(leased_call(cast, post(server)))
    stubborn.gives_in = True
    SecretLease.objects.update(next_attempt_at=timezone.now())

    assert SecretLease.objects.get().expires_at > timezone.now()
    assert (sweep_leases(), states()) == (1, ["ended"])


def test_other_agents_and_other_tools_go_on(cast: Cast, server: RudeServer, stubborn: Stubborn) -> None:
    carry_out(leased_call(cast, post(server)))
    other = leased_call(cast, post(server), make_secret(cast, slug="other"))

    assert assessed(other).verdict == "ALLOW"


def test_the_dashboard_tells_those_whom_it_concerns(
    cast: Cast, server: RudeServer, stubborn: Stubborn
) -> None:
    carry_out(leased_call(cast, post(server)))

    page = text_of(sign_in(cast.bob).get("/admin/"))
    assert "Credentials not taken back" in page
    assert "it would not" in page
    assert "Credentials not taken back" not in text_of(sign_in(cast.charlie).get("/admin/"))


def test_it_is_tried_again_ever_more_rarely(cast: Cast, server: RudeServer, stubborn: Stubborn) -> None:
    carry_out(leased_call(cast, post(server)))
    rests = [_rest()]
    for attempts in (2, 4, 60):
        SecretLease.objects.update(end_attempts=attempts)
        let_time_pass()
        sweep_leases()
        rests.append(_rest())

    assert rests == sorted(rests)
    assert 3 < rests[0] <= 5
    assert 595 < rests[-1] <= 600


def _rest() -> float:
    lease = SecretLease.objects.get()
    assert lease.next_attempt_at is not None
    return (lease.next_attempt_at - timezone.now()).total_seconds()

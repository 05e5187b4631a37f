"""The table of what must be refused: who asks how, and the status, the error and the recorded reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.test import Client as Browser
from django.utils import timezone
from joserfc.jwk import OctKey

from agentops.canonical import canonical_json
from identities.models import AgentIdentity, Application, Delegation, SigningKey
from identities.oauth.details import describe_call
from identities.services import (
    revoke_agent,
    revoke_application,
    revoke_credential,
    revoke_delegation,
    revoke_signing_key,
    suspend_agent,
)
from tests.factories.identities import AgentAccountFactory
from tests.oauth.clients import (
    ACCESS_TOKEN,
    API,
    ASSERTION_TYPE,
    EXCHANGE,
    FORM,
    JWT,
    TOKEN_URL,
    USER_ID,
    Answer,
    Caller,
    assertion,
    basic,
    claims_of,
    decode,
    encode,
    key_pair,
    post,
    sign,
    sign_raw,
    user_id,
)
from tests.oauth.conftest import RESOURCE
from tests.oauth.world import World, soon

CALL = describe_call("refund", "run:1:refund:0", {"order": "A-17"})
OTHER_CALL = describe_call("refund", "run:1:refund:1", {"order": "B-1"})


@dataclass(frozen=True)
class Refusal:
    """A request that must be refused; ``stream`` is whose ledger stream tells of it ("" for nobody known)."""

    name: str
    ask: Callable[[World], Answer]
    error: str
    reason: str
    stream: str
    status: int = 400


CLIENT, REQUEST = "invalid_client", "invalid_request"


def by_client(name: str, ask: Callable[[World], Answer], reason: str, stream: str = "") -> Refusal:
    return Refusal(name, ask, CLIENT, reason, stream, 401)


def asserted(name: str, reason: str, **changes: Any) -> Refusal:
    """An assertion of the keyed agent that differs from a good one in this alone; a moment is told when it is made."""

    def ask(world: World) -> Answer:
        told = {claim: value() if callable(value) else value for claim, value in changes.items()}
        return world.assert_own(**told)

    return by_client(name, ask, f"assertion_{reason}", "keyed")


def unread(name: str, make: Callable[[World], str], reason: str) -> Refusal:
    """An assertion that is refused before it is known whose it is."""
    return by_client(name, lambda w: w.ask(make(w)), f"assertion_{reason}")


def presented(name: str, make: Callable[[World], str], reason: str) -> Refusal:
    """A subject token, said to be ours, that the agent presents."""
    return Refusal(name, lambda w: w.present(make(w)), REQUEST, f"subject_{reason}", "agent")


def foreign(name: str, make: Callable[[World], str], reason: str) -> Refusal:
    """A user's token that the application presents."""
    return Refusal(name, lambda w: w.present_id(make(w)), REQUEST, f"subject_{reason}", "app")


def of_form(name: str, body: str, reason: str, status: int = 400, content_type: str = FORM) -> Refusal:
    return Refusal(
        name,
        lambda _: Browser().post("/oauth/token", body, content_type=content_type),
        REQUEST,
        reason,
        "",
        status,
    )


def own(caller: Caller, **form: str) -> Answer:
    return caller.post(**{"grant_type": "client_credentials", "audience": RESOURCE, **form})


def after(change: Callable[[World], object], ask: Callable[[World], Answer]) -> Callable[[World], Answer]:
    """Ask once something has changed; what the tokens need is got before."""

    def changed(world: World) -> Answer:
        _ = world.for_second
        change(world)
        return ask(world)

    return changed


def with_header(header: dict[str, Any]) -> Callable[[World], str]:
    return lambda w: w.forge(header=header)


def hs256(world: World) -> str:
    """Sign with the public key as if it were a shared secret."""
    public = canonical_json(world.own_key.as_dict(private=False))
    return assertion(world.keyed.client_id, _with_kid(OctKey.import_key(public), "keyed"), alg="HS256")


def _with_kid(key: OctKey, kid: str) -> OctKey:
    return OctKey.import_key({**key.as_dict(private=True), "kid": kid})


def unsigned(world: World) -> str:
    header = canonical_json({"alg": "none", "typ": "at+jwt"})
    return f"{encode(header)}.{world.for_agent.split('.')[1]}."


def nested_duplicates(world: World) -> str:
    text = json.dumps(claims_of(world.for_agent)).replace(
        '"sub": "application', '"sub": "x", "sub": "application'
    )
    return sign_raw(b'{"alg":"ES256","kid":"own","typ":"at+jwt"}', text.encode(), key_pair("own"))


def twice_named_header(world: World) -> str:
    payload = decode(world.for_agent.split(".")[1])
    return sign_raw(b'{"alg":"none","alg":"ES256","kid":"own"}', payload, key_pair("own"))


def cut(token: str) -> str:
    return token[: len(token) // 2]


def other_spelling(token: str) -> str:
    """Change bits of the last character that no decoder looks at."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    head, last = token[:-1], alphabet.index(token[-1])
    return head + alphabet[last ^ 1]


def replay(world: World) -> Answer:
    text = assertion(world.keyed.client_id, world.own_key, alg="EdDSA")
    assert world.ask(text).status_code == 200
    return world.ask(text)


def too_deep(world: World) -> Answer:
    for_third = world.second.exchanged(world.for_second, world.third.client_id)
    return world.third.exchange(for_third, RESOURCE)


def expire_agent(world: World) -> None:
    AgentIdentity.objects.filter(pk=world.cast.agent.pk).update(
        expires_at=timezone.now() - timedelta(seconds=1)
    )


def draft_agent(world: World) -> None:
    AgentIdentity.objects.filter(pk=world.cast.agent.pk).update(state="draft")


def revoke_root(world: World) -> None:
    root = Delegation.objects.get(pk=claims_of(world.for_agent)["delegation"])
    revoke_delegation(actor=world.cast.alice, delegation=root)


def revoke_own_credential(world: World) -> None:
    revoke_credential(actor=world.cast.alice, credential=world.agent.account.credentials.get())


def expire_credential(world: World) -> None:
    world.agent.account.credentials.update(expires_at=timezone.now())


def drop_trust(world: World) -> None:
    Application.objects.filter(pk=world.cast.application.pk).update(may_assert_users=False)


def stop(world: World, verb: Callable[..., object]) -> None:
    verb(actor=world.cast.alice, agent=world.cast.agent)


def revoke_key(world: World) -> None:
    revoke_signing_key(actor=world.cast.ada, key=SigningKey.objects.get())


def details(*calls: dict[str, Any]) -> str:
    return canonical_json(list(calls)).decode()


def with_call(world: World) -> str:
    """Return a token for the agent that is bound to one call."""
    return world.app.exchanged(user_id(), world.agent.client_id, USER_ID, authorization_details=details(CALL))


def twice_the_call(world: World) -> Answer:
    token = with_call(world)
    assert world.present(token).status_code == 200
    return world.present(token)


CLIENTS = [
    by_client("nobody", lambda _: post(Browser(), "/oauth/token", grant_type="client_credentials"), "no_credentials"),
    by_client("an unknown client", lambda w: post(Browser(), "/oauth/token", client_id="agent.ghost",
              client_secret=w.agent.secret), "unknown_client"),
    by_client("a person", lambda w: post(Browser(), "/oauth/token", client_id="alice", client_secret="x"),
              "unknown_client"),
    by_client("an account of nobody", lambda w: own(Caller(AgentAccountFactory.create(), "x")), "unknown_client"),
    by_client("a name without end", lambda w: post(Browser(), "/oauth/token", client_id="a" * 5000,
              client_secret="x"), "unknown_client"),
    by_client("a wrong secret", lambda w: own(Caller(w.agent.account, "aos_" + "A" * 43)), "wrong_secret", "agent"),
    by_client("a secret without end", lambda w: own(Caller(w.agent.account, "a" * 5000)), "wrong_secret", "agent"),
    by_client("another client's secret", lambda w: own(Caller(w.agent.account, w.app.secret)), "wrong_secret",
              "agent"),
    by_client("a secret where a key is registered", lambda w: own(Caller(w.keyed.account, w.agent.secret)),
              "wrong_secret", "keyed"),
    by_client("a key where a secret is registered", lambda w: w.ask(
              assertion(w.agent.client_id, w.own_key, alg="EdDSA")), "assertion_unknown_key", "agent"),
    by_client("the kid of another client", lambda w: w.ask(
              assertion(w.third.client_id, w.own_key, alg="EdDSA")), "assertion_unknown_key", "third"),
    by_client("bearer as a scheme", lambda w: Browser().post("/oauth/token", "a=b", content_type=FORM,
              headers={"Authorization": "Bearer x"}), "unknown_scheme"),
    by_client("basic that is no base64", lambda w: Browser().post("/oauth/token", "a=b", content_type=FORM,
              headers={"Authorization": "Basic %%%"}), "malformed_basic"),
    by_client("basic with NUL", lambda w: Browser().post("/oauth/token", "a=b", content_type=FORM,
              headers={"Authorization": basic("agent.\0", "x")}), "malformed_basic"),
    by_client("two names", lambda w: Browser().post("/oauth/token", "client_id=agent.other", content_type=FORM,
              headers={"Authorization": basic(w.agent.client_id, w.agent.secret)}), "client_id_differs"),
    by_client("a suspended agent", after(lambda w: stop(w, suspend_agent), lambda w: own(w.agent)), "client_closed",
              "agent"),
    by_client("a revoked agent", after(lambda w: stop(w, revoke_agent), lambda w: own(w.agent)), "client_closed",
              "agent"),
    by_client("an expired agent", after(expire_agent, lambda w: own(w.agent)), "client_closed", "agent"),
    by_client("a draft", after(draft_agent, lambda w: own(w.agent)), "client_closed", "agent"),
    by_client("a revoked application", after(lambda w: revoke_application(
              actor=w.cast.alice, application=w.cast.application), lambda w: own(w.app)), "client_closed", "app"),
    by_client("a revoked key set", after(revoke_own_credential, lambda w: own(w.agent)), "revoked_credential", "agent"),
    by_client("an expired key set", after(expire_credential, lambda w: own(w.agent)), "expired_credential", "agent"),
    Refusal("two methods", lambda w: w.agent.post(client_assertion="x", client_assertion_type=ASSERTION_TYPE),
            REQUEST, "several_methods", ""),
    Refusal("an unknown type of assertion", lambda w: w.ask("x", client_assertion_type="saml"), REQUEST,
            "assertion_type", ""),
]  # fmt: skip

ASSERTIONS = [
    asserted("for another audience", "audience", aud="https://elsewhere.example"),
    asserted("for two audiences", "several_audiences", aud=[TOKEN_URL, "https://elsewhere.example"]),
    asserted("for nobody", "no_audience", aud=None),
    asserted("for a number", "no_audience", aud=7),
    asserted("expired", "expired", exp=lambda: soon(-10)),
    asserted("without end", "no_expiry", exp=None),
    asserted("with an end too far", "lives_too_long", exp=lambda: soon(4000)),
    asserted("with an end in words", "malformed_time", exp="tomorrow"),
    asserted("with an end that is true", "malformed_time", exp=True),
    asserted("not yet valid", "not_yet_valid", nbf=lambda: soon(120)),
    asserted("from the future", "not_yet_valid", iat=lambda: soon(120)),
    asserted("of another issuer", "issuer", iss="agent.second-agent"),
    asserted("without jti", "no_jti", jti=None),
    asserted("with a jti without end", "no_jti", jti="a" * 500),
    by_client("replayed", replay, "assertion_replayed", "keyed"),
    by_client("signed by another key", lambda w: w.ask(assertion(w.keyed.client_id, key_pair("thief", "OKP"),
              alg="EdDSA", header={"kid": "keyed"})), "assertion_signature", "keyed"),
    by_client("with an algorithm of another key", lambda w: w.ask(assertion(w.keyed.client_id, key_pair("own"),
              header={"kid": "keyed"})), "assertion_algorithm", "keyed"),
    unread("HS256 with the public key", hs256, "algorithm"),
    unread("alg none", lambda w: ".".join((encode(b'{"alg":"none"}'), encode(b"{}"), "AAAA")), "algorithm"),
    unread("alg none and no signature", lambda w: ".".join((encode(b'{"alg":"none"}'), encode(b"{}"), "")),
           "malformed"),
    unread("with a key in its header", lambda w: assertion(w.keyed.client_id, w.own_key, alg="EdDSA",
           header={"jwk": w.own_key.as_dict(private=False)}), "header"),
    unread("with crit", lambda w: assertion(w.keyed.client_id, w.own_key, alg="EdDSA", header={"crit": ["exp"]}),
           "header"),
    unread("of another type", lambda w: assertion(w.keyed.client_id, w.own_key, alg="EdDSA",
           header={"typ": "at+jwt"}), "type"),
    unread("oversized", lambda w: "a" * 17_000, "oversized"),
    unread("truncated", lambda w: cut(assertion(w.keyed.client_id, w.own_key, alg="EdDSA")), "malformed"),
]  # fmt: skip

TOKENS = [
    presented("unsigned", unsigned, "malformed"),
    presented("HS256", lambda w: sign(claims_of(w.for_agent), OctKey.import_key(b"x" * 32),
              {"typ": "at+jwt"}, alg="HS256"), "algorithm"),
    presented("of an unknown key", lambda w: sign(claims_of(w.for_agent), key_pair("own"), {"typ": "at+jwt"}),
              "unknown_key"),
    presented("signed by another key", lambda w: sign(claims_of(w.for_agent),
              key_pair("own"), {"typ": "at+jwt", "kid": json.loads(decode(w.for_agent.split(".")[0]))["kid"]}),
              "signature"),
    presented("changed by one byte", lambda w: w.for_agent[:-10] + ("A" if w.for_agent[-10] != "A" else "B")
              + w.for_agent[-9:], "signature"),
    presented("in another spelling", lambda w: other_spelling(w.for_agent), "malformed"),
    presented("with padding", lambda w: w.for_agent + "=", "malformed"),
    presented("with a space", lambda w: w.for_agent + " ", "malformed"),
    presented("in standard base64", lambda w: w.for_agent.replace(".", "+.", 1), "malformed"),
    presented("truncated", lambda w: cut(w.for_agent), "malformed"),
    presented("of four parts", lambda w: w.for_agent + ".AAAA", "malformed"),
    presented("encrypted", lambda w: "AAAA.AAAA.AAAA.AAAA.AAAA", "malformed"),
    presented("as JSON", lambda w: '{"payload":"AAAA","signatures":[]}', "malformed"),
    presented("oversized", lambda w: w.for_agent + "A" * 17_000, "oversized"),
    presented("with a claim that occurs twice", nested_duplicates, "malformed"),
    presented("with a header that occurs twice", twice_named_header, "malformed"),
    presented("with NUL", lambda w: sign_raw(b'{"alg":"ES256"}', b'{"sub":"\\u0000"}', key_pair("own")),
              "malformed"),
    presented("with crit", with_header({"crit": ["exp"], "exp": 1}), "header"),
    presented("with b64", with_header({"b64": False, "crit": ["b64"]}), "header"),
    presented("with jku", with_header({"jku": "https://evil.example/jwks"}), "header"),
    presented("with x5u", with_header({"x5u": "https://evil.example/cert"}), "header"),
    presented("with jwk", lambda w: w.forge(header={"jwk": key_pair("own").as_dict(private=False)}), "header"),
    presented("with a kid that is a number", with_header({"kid": 7}), "header"),
    presented("without kid", with_header({"kid": None}), "unknown_key"),
    presented("of another type", with_header({"typ": "JWT"}), "type"),
    presented("without type", with_header({"typ": None}), "type"),
    presented("of another issuer", lambda w: w.forge(iss="https://elsewhere.example"), "issuer"),
    presented("for somebody else: spliced in", lambda w: w.for_second, "audience"),
    presented("for two audiences", lambda w: w.forge(aud=[w.agent.client_id, RESOURCE]), "several_audiences"),
    presented("for a list of one", lambda w: w.forge(aud=[w.agent.client_id]), "several_audiences"),
    presented("without audience", lambda w: w.forge(aud=None), "no_audience"),
    presented("expired", lambda w: w.forge(exp=soon(-1)), "expired"),
    presented("without end", lambda w: w.forge(exp=None), "no_expiry"),
    presented("with an end too far", lambda w: w.forge(exp=soon(3600)), "lives_too_long"),
    presented("not yet valid", lambda w: w.forge(nbf=soon(120)), "not_yet_valid"),
    presented("without jti", lambda w: w.forge(jti=None), "no_jti"),
    presented("without epoch", lambda w: w.forge(epoch=None), "malformed"),
    presented("with a delegation that is none", lambda w: w.forge(delegation="x"), "malformed"),
    presented("of an unknown delegation", lambda w: w.forge(delegation="0" * 32), "revoked_delegation"),
    presented("of another user than its delegation", lambda w: w.forge(sub="customer-18"), "another_principal"),
    presented("of another delegation", lambda w: w.forge(delegation=claims_of(w.for_second)["delegation"]),
              "another_delegation"),
    presented("of an earlier epoch", lambda w: w.forge(epoch=0), "earlier_epoch"),
    presented("a user's token", lambda w: w.provider.id_token(header={"typ": "at+jwt"}), "unknown_key"),
    presented("revoked", lambda w: (w.app.post("/oauth/revoke", token=w.for_agent), w.for_agent)[1], "revoked"),
    presented("of a client that is closed", lambda w: (w.for_agent, revoke_application(actor=w.cast.alice,
              application=w.cast.application))[0], "client_closed"),
    Refusal("of a revoked parent", after(revoke_root, lambda w: w.second.exchange(w.for_second, RESOURCE)),
            REQUEST, "subject_revoked_delegation", "second"),
    Refusal("of a suspended actor", after(lambda w: stop(w, suspend_agent),
            lambda w: w.second.exchange(w.for_second, RESOURCE)), REQUEST, "subject_client_closed", "second"),
    Refusal("of a revoked signing key", after(revoke_key, lambda w: w.present(w.for_agent)), REQUEST,
            "subject_unknown_key", "agent"),
    Refusal("of a call that was made", twice_the_call, REQUEST, "subject_replayed", "agent"),
]  # fmt: skip

FOREIGN = [
    foreign("of a foreign issuer", lambda w: w.provider.id_token(iss="https://other.example"), "unknown_issuer"),
    foreign("without issuer", lambda w: w.provider.id_token(iss=None), "no_iss"),
    foreign("for another client", lambda w: w.provider.id_token(aud="other-app"), "audience"),
    foreign("for two audiences", lambda w: w.provider.id_token(aud=["shop-web", "other"]), "several_audiences"),
    foreign("expired", lambda w: w.provider.id_token(exp=soon(-1)), "expired"),
    foreign("without end", lambda w: w.provider.id_token(exp=None), "no_expiry"),
    foreign("with an end next year", lambda w: w.provider.id_token(exp=soon(31_000_000)), "lives_too_long"),
    foreign("not yet valid", lambda w: w.provider.id_token(nbf=soon(120)), "not_yet_valid"),
    foreign("without subject", lambda w: w.provider.id_token(sub=None), "no_sub"),
    foreign("of a subject that is a number", lambda w: w.provider.id_token(sub=17), "no_sub"),
    foreign("given to somebody else", lambda w: w.provider.id_token(azp="other-app"), "authorized_party"),
    foreign("of an unknown key", lambda w: w.provider.id_token(key_pair("own")), "unknown_key"),
    foreign("signed by another key", lambda w: w.provider.id_token(key_pair("own"), header={"kid": "provider"}),
            "signature"),
    foreign("of an algorithm that is not agreed", lambda w: w.provider.id_token(key_pair("own", "OKP"),
            alg="EdDSA"), "algorithm"),
    foreign("with a key in its header", lambda w: w.provider.id_token(header={"jwk": {}}), "header"),
    Refusal("by another client", lambda w: w.agent.exchange(w.provider.id_token(), w.second.client_id, JWT),
            REQUEST, "subject_unknown_issuer", "agent"),
]  # fmt: skip

EXCHANGES = [
    Refusal("too deep", too_deep, REQUEST, "too_deep", "third"),
    Refusal("broader scope", lambda w: w.present(w.app.exchanged(user_id(), w.agent.client_id, USER_ID,
            scope="delegate"), scope="delegate tools:call"), "invalid_scope", "broader_scope", "agent"),
    Refusal("an unknown scope", lambda w: own(w.agent, scope="root"), "invalid_scope", "broader_scope", "agent"),
    Refusal("an agent's scope of the API", lambda w: own(w.agent, scope="api"), "invalid_scope", "broader_scope",
            "agent"),
    Refusal("passed on without that scope", lambda w: w.agent.exchange(w.app.exchanged(user_id(),
            w.agent.client_id, USER_ID, scope="tools:call"), w.second.client_id), "invalid_scope", "no_delegation",
            "agent"),
    Refusal("a call without that scope", lambda w: w.present(w.for_agent, scope="delegate",
            authorization_details=details(CALL)), "invalid_scope", "no_tool_calls", "agent"),
    Refusal("another call than the parent's", lambda w: w.present(with_call(w),
            authorization_details=details(OTHER_CALL)), "invalid_authorization_details", "broader_details", "agent"),
    Refusal("two calls", lambda w: w.present(w.for_agent, authorization_details=details(CALL, OTHER_CALL)),
            "invalid_authorization_details", "malformed_details", "agent"),
    Refusal("details that are none", lambda w: w.present(w.for_agent, authorization_details='[{"type":"x"}]'),
            "invalid_authorization_details", "malformed_details", "agent"),
    Refusal("a call of one's own", lambda w: own(w.agent, authorization_details=details(CALL)),
            "invalid_authorization_details", "details", "agent"),
    Refusal("to an application", lambda w: w.agent.exchange(w.for_agent, w.app.client_id), "invalid_target",
            "not_an_agent", "agent"),
    Refusal("to itself", lambda w: w.agent.exchange(w.for_agent, w.agent.client_id), "invalid_target",
            "not_an_agent", "agent"),
    Refusal("to an agent that the application may not start", lambda w: w.app.exchange(user_id(),
            w.second.client_id, USER_ID), "invalid_target", "may_not_start", "app"),
    Refusal("to another client without exchange", lambda w: own(w.agent, audience=w.second.client_id),
            "invalid_target", "another_client", "agent"),
    Refusal("for nobody", lambda w: w.agent.post(grant_type="client_credentials"), "invalid_target", "no_audience",
            "agent"),
    Refusal("for an unknown resource", lambda w: own(w.agent, audience="https://elsewhere.example"),
            "invalid_target", "unknown_audience", "agent"),
    Refusal("for the API by an agent", lambda w: own(w.agent, audience=API), "invalid_target", "unknown_audience",
            "agent"),
    Refusal("for the API on a user's behalf", lambda w: w.app.exchange(user_id(), API, USER_ID), "invalid_target",
            "api_for_another", "app"),
    Refusal("for two audiences", lambda w: own(w.agent, resource=API), REQUEST, "several_audiences", "agent"),
    Refusal("a user's bare name from who is not trusted", after(drop_trust, lambda w: w.app.exchange(user_id(),
            w.agent.client_id, USER_ID)), REQUEST, "subject_not_trusted_to_assert", "app"),
    Refusal("a user's bare name from an agent", lambda w: w.agent.exchange(user_id(), w.second.client_id, USER_ID),
            REQUEST, "subject_not_trusted_to_assert", "agent"),
    Refusal("a member of staff's bare name", lambda w: w.app.exchange(user_id(issuer="AgentOps "),
            w.agent.client_id, USER_ID), REQUEST, "subject_own_issuer", "app"),
    Refusal("a bare name that is no JSON", lambda w: w.app.exchange("customer-17", w.agent.client_id, USER_ID),
            REQUEST, "subject_malformed", "app"),
    Refusal("another's actor token", lambda w: w.present(w.for_agent, actor_token=w.app.token(API),
            actor_token_type=ACCESS_TOKEN), REQUEST, "actor_another_actor", "agent"),
    Refusal("an actor token for somebody else", lambda w: w.present(w.for_agent, actor_token=w.agent.token(RESOURCE),
            actor_token_type=ACCESS_TOKEN), REQUEST, "actor_audience", "agent"),
    Refusal("the user's token as the actor's", lambda w: w.present(w.for_agent, actor_token=w.for_agent,
            actor_token_type=ACCESS_TOKEN), REQUEST, "actor_another_actor", "agent"),
    Refusal("an actor's type without token", lambda w: w.present(w.for_agent, actor_token_type=ACCESS_TOKEN),
            REQUEST, "actor_type", "agent"),
    Refusal("another type of actor token", lambda w: w.present(w.for_agent, actor_token="x", actor_token_type=JWT),
            REQUEST, "actor_type", "agent"),
    Refusal("an unknown type of subject", lambda w: w.agent.exchange(w.for_agent, RESOURCE, "urn:saml2"), REQUEST,
            "subject_type", "agent"),
    Refusal("another type of answer", lambda w: w.present(w.for_agent, requested_token_type=JWT), REQUEST,
            "requested_type", "agent"),
    Refusal("without subject token", lambda w: w.agent.post(grant_type=EXCHANGE, audience=RESOURCE),
            REQUEST, "missing_parameter", "agent"),
    Refusal("another grant", lambda w: w.agent.post(grant_type="password"), "unsupported_grant_type", "grant_type",
            "agent"),
    Refusal("another's token revoked", lambda w: w.agent.post("/oauth/revoke", token=w.for_agent),
            "unauthorized_client", "another_clients_token", "agent"),
    Refusal("a token used up perhaps", lambda w: w.agent.post("/oauth/introspect", token="x", consume="maybe"),
            REQUEST, "consume", "agent"),
    Refusal("introspection without a token", lambda w: w.agent.post("/oauth/introspect"), REQUEST,
            "missing_parameter", "agent"),
    by_client("introspection by nobody", lambda w: post(Browser(), "/oauth/introspect", token=w.for_agent),
              "no_credentials"),
    by_client("revocation by nobody", lambda w: post(Browser(), "/oauth/revoke", token=w.for_agent),
              "no_credentials"),
]  # fmt: skip

FORMS = [
    Refusal("GET", lambda w: Browser().get("/oauth/token"), REQUEST, "method", "", 405),
    Refusal("PUT", lambda w: Browser().put("/oauth/token"), REQUEST, "method", "", 405),
    Refusal(
        "a secret in the address",
        lambda w: Browser().post(f"/oauth/token?client_secret={w.agent.secret}", "", content_type=FORM),
        REQUEST,
        "query_string",
        "",
    ),
    of_form("JSON", '{"grant_type": "client_credentials"}', "content_type", content_type="application/json"),
    of_form("multipart", "--x--", "content_type", content_type="multipart/form-data; boundary=x"),
    of_form("another charset", "a=b", "content_type", content_type=f"{FORM}; charset=utf-16"),
    of_form(
        "a repeated parameter", "grant_type=client_credentials&grant_type=password", "repeated_parameter"
    ),
    of_form("NUL", "client_id=agent%00&client_secret=x", "malformed_form"),
    of_form("what is no UTF-8", "client_id=%ff&client_secret=x", "malformed_form"),
    of_form("raw bytes", "client_id=é", "malformed_form"),
    of_form("33 fields", "&".join(f"a{n}=1" for n in range(33)), "malformed_form"),
    of_form("65 KiB", "a=" + "b" * 66_000, "body_too_large", 413),
]

TABLE = [*CLIENTS, *ASSERTIONS, *TOKENS, *FOREIGN, *EXCHANGES, *FORMS]

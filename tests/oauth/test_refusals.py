"""Everything in the table of refusals is refused: by status and code, on the record, without a word too many."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentops.canonical import canonical_json
from identities.models import RefusedTokenRequests
from identities.oauth.refusals import STRANGERS
from tests.cast import Cast
from tests.ledger import entries_of
from tests.oauth.clients import Caller, encode
from tests.oauth.conftest import RESOURCE
from tests.oauth.provider import Provider
from tests.oauth.refusals import TABLE, Refusal
from tests.oauth.world import World

pytestmark = [pytest.mark.tokens, pytest.mark.slow]


@pytest.fixture
def world(cast: Cast, serving_provider: Provider) -> World:
    serving_provider.reset()
    return World(cast, serving_provider)


def stream_of(world: World, name: str) -> object:
    if not name:
        return STRANGERS
    if name == "app":
        return world.cast.application.pk
    caller: Caller = getattr(world, name)
    return caller.account.agent_identity.pk


@pytest.mark.parametrize("case", TABLE, ids=lambda case: case.name)
def test_it_is_refused_and_on_the_record(world: World, case: Refusal) -> None:
    answer = case.ask(world)

    assert (answer.status_code, answer.json()["error"]) == (case.status, case.error)
    assert answer["Cache-Control"] == "no-store"
    assert "Traceback" not in answer.content.decode()
    stream = stream_of(world, case.stream)
    told = [entry for entry in entries_of(stream) if entry.kind == "token.refused"]  # type: ignore[arg-type]  # a UUID
    assert [(entry.facts["error"], entry.facts["reason"]) for entry in told] == [(case.error, case.reason)]
    assert "customer" not in str(told)
    assert RefusedTokenRequests.objects.count() == 1


def test_the_table_is_long_enough() -> None:
    assert len(TABLE) >= 50
    assert len({case.name for case in TABLE}) > 50


NOTHING_OF_OURS = st.one_of(st.text(max_size=300), st.binary(max_size=300).map(encode))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def json_token(header: object, payload: object) -> str:
    return f"{encode(raw(header))}.{encode(raw(payload))}.{encode(b'x' * 64)}"


def raw(value: object) -> bytes:
    try:
        return canonical_json(value)
    except Exception:
        return b"{}"


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.one_of(NOTHING_OF_OURS, st.builds(json_token, JSON, JSON)))
def test_no_text_breaks_the_endpoint(agent: Caller, text: str) -> None:
    for answer in (agent.exchange(text, RESOURCE), agent.post("/oauth/introspect", token=text)):
        assert answer.status_code in (200, 400)
        assert answer.status_code == 400 or answer.json() == {"active": False}

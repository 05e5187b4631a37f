"""The catalogue's services: tools, versions, approvers, breakers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import InternalError, ProgrammingError, transaction
from guardian.shortcuts import assign_perm

from agentops.engine.breaker import BreakerSettings
from agentops.errors import AgentOpsError, PolicyDenied, StateConflict, ValidationFailed
from identities.models import User
from tests.cast import Cast
from tests.factories import ToolFactory, ToolVersionFactory
from tests.ledger import kinds_of, last_entry
from tools.breaker import breaker, connect_breaker
from tools.models import BreakerState, Tool, ToolGroupObjectPermission, ToolUserObjectPermission, ToolVersion
from tools.services import (
    ToolDefinition,
    accept_tool,
    add_approver,
    add_version,
    create_tool,
    force_breaker_open,
    lift_forced_breaker,
    quarantine_tool,
    remove_approver,
    reset_breaker,
    retire_tool,
)

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "order_id": {"type": "string"},
        "amount": {"type": "string"},
        "address": {"type": "object", "properties": {"city": {"type": "string"}}},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/line"}},
    },
    "additionalProperties": False,
    "$defs": {"line": {"type": "object", "properties": {"price": {"type": "number"}}}},
}
REFUND = ToolDefinition(
    description="Pays money back.",
    effect="irreversible",
    idempotency="honours_key",
    adapter="http",
    config={"method": "POST", "url": "http://127.0.0.1:9/refund"},
    input_schema=SCHEMA,
    statement="refund {amount} for order {order_id} to {address[city]}",
    amount_argument="amount",
    currency="USD",
    dedupe_on=("order_id", "amount"),
)


@pytest.fixture
def tool(cast: Cast) -> Tool:
    return create_tool(actor=cast.alice, team=cast.team, name="refund_payment")


def test_same_definition_is_the_same_version(cast: Cast, tool: Tool) -> None:
    first = add_version(actor=cast.alice, tool=tool, definition=REFUND)
    again = add_version(actor=cast.alice, tool=tool, definition=replace(REFUND, input_schema=dict(SCHEMA)))

    assert first == again
    assert first.number == 1
    assert kinds_of(tool.id) == ["tool.created", "tool.version_added"]


@pytest.mark.parametrize(
    "change",
    [
        {"description": "Pays."},
        {"effect": "reversible"},
        {"idempotency": "none"},
        {"config": {"method": "POST", "url": "http://127.0.0.1:9/elsewhere"}},
        {"input_schema": {**SCHEMA, "required": ["order_id"]}},
        {"output_schema": {"type": "object"}},
        {"statement": "refund {amount}"},
        {"timeout_s": 4.0},
        {"max_attempts": 2},
        {"backoff_base_s": 0.4},
        {"backoff_cap_s": 20.0},
        {"breaker": {"consecutive_failures": 3}},
        {"on_breaker_open": "wait"},
        {"on_unknown": "halt"},
        {"dedupe_on": ("order_id",)},
        {"dedupe_window_s": 60},
        {"amount_argument": "lines.*.price"},
        {"currency": "EUR"},
    ],
)
def test_whatever_defines_behaviour_makes_a_new_version(
    cast: Cast, tool: Tool, change: dict[str, Any]
) -> None:
    first = add_version(actor=cast.alice, tool=tool, definition=REFUND)
    second = add_version(actor=cast.alice, tool=tool, definition=replace(REFUND, **change))

    assert (second.number, second.digest != first.digest) == (2, True)
    assert last_entry(tool.id).facts["digest"] == second.digest


def test_digest_names_the_tool_too(cast: Cast, tool: Tool) -> None:
    other = create_tool(actor=cast.alice, team=cast.team, name="refund_2")

    first = add_version(actor=cast.alice, tool=tool, definition=REFUND)
    second = add_version(actor=cast.alice, tool=other, definition=REFUND)
    assert first.digest != second.digest


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"description": " "}, "description"),
        ({"effect": "harmless"}, "effect"),
        ({"idempotency": "maybe"}, "idempotency"),
        ({"idempotency": "read_back"}, "config"),
        ({"adapter": "telepathy"}, "adapter"),
        ({"config": {"method": "POST"}}, "config"),
        (
            {"config": {"method": "POST", "url": "http://a.example/", "headers": {"X-Api-Key": "s3cret"}}},
            "config",
        ),
        ({"input_schema": {"type": "string"}}, "input_schema"),
        ({"input_schema": {**SCHEMA, "properties": {"x": {"type": "no-type"}}}}, "input_schema"),
        ({"input_schema": {**SCHEMA, "properties": {"x": {"$ref": "http://x.example/s"}}}}, "input_schema"),
        ({"output_schema": {"type": 3}}, "output_schema"),
        ({"statement": ""}, "statement"),
        ({"statement": "refund {missing}"}, "statement"),
        ({"statement": "refund {address[street]}"}, "statement"),
        ({"statement": "refund {order_id.__class__}"}, "statement"),
        ({"statement": "refund {order_id!r}"}, "statement"),
        ({"statement": "refund {order_id:>999999}"}, "statement"),
        ({"statement": "refund {"}, "statement"),
        ({"statement": "refund {}"}, "statement"),
        ({"timeout_s": 0}, "timeout_s"),
        ({"timeout_s": -1}, "timeout_s"),
        ({"timeout_s": float("inf")}, "timeout_s"),
        ({"timeout_s": float("nan")}, "timeout_s"),
        ({"timeout_s": 100.0}, "breaker"),  # the probe's lease would end before the probe
        ({"max_attempts": 0}, "max_attempts"),
        ({"max_attempts": 11}, "max_attempts"),
        ({"max_concurrency": 0}, "max_concurrency"),
        ({"max_concurrency": 10_001}, "max_concurrency"),
        ({"backoff_base_s": 0}, "backoff_base_s"),
        ({"backoff_base_s": 9.0, "backoff_cap_s": 8.0}, "backoff_base_s"),
        ({"breaker": {"consecutive_failures": 0}}, "breaker"),
        ({"breaker": {"surprise": 1}}, "breaker"),
        ({"on_breaker_open": "panic"}, "on_breaker_open"),
        ({"on_unknown": "retry"}, "on_unknown"),
        ({"dedupe_on": ("order",)}, "dedupe_on"),
        ({"dedupe_window_s": 0}, "dedupe_window_s"),
        ({"amount_argument": "price"}, "amount_argument"),
        ({"amount_argument": "address"}, "amount_argument"),
        ({"currency": ""}, "currency"),
    ],
)
def test_faulty_definitions_are_refused(cast: Cast, tool: Tool, change: dict[str, Any], place: str) -> None:
    with pytest.raises(ValidationFailed) as refusal:
        add_version(actor=cast.alice, tool=tool, definition=replace(REFUND, **change))

    assert any(str(problem).startswith(place) for problem in refusal.value.problems), refusal.value.problems
    assert not tool.versions.exists()


def test_all_faults_are_named_at_once(cast: Cast, tool: Tool) -> None:
    faulty = replace(REFUND, effect="x", timeout_s=0, dedupe_on=("y",))

    with pytest.raises(ValidationFailed) as refusal:
        add_version(actor=cast.alice, tool=tool, definition=faulty)
    assert len(refusal.value.problems) == 3


@pytest.mark.parametrize(
    "name", ["", "(unknown)", "no spaces", "a" * 65, "ask_user", "hand_over", "höflich", "a\n"]
)
def test_names_that_no_model_could_call(cast: Cast, name: str) -> None:
    with pytest.raises(ValidationFailed):
        create_tool(actor=cast.alice, team=cast.team, name=name)


def test_name_is_taken_once_per_team(cast: Cast, tool: Tool) -> None:
    with pytest.raises(StateConflict):
        create_tool(actor=cast.alice, team=cast.team, name=tool.name)
    assert create_tool(actor=cast.charlie, team=cast.other_team, name=tool.name).pk != tool.pk


def test_python_tools_are_of_allowed_modules(cast: Cast, tool: Tool, settings: LazySettings) -> None:
    definition = replace(REFUND, adapter="python", config={"function": "os:system"})

    settings.TOOLS_PYTHON_MODULES = ["tests.tools"]
    with pytest.raises(ValidationFailed, match="TOOLS_PYTHON_MODULES"):
        add_version(actor=cast.alice, tool=tool, definition=definition)


def test_an_adapter_that_cannot_be_called_is_refused(cast: Cast, tool: Tool, settings: LazySettings) -> None:
    settings.TOOL_ADAPTERS = {"own": "tests.tools.adapters.strangers.Eager"}
    with pytest.raises(ValidationFailed, match=r"adapter: .* needs invoke.*not_after"):
        add_version(actor=cast.alice, tool=tool, definition=replace(REFUND, adapter="own"))


def test_an_adapter_that_cannot_be_built_is_refused(cast: Cast, tool: Tool, settings: LazySettings) -> None:
    settings.TOOL_ADAPTERS = {"own": "tests.tools.adapters.strangers.Unbuilt"}
    with pytest.raises(ValidationFailed, match="adapter: its configuration is missing"):
        add_version(actor=cast.alice, tool=tool, definition=replace(REFUND, adapter="own"))


@pytest.mark.parametrize(
    "change",
    [lambda rows: rows.update(timeout_s=99), lambda rows: rows.delete()],
)
def test_database_refuses_to_change_a_version(cast: Cast, tool: Tool, change: Any) -> None:
    version = add_version(actor=cast.alice, tool=tool, definition=REFUND)

    with pytest.raises((ProgrammingError, InternalError), match="immutable"), transaction.atomic():
        change(ToolVersion.objects.filter(pk=version.pk))
    version.refresh_from_db()
    assert version.timeout_s == 5.0


def test_states_of_a_tool(cast: Cast, tool: Tool) -> None:
    assert quarantine_tool(actor=cast.alice, tool=tool, reason="odd").state == "quarantined"
    with pytest.raises(StateConflict):
        quarantine_tool(actor=cast.alice, tool=tool)
    assert accept_tool(actor=cast.alice, tool=tool).state == "active"
    assert retire_tool(actor=cast.alice, tool=tool).state == "retired"
    with pytest.raises(StateConflict):
        accept_tool(actor=cast.alice, tool=tool)
    with pytest.raises(StateConflict):
        add_version(actor=cast.alice, tool=tool, definition=REFUND)
    assert kinds_of(tool.id)[1:] == ["tool.quarantined", "tool.accepted", "tool.retired"]


def test_outsiders_and_colleagues_without_the_right_are_refused(cast: Cast, tool: Tool) -> None:
    verbs: list[Any] = [
        lambda actor: create_tool(actor=actor, team=cast.team, name="mine"),
        lambda actor: add_version(actor=actor, tool=tool, definition=REFUND),
        lambda actor: quarantine_tool(actor=actor, tool=tool),
        lambda actor: retire_tool(actor=actor, tool=tool),
        lambda actor: add_approver(actor=actor, tool=tool, approver=actor),
        lambda actor: force_breaker_open(actor=actor, tool=tool, reason="x"),
        lambda actor: reset_breaker(actor=actor, tool=tool),
    ]
    for verb in verbs:
        for actor in (cast.bob, cast.charlie, cast.agent.service_account):
            with pytest.raises(PolicyDenied):
                verb(actor)
    assert kinds_of(tool.id) == ["tool.created"]


def test_right_on_one_tool_is_enough(cast: Cast, tool: Tool) -> None:
    other = ToolFactory.create(team=cast.team)
    assign_perm("operate_tool", cast.bob, tool)

    bob = User.objects.get(pk=cast.bob.pk)
    force_breaker_open(actor=bob, tool=tool, reason="x")
    with pytest.raises(PolicyDenied):
        force_breaker_open(actor=bob, tool=other, reason="x")


def test_approvers_are_people_and_groups(cast: Cast, tool: Tool) -> None:
    assert add_approver(actor=cast.alice, tool=tool, approver=cast.finance)
    assert add_approver(actor=cast.alice, tool=tool, approver=cast.bob)
    assert not add_approver(actor=cast.alice, tool=tool, approver=cast.bob)
    assert User.objects.get(pk=cast.fiona.pk).has_perm("approve_calls", tool)
    assert remove_approver(actor=cast.alice, tool=tool, approver=cast.finance)
    assert not remove_approver(actor=cast.alice, tool=tool, approver=cast.finance)
    assert not User.objects.get(pk=cast.fiona.pk).has_perm("approve_calls", tool)
    assert kinds_of(tool.id)[1:] == ["approver.added", "approver.added", "approver.removed"]


@pytest.mark.parametrize("who", ["ada", "alice"])
def test_nobody_lets_themselves_approve(cast: Cast, tool: Tool, who: str) -> None:
    """Neither by rank nor by the right to change the tool, neither in person nor through a group of theirs."""
    actor = getattr(cast, who)
    actor.groups.add(cast.finance)
    for approver in (actor, cast.finance):
        with pytest.raises(PolicyDenied, match="ask a colleague") as refused:
            add_approver(actor=actor, tool=tool, approver=approver)
        assert refused.value.code == "own_approval"
    assert not ToolUserObjectPermission.objects.filter(permission__codename="approve_calls").exists()
    assert not ToolGroupObjectPermission.objects.exists()
    assert kinds_of(tool.id) == ["tool.created"]


def test_a_colleague_lets_a_superuser_approve(cast: Cast, tool: Tool) -> None:
    assert add_approver(actor=cast.alice, tool=tool, approver=cast.ada)
    assert last_entry(tool.id).actor == cast.alice.pk


@pytest.mark.parametrize("whose", ["agent", "application"])
def test_no_machine_approves(cast: Cast, tool: Tool, whose: str) -> None:
    with pytest.raises(ValidationFailed):
        add_approver(actor=cast.ada, tool=tool, approver=getattr(cast, whose).service_account)


def test_forced_breaker(cast: Cast, tool: Tool) -> None:
    forced = force_breaker_open(actor=cast.alice, tool=tool, reason="the shop is down")

    assert (forced.forced_open_by, forced.forced_open_reason) == (cast.alice, "the shop is down")
    with pytest.raises(StateConflict):
        force_breaker_open(actor=cast.alice, tool=tool, reason="again")
    reset_breaker(actor=cast.alice, tool=tool)
    tool.refresh_from_db()
    assert tool.forced_open_at is not None
    assert lift_forced_breaker(actor=cast.alice, tool=tool).forced_open_at is None
    with pytest.raises(StateConflict):
        lift_forced_breaker(actor=cast.alice, tool=tool)


def test_reset_closes_the_shared_breaker(cast: Cast) -> None:
    version = ToolVersionFactory.create(tool__team=cast.team)
    tool = version.tool
    once = BreakerSettings(consecutive_failures=1)
    breaker().record(tool.id, once, False)
    BreakerState.objects.create(tool=tool, state="open", changed_at=tool.created_at)
    assert not breaker().admit(tool.id, once).allowed

    reset_breaker(actor=cast.alice, tool=tool)
    assert breaker().admit(tool.id, once).allowed
    assert BreakerState.objects.get(tool=tool).state == "closed"
    assert kinds_of(tool.id) == ["breaker.reset"]


def test_reset_without_redis_records_nothing(cast: Cast, tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = connect_breaker("redis://127.0.0.1:1/0")
    monkeypatch.setattr("tools.services.breakers.breaker", lambda: nowhere)

    with pytest.raises(AgentOpsError, match="breaker_unreachable"):
        reset_breaker(actor=cast.alice, tool=tool)
    assert kinds_of(tool.id) == ["tool.created"]

"""Preflight: each missing guardrail is found, named, and gone once it is there."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import IntegrityError, connection
from django.utils import timezone
from guardian.shortcuts import assign_perm
from psycopg import sql

from runs.models import AgentVersion
from runs.preflight import check_version
from runs.preflight import versions as version_preflight
from tests.cast import Cast
from tests.factories import (
    PersonFactory,
    ToolVersionFactory,
    give_second_factor,
)
from tests.runs.guardrails import (
    SPOILED,
    agents,
    long_ago,
    lose_device,
    lose_fiona,
    make_whole_version,
    regrant,
    versions,
)
from tools.models import Tool, ToolVersion


def codes(version: AgentVersion) -> set[str]:
    fresh = AgentVersion.objects.get(pk=version.pk)
    return {finding.code for finding in check_version(fresh)}


@pytest.fixture
def version(cast: Cast) -> AgentVersion:
    return make_whole_version(cast)


def test_complete_version_has_no_findings(version: AgentVersion) -> None:
    assert check_version(version) == []


@pytest.mark.parametrize(("spoil", "code"), SPOILED)
def test_each_missing_guardrail_is_found(
    cast: Cast, version: AgentVersion, spoil: Callable[[Cast], None], code: str
) -> None:
    spoil(cast)

    findings = check_version(AgentVersion.objects.get(pk=version.pk))
    assert {finding.code for finding in findings} == {code}
    assert all(finding.subject and finding.problem and finding.remedy for finding in findings)


def test_every_missing_limit_is_a_finding(cast: Cast, version: AgentVersion) -> None:
    versions(cast).update(max_steps=None, max_tokens=None, max_usd=None, max_seconds=None)

    findings = check_version(AgentVersion.objects.get(pk=version.pk))
    assert [finding.code for finding in findings] == ["no_budget"] * 4


def test_end_of_the_identity_is_an_expiry_too(cast: Cast, version: AgentVersion) -> None:
    versions(cast).update(run_expires_after_s=None)
    agents(cast).update(expires_at=timezone.now() + timedelta(days=1))

    assert codes(version) == set()


def test_approver_may_be_named_in_person(cast: Cast, version: AgentVersion) -> None:
    cast.fiona.groups.clear()
    dora = PersonFactory.create()
    give_second_factor(dora)
    assign_perm("approve_calls", dora, Tool.objects.get(name="refund"))

    assert codes(version) == set()


def test_superuser_is_no_approver_by_rank(cast: Cast, version: AgentVersion) -> None:
    cast.fiona.groups.clear()
    give_second_factor(cast.ada)

    assert codes(version) == {"no_approver"}


def test_no_machine_is_an_approver(cast: Cast, version: AgentVersion) -> None:
    cast.fiona.groups.clear()
    account = cast.application.service_account
    give_second_factor(account)
    assign_perm("approve_calls", account, Tool.objects.get(name="refund"))

    assert codes(version) == {"no_approver"}


def test_demo_does_without_the_device_only(cast: Cast, version: AgentVersion, settings: LazySettings) -> None:
    settings.DEMO = True
    lose_device(cast)
    assert codes(version) == set()
    lose_fiona(cast)
    assert codes(version) == {"no_approver"}


def test_reversible_tool_over_its_caps_needs_an_approver(cast: Cast, version: AgentVersion) -> None:
    regrant("look_up", decision="ALLOW_WITH_CAPS", over_caps="REQUIRE_APPROVAL")(cast)

    assert codes(version) == {"no_approver"}


def test_standing_waiver_is_a_human_twice_over(cast: Cast, version: AgentVersion) -> None:
    waiver = {
        "decision": "ALLOW_WITH_CAPS",
        "waived_by": cast.ada,
        "countersigned_by": cast.bob,
        "waived_version_digest": version.catalogue.get(tool__name="refund").digest,
        "waiver_reason": "small sums",
        "waiver_expires_at": timezone.now() + timedelta(days=1),
    }
    regrant("refund", **waiver)(cast)
    assert codes(version) == set()
    for lapsed in ({"waiver_expires_at": long_ago()}, {"waived_version_digest": "e" * 64}):
        regrant("refund", **{**waiver, **lapsed})(cast)
        assert codes(version) == {"irreversible_without_human"}


def test_two_versions_of_one_tool(cast: Cast, version: AgentVersion) -> None:
    newer = ToolVersionFactory.create(tool=Tool.objects.get(name="look_up"), reads=True)
    version.catalogue.add(newer)

    assert codes(version) == {"tool_twice"}


# What the database refuses anyway is found all the same, should its constraints be lost.


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, set()),
        ({"effect": ""}, {"no_effect_class"}),
        ({"effect": "harmless"}, {"no_effect_class"}),
        ({"effect": None}, {"no_effect_class"}),
        ({"timeout_s": 0.0}, {"no_timeout"}),
        ({"timeout_s": -5.0}, {"no_timeout"}),
        ({"timeout_s": None}, {"no_timeout"}),
        ({"timeout_s": math.nan}, {"no_timeout"}),
        ({"timeout_s": math.inf}, {"no_timeout"}),
        ({"idempotency": ""}, {"no_idempotency"}),
        ({"idempotency": "perhaps"}, {"no_idempotency"}),
        ({"idempotency": None}, {"no_idempotency"}),
        (
            {"effect": "", "timeout_s": 0.0, "idempotency": ""},
            {"no_effect_class", "no_timeout", "no_idempotency"},
        ),
    ],
)
def test_each_missing_declaration_is_found(
    changes: dict[str, Any],  # Any: fields of a tool version
    expected: set[str],
) -> None:
    declared = {"effect": "read", "timeout_s": 5.0, "idempotency": "none", **changes}
    unsaved = ToolVersion(tool=Tool(name="look_up"), number=1, **declared)

    found = list(version_preflight._check_declarations(unsaved))
    assert {finding.code for finding in found} == expected
    assert all(finding.subject == "look_up v1" and finding.remedy for finding in found)


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize(
    ("column", "value", "constraint"),
    [
        ("effect", "", "tool_version_has_effect_class"),
        ("effect", "harmless", "tool_version_has_effect_class"),
        ("effect", None, "not-null"),
        ("timeout_s", 0.0, "tool_version_has_timeout"),
        ("timeout_s", -5.0, "tool_version_has_timeout"),
        ("timeout_s", None, "not-null"),
        ("idempotency", "", "tool_version_declares_idempotency"),
        ("idempotency", "perhaps", "tool_version_declares_idempotency"),
        ("idempotency", None, "not-null"),
    ],
)
def test_the_database_takes_no_tool_version_without_it(
    column: str, value: float | str | None, constraint: str
) -> None:
    complete = ToolVersionFactory.create()
    assert insert_copy(complete, number=2) == 1
    with pytest.raises(IntegrityError, match=constraint):
        insert_copy(complete, number=3, **{column: value})


def insert_copy(version: ToolVersion, **changes: Any) -> int:
    """Insert the row again past Django, under a new id and with these columns; return how many came to be."""
    columns = [str(field.column) for field in ToolVersion._meta.concrete_fields]
    values = [sql.Placeholder() if name in changes else sql.Identifier(name) for name in columns[1:]]
    statement = sql.SQL(
        "INSERT INTO tools_toolversion ({}) SELECT gen_random_uuid(), {} FROM tools_toolversion WHERE id = %s"
    ).format(sql.SQL(", ").join(map(sql.Identifier, columns)), sql.SQL(", ").join(values))
    given = [changes[name] for name in columns if name in changes]
    with connection.cursor() as cursor:
        cursor.execute(statement, [*given, version.pk])
        inserted: int = cursor.rowcount
        return inserted

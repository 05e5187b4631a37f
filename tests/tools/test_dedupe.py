"""The window of the same effect, where it is looked at before the call and in the transaction that starts it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction

from agentops.database import borrowed
from agentops.identifiers import new_id
from tests.cast import Cast
from tests.factories import ToolVersionFactory
from tests.rewriting import rewrite_text
from tests.tools.execution import NOBODY, make_call
from tools import dedupe, standing
from tools.assessment import Assessment, refuse
from tools.catalogue import read_spec
from tools.models import EffectRecord
from tools.standing import Question, read_standing

pytestmark = pytest.mark.django_db(transaction=True)

STARTED = datetime(2026, 11, 22, 12, tzinfo=UTC)
WINDOW_S = 60
AGES = [
    (timedelta(seconds=WINDOW_S - 1), False),
    (timedelta(seconds=WINDOW_S) - timedelta(microseconds=1), False),
    (timedelta(seconds=WINDOW_S), True),
    (timedelta(seconds=WINDOW_S + 1), True),
]


@pytest.fixture
def again(cast: Cast) -> Assessment:
    """The assessment of an effect that was started under another key at ``STARTED``."""
    version = ToolVersionFactory.create(
        tool__team=cast.team, dedupe_on=["order_id"], dedupe_window_s=WINDOW_S
    )
    EffectRecord.objects.create(
        key="one", identity=cast.agent, tool_version=version, dedupe_digest="d" * 64, state="succeeded",
        stream_id=new_id(), started_at=STARTED,
    )  # fmt: skip
    call = make_call(read_spec(version.pk), key="other", identity_id=cast.agent.pk)
    return replace(refuse(call, "", "", "tool"), dedupe_digest="d" * 64)


def is_seen(again: Assessment, now: datetime) -> bool:
    """Return whether assessing a call would find the effect."""
    call = again.call
    since = now - timedelta(seconds=call.spec.dedupe_window_s)
    question = Question(
        call.identity_id, call.spec.tool_id, NOBODY, call.run_id, now, call.key, again.dedupe_digest, since
    )
    with borrowed() as lent:
        return bool(read_standing(lent, question).seen)


def is_first(again: Assessment, now: datetime) -> bool:
    """Return whether the transaction that starts the attempt would let it."""
    with transaction.atomic(), connection.cursor() as cursor:
        return dedupe.is_first_of_its_kind(cursor, again, now)


@pytest.mark.parametrize(("age", "passed"), AGES)
def test_the_same_effect_is_another_once_its_window_has_passed(
    again: Assessment, age: timedelta, passed: bool
) -> None:
    assert is_seen(again, STARTED + age) is not passed
    assert is_first(again, STARTED + age) is passed


def test_without_the_window_it_is_the_same_for_ever(
    again: Assessment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutants."""
    later = STARTED + timedelta(days=999)
    rewrite_text(monkeypatch, dedupe, "_OTHERS", "started_at > %s", "%s::timestamptz IS NOT NULL")
    rewrite_text(
        monkeypatch,
        standing,
        "_STANDING_OF_WRITE",
        "started_at > $11::timestamptz",
        "$11::timestamptz IS NOT NULL",
    )
    assert is_seen(again, later)
    assert not is_first(again, later)

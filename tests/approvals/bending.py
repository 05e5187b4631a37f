"""What the database refuses by itself, done by hands that nobody should have: the owner's, with the triggers off."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import sql

TRIGGERS = [
    ("approvals_approvalrequest", "approvals_approvalrequest_approved"),
    ("approvals_approvalrequest", "approvals_approvalrequest_final"),
    ("approvals_approvalparent", "approvals_approvalparent_final"),
    ("approvals_approvaldecision", "approvals_approvaldecision_apart"),
    ("approvals_approvaldecision", "approvals_approvaldecision_by_edit"),
    ("approvals_approvalstage", "approvals_approvalstage_final"),
    ("approvals_stagegroup", "approvals_stagegroup_final"),
    ("approvals_absence", "approvals_absence_governed"),
    ("approvals_approvalrule", "approvals_approvalrule_governed"),
    ("approvals_secondlook", "approvals_secondlook_final"),
]


def _switch(word: str) -> None:
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"]) as owner:
        for table, trigger in TRIGGERS:
            statement = sql.SQL("ALTER TABLE {} {} TRIGGER {}")
            owner.execute(statement.format(sql.Identifier(table), sql.SQL(word), sql.Identifier(trigger)))


@contextmanager
def unguarded() -> Iterator[None]:
    """Switch off what the database holds of approvals, within the block; needs a test that commits."""
    _switch("DISABLE")
    try:
        yield
    finally:
        _switch("ENABLE")


@pytest.fixture
def no_database_guards() -> Iterator[None]:
    """Switch it off for a whole test."""
    with unguarded():
        yield

"""What runs ask of people and of end users, as rows: for lists and permissions, not for driving."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone

from approvals.models import Confirmation
from runs.models import DeadLetter, Extension, Memory, Run
from tests.cast import Cast
from tests.factories import PrincipalFactory
from tools.models import ToolVersion


def asked_extension(cast: Cast, run: Run) -> Extension:
    """Have a run ask for steps."""
    now = timezone.now()
    made: Extension = Extension.objects.create(
        run=run, team=run.team, identity=run.identity, owner=cast.alice, limit="steps", most_steps=6,
        most_tokens=50_000, most_usd=Decimal(1), most_seconds=45, created_at=now,
        expires_at=now + timedelta(hours=1),
    )  # fmt: skip
    return made


def asked_confirmation(cast: Cast, version: ToolVersion) -> Confirmation:
    """Have a user of the application be asked."""
    now = timezone.now()
    made: Confirmation = Confirmation.objects.create(
        team=cast.team, tool=version.tool, tool_version=version, identity=cast.agent,
        principal=PrincipalFactory.create(team=cast.team), application=cast.application,
        subject_ref="0192a1b2-0000-7000-8000-000000000001", wake_task="runs.drive", key="k", digest="d" * 64,
        effect=version.effect, created_at=now, expires_at=now + timedelta(hours=1), good_for_s=600,
    )  # fmt: skip
    return made


def parked_letter(run: Run) -> DeadLetter:
    """Have a run parked."""
    made: DeadLetter = DeadLetter.objects.create(
        run=run, team=run.team, reason="driver_died", attempts=8, entry=1, parked_at=timezone.now()
    )
    return made


def kept_note(run: Run, **changes: Any) -> Memory:
    """Have a run have noted something that waits for a person's word."""
    now = timezone.now()
    row = {
        "identity": run.identity, "principal": run.principal, "run": run, "step": 1, "call": 1, "text": "Likes tea.",
        "label": "untrusted", "sensitive": False, "state": "quarantined", "written_at": now,
        "expires_at": now + timedelta(days=90), **changes,
    }  # fmt: skip
    made: Memory = Memory.objects.create(**row)
    return made

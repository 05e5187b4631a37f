"""Verbs on evaluation sets, called alike by the console, the API, the terminal and documents: save, drop."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from agentops.canonical import keyed_digest
from agentops.errors import NotFound, StateConflict, ValidationFailed
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from agentops.rows import Changes, check_fields
from agentops.text import is_blank
from identities.factors import require_fresh_factor
from identities.models import AgentIdentity, User
from identities.policies import require
from runs.evaluation.declared import MOST_CASES, Case, read_cases
from runs.fulfilment.declared import Undeclarable
from runs.models import EvaluationCase, EvaluationSet

EDIT = "runs.change_evaluationset"
Written = Sequence[dict[str, Any]]  # Any: JSON, as ``declared.read_case`` has it


@dataclass(frozen=True, slots=True)
class SetSpec:
    """A set as somebody describes it. ``cases`` are those that are written by hand; those made of runs stay."""

    name: str
    cases: Written = ()
    description: str = ""
    gating: bool = False
    pass_rate: Decimal = Decimal(1)


@transaction.atomic
def save_set(*, actor: User, identity: AgentIdentity, spec: SetSpec) -> tuple[EvaluationSet, Changes]:
    """Write a set of an agent, new or as it is to be from now on; return it with what changed.

    A set that gates, and one whose cases change, makes what was found by it so far say nothing of how it stands now.
    Raises PolicyDenied, ValidationFailed for what is no set.
    """
    require(actor, EDIT, identity.team)
    require_fresh_factor(actor)
    check_cases(spec.cases)
    locked = _lock_or_begin(identity, spec.name)
    changes = _change_row(locked, spec)
    if changed := _change_cases(locked, spec.cases):
        changes["cases"] = changed
    _check_whole(locked)
    if changes:
        refresh_digest(locked)
        _record(locked, "evaluation_set.saved", actor)
    return locked, changes


@transaction.atomic
def drop_set(*, actor: User, evaluation_set: EvaluationSet, reason: str) -> EvaluationSet:
    """Take a set out of use, with its cases; what was found by it stays on record."""
    require(actor, EDIT, evaluation_set.identity.team)
    require_fresh_factor(actor)
    if is_blank(reason):
        raise ValidationFailed("reason_missing", "say why it is dropped")
    locked = lock_set(evaluation_set)
    locked.cases.all().delete()
    locked.dropped_at = timezone.now()
    locked.save(update_fields=["dropped_at"])
    _record(locked, "evaluation_set.dropped", actor, {"reason": reason})
    return locked


@transaction.atomic
def drop_case(*, actor: User, case: EvaluationCase) -> EvaluationSet:
    """Take one case out of its set."""
    require(actor, EDIT, case.evaluation_set.identity.team)
    require_fresh_factor(actor)
    locked = lock_set(case.evaluation_set)
    locked.cases.filter(pk=case.pk).delete()
    _check_whole(locked)
    refresh_digest(locked)
    _record(locked, "evaluation_set.saved", actor)
    return locked


def find_set(viewer: User, set_id: Any) -> EvaluationSet:  # Any: a UUID, or what an address says
    """Return a set that somebody may see; raises NotFound."""
    rows = EvaluationSet.objects.visible_to(viewer).select_related("identity__team")
    found = rows.filter(pk=set_id).first()
    if found is None:
        raise NotFound("unknown_evaluation_set", "There is no such set, or it is not for you to see.")
    return found


def check_cases(written: Written) -> tuple[Case, ...]:
    """Return cases as they are read; raises ValidationFailed for what is none."""
    try:
        cases = read_cases(list(written))
    except Undeclarable as error:
        raise ValidationFailed("bad_case", str(error)) from error
    if "\\u0000" in json.dumps(list(written)):
        raise ValidationFailed("bad_case", "the database keeps no texts with a zero character")
    for case in cases:
        if len(case.message) > settings.REQUEST_TEXT_LIMIT:
            raise ValidationFailed(
                "bad_case", f"{case.name}: at most {settings.REQUEST_TEXT_LIMIT} characters"
            )
    return cases


def lock_set(evaluation_set: EvaluationSet) -> EvaluationSet:
    """Return a set, held until the commit; raises StateConflict for one that was dropped."""
    rows = EvaluationSet.objects.select_for_update(of=("self",)).select_related("identity__team")
    locked = rows.get(pk=evaluation_set.pk)
    if locked.dropped_at is not None:
        raise StateConflict("set_dropped", "the set was dropped; nothing was changed")
    return locked


def add_case(locked: EvaluationSet, written: dict[str, Any], source: Any, actor: User) -> EvaluationCase:
    """Add a case to a set whose row is held. ``source`` is the run that it was made of. Any: JSON; a Run."""
    check_cases([written])
    if locked.cases.filter(name=written["name"]).exists():
        raise StateConflict("name_taken", "the set has a case of this name")
    last = locked.cases.aggregate(last=Max("place"))["last"] or 0
    made = EvaluationCase.objects.create(
        evaluation_set=locked, place=last + 1, name=written["name"], written=written, source_run=source
    )
    _check_whole(locked)
    refresh_digest(locked)
    _record(locked, "evaluation_set.saved", actor)
    return made


def refresh_digest(locked: EvaluationSet) -> None:
    """Name a set whose row is held by what its cases say now, in their order; keyed, as they may be anybody's words."""
    locked.digest = keyed_digest([case.written for case in locked.cases.order_by("place", "id")])
    locked.save(update_fields=["digest"])


def _lock_or_begin(identity: AgentIdentity, name: str) -> EvaluationSet:
    # Held, so that two who save a set of one name come one after the other.
    AgentIdentity.objects.select_for_update(no_key=True).get(pk=identity.pk)
    rows = EvaluationSet.objects.select_for_update(of=("self",))
    found = rows.filter(identity=identity, name=name, dropped_at=None).first()
    return found or EvaluationSet(identity=identity, name=name)


def _change_row(row: EvaluationSet, spec: SetSpec) -> Changes:
    is_new = row._state.adding
    if is_blank(spec.name) or not spec.name.isprintable():
        raise ValidationFailed("bad_name", "a set's name is a line of 1 to 64 characters")
    values = {name: getattr(spec, name) for name in ("description", "gating", "pass_rate")}
    changes: Changes = {
        name: (None if is_new else getattr(row, name), value)
        for name, value in values.items()
        if is_new or getattr(row, name) != value
    }
    for name, value in values.items():
        setattr(row, name, value)
    row.digest = row.digest or keyed_digest([])
    check_fields(row)
    row.save()
    return changes


def _change_cases(row: EvaluationSet, written: Written) -> tuple[object, object] | None:
    """Put written cases in the place of those before them, and in front of those that were made of runs."""
    before = list(row.cases.filter(source_run=None))
    if [case.written for case in before] == list(written):
        return None
    row.cases.filter(source_run=None).delete()
    made = row.cases.order_by("place", "id")
    for place, case in enumerate(made, start=len(written) + 1):
        if case.name in {each["name"] for each in written}:
            raise StateConflict("name_taken", f"{case.name} is the name of a case that was made of a run")
        EvaluationCase.objects.filter(pk=case.pk).update(place=place)
    EvaluationCase.objects.bulk_create(
        EvaluationCase(evaluation_set=row, place=place, name=each["name"], written=each)
        for place, each in enumerate(written, start=1)
    )
    return {case.name: case.written for case in before}, {each["name"]: each for each in written}


def _check_whole(row: EvaluationSet) -> None:
    number = row.cases.count()
    if number > MOST_CASES:
        raise ValidationFailed("too_many_cases", f"a set has at most {MOST_CASES} cases")
    if row.gating and not number:
        raise ValidationFailed(
            "no_cases", "a set without cases would keep every version from being published"
        )


def _record(row: EvaluationSet, kind: str, actor: User, content: dict[str, str] | None = None) -> None:
    facts = {
        "identity": str(row.identity_id),
        "gating": row.gating,
        "pass_rate": str(row.pass_rate),
        "cases": row.cases.count(),
        "digest": row.digest,
    }
    told = {"name": row.name, **(content or {})}
    record(row.pk, "evaluation_set", Draft(kind, timezone.now(), facts, told, actor.pk))

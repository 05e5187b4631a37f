"""Editing a call before approving it: a form with its arguments, a look at what it would be, and the yes to that."""

from __future__ import annotations

import json
from functools import reduce
from typing import Any

from django.forms import BoundField
from django.http import HttpRequest

from agentops.console.security_keys import offers_keys, take_signature
from agentops.console.sources import find_in, mark_at
from agentops.errors import AgentOpsError, ValidationFailed
from agentops.strict_json import MAX_DEPTH, MalformedJSON, decode_json
from approvals.edits import Look, edit_call, look_at_edit
from approvals.models import ApprovalDecision, ApprovalRequest
from approvals.policies import may_decide
from approvals.rules import tell_stages
from approvals.services import read_evidence
from approvals.stages import DEFAULT_STAGES
from identities.acting import acting_person
from identities.factors import has_fresh_factor
from tools.admin.schema_form import ArgumentsForm, fill_form
from tools.catalogue import read_spec
from tools.previews.wording import tell

HAVE = "have"  # what the button of the second step says: have it made like this


def form_of(request: HttpRequest, asked: ApprovalRequest) -> ArgumentsForm:
    """Return the form with the arguments that wait, or with what was filled in."""
    schema = read_spec(asked.tool_version_id).input_schema
    if request.method == "POST" and "arguments" not in request.POST:
        return ArgumentsForm(request.POST, schema=schema)
    before = (read_evidence(asked) or {}).get("arguments") or {}
    wanted = _read(request) if "arguments" in request.POST else before
    return ArgumentsForm(
        schema=schema, initial=fill_form(schema, wanted if isinstance(wanted, dict) else before)
    )


def _read(request: HttpRequest) -> Any:  # Any: JSON
    try:
        return decode_json(request.POST.get("arguments", ""), max_depth=MAX_DEPTH)
    except MalformedJSON:
        return None


def look(request: HttpRequest, asked: ApprovalRequest, form: ArgumentsForm) -> Look | None:
    """Return what the call would be as it was filled in; None where the form itself has faults. Raises as the verb."""
    if form.is_bound and not form.is_valid():
        return None
    arguments = form.cleaned_data["arguments"] if form.is_bound else _read(request)
    digest = request.POST.get("digest", "")
    return look_at_edit(actor=acting_person(request), request=asked, arguments=arguments, digest=digest)


def have(request: HttpRequest, asked: ApprovalRequest) -> ApprovalRequest:
    """Have the call made as it was looked at."""
    edited = request.POST.get("edited", "")
    return edit_call(
        actor=acting_person(request), request=asked, arguments=_read(request), digest=request.POST.get("digest", ""),
        edited=edited, reason=request.POST.get("reason", "").strip(), channel=ApprovalDecision.Channel.CONSOLE,
        second_factor=has_fresh_factor(acting_person(request)), signature=take_signature(request, f"edit:{edited}"),
    )  # fmt: skip


def edit_context(
    request: HttpRequest,
    asked: ApprovalRequest,
    form: ArgumentsForm,
    seen: Look | None,
    error: AgentOpsError | None,
) -> dict[str, Any]:
    """Return what the page needs: the form, and what the call would be where somebody has looked."""
    refusal = may_decide(acting_person(request), asked, second_factor=True)
    return {
        "asked": asked,
        "form": form,
        "fields": _mark_fields(asked, form),
        "refusal": "" if refusal.allowed else refusal.detail,
        "problem": (error.detail or error.code) if error else "",
        "stale": error is not None and not isinstance(error, ValidationFailed),
        "needs_code": not has_fresh_factor(acting_person(request)),
        "has_key": offers_keys(request),
        "given_reason": request.POST.get("reason", ""),
        **({} if seen is None else _tell(seen)),
    }


def _mark_fields(asked: ApprovalRequest, form: ArgumentsForm) -> list[tuple[BoundField, list[str]]]:
    """Return the form's fields, each with where the value comes from that the agent proposed for it."""
    marks = (read_evidence(asked) or {}).get("marks")
    found = {slot.name: find_in(reduce(mark_at, slot.path, marks)) for slot in form.slots}
    return [(field, found.get(field.name, [])) for field in form.visible_fields()]


def _tell(seen: Look) -> dict[str, Any]:
    stages = seen.rule.stages if seen.rule else DEFAULT_STAGES
    return {
        "seen": seen,
        "told": tell((seen.words or {}).get("preview")),
        "arguments": json.dumps(seen.arguments, ensure_ascii=False),
        "whose": tell_stages(stages) if seen.asks else "",
        "reason_needed": seen.asks and seen.rule is not None and seen.rule.reason_required,
    }

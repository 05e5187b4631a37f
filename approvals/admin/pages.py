"""What a person needs to see to decide about one request."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from agentops.console.panels import panels_for
from agentops.console.security_keys import offers_keys
from approvals.denials import read_presets
from approvals.history import read_edit, tell_edit
from approvals.likeness import read_likeness
from approvals.models import ApprovalDecision, ApprovalRequest, PassedRequest
from approvals.models.requests import Factor
from approvals.pace import read_rest_in_words
from approvals.passing_on import tell_others
from approvals.policies import may_decide
from approvals.services import read_evidence, read_reasons
from approvals.stages import read_stages
from identities.acting import acting_person
from identities.factors import has_fresh_factor
from identities.models import User
from tools.previews.wording import tell


def request_context(request: HttpRequest, user: User, asked: ApprovalRequest) -> dict[str, Any]:
    """Return the context of the pane at the right: the statement, its grounds, and the decision."""
    evidence = read_evidence(asked)
    likeness = read_likeness(asked, evidence)
    is_odd = asked.state == ApprovalRequest.State.WAITING and bool(likeness.leaves)
    return {
        "asked": asked,
        "evidence": evidence or {},
        "erased": evidence is None,
        "seen": [_readable(item) for item in (evidence or {}).get("evidence", ())],
        "told": tell((evidence or {}).get("preview")),
        "newer": _find_newer(asked),
        "before": dict(likeness.counted),
        "likeness": likeness,
        "argued_first": is_odd
        and bool((evidence or {}).get("arguments")),  # what is odd about them comes first
        **after_context(request, asked),
        **decision_context(request, user, asked),
    }


def after_context(request: HttpRequest, asked: ApprovalRequest) -> dict[str, Any]:
    """Return the panels of the apps above, and whether one of them says that things are still moving."""
    panels = panels_for(ApprovalRequest._meta.label_lower, request, asked)
    return {"asked": asked, "panels": panels, "moving": any(shown.context.get("moving") for shown in panels)}


def _readable(item: dict[str, Any]) -> dict[str, Any]:
    """Return an excerpt as the JSON that it is, or as text where it was cut off."""
    excerpt = item.get("excerpt", "")
    try:
        return {**item, "value": json.loads(excerpt)}
    except ValueError:
        return {**item, "value": f"{excerpt}…"}


def decision_context(request: HttpRequest, user: User, asked: ApprovalRequest) -> dict[str, Any]:
    """Return the context of the decision: the form while it waits, who decided what when it does not."""
    if asked.state == ApprovalRequest.State.WAITING:
        stages = read_stages([asked])[asked.pk]
        refusal = may_decide(user, asked, second_factor=True)
        return {
            "asked": asked,
            # What waits has been decided by nobody but those who said yes.
            "decisions": _read_decisions(asked) if any(stage.given for stage in stages) else [],
            "stages": stages,
            "refusal": refusal.detail,
            "absence": refusal.absence,
            **rest_context(user, asked),
            "needs_code": not has_fresh_factor(acting_person(request)),
            "takes_key": asked.factor == Factor.KEY,
            "has_key": offers_keys(request),
            "presets": read_presets([asked.team_id])[asked.team_id],
        }
    decisions = _read_decisions(asked)
    followed_by = asked.followed_by.first() if asked.state in ("edited", "asked") else None
    edit = read_edit(asked.pk) if asked.state == "edited" else None
    return {
        "asked": asked, "decisions": decisions, "followed_by": followed_by, "edit": tell_edit(edit) if edit else None
    }  # fmt: skip


def rest_context(user: User, asked: ApprovalRequest) -> dict[str, Any]:
    """Return whether this person rests and to whom the request is left then, and from whom it was passed on."""
    now = timezone.now()
    rest = read_rest_in_words(user, asked.team_id)
    passed = PassedRequest.objects.filter(request=asked, until__gt=now).exclude(person=user)
    return {
        "rest": rest,
        "left_to": tell_others(asked, user, now) if rest else "",
        "passed": passed.select_related("person").order_by("at"),
    }


def _read_decisions(asked: ApprovalRequest) -> list[tuple[ApprovalDecision, str]]:
    """Return who has decided, each with their words, the first first."""
    decisions = asked.decisions.select_related("decided_by", "deputy_for", "absence").order_by("decided_at")
    reasons = read_reasons(asked) if decisions else {}
    return [(decision, reasons.get(decision.decided_by_id, "")) for decision in decisions]


def _find_newer(asked: ApprovalRequest) -> ApprovalRequest | None:
    """Return the request that took the place of one that is void, for the same call."""
    if asked.state != ApprovalRequest.State.VOIDED:
        return None
    same = ApprovalRequest.objects.filter(subject_ref=asked.subject_ref, key=asked.key, team=asked.team_id)
    later = same.filter(created_at__gt=asked.created_at)
    return later.order_by("-created_at").first()

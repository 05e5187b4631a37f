"""Setting an agent up, step by step: what is reviewed is a provisioning document, and that is what is applied.

What was filled in is kept in the person's session and checked again at every step, so nothing that a page sends is
believed for having been on an earlier one.
"""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import UUID

import yaml
from django.contrib import admin, messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from agentops.console.navigation import Destination, register_destination
from agentops.console.rights import holds_somewhere
from agentops.errors import AgentOpsError, StateConflict
from identities.acting import acting_person
from identities.admin.changes import lead_to_proposal
from identities.changes.deciding import find_checkers
from identities.models import AgentIdentity, ChangeProposal, Team
from runs.admin.blast_radius import describe_blast_radius
from runs.admin.provisioning_forms import STEPS, Document, Step
from runs.blast_radius import read_blast_radius
from runs.provisioning import Plan, apply_document
from runs.provisioning.beginning import begin_agent
from tools.admin.tools import read_approvers
from tools.services.grants import PERMISSION

KEY = "provisioning"
REVIEW = "review"
STEP, BEGIN = "admin:runs_provisioning", "admin:runs_begin"


def may_set_up(request: HttpRequest) -> bool:
    """Whether this person may create agents somewhere; the services decide again."""
    return holds_somewhere(acting_person(request), "identities.add_agentidentity")


def provisioning_view(request: HttpRequest, step: str = "") -> HttpResponse:
    """Show a step and keep what it is given; a step whose earlier ones are not filled in leads back to them."""
    if not may_set_up(request):
        messages.warning(request, "You may not create agents in any team.")
        return HttpResponseRedirect(reverse("admin:index"))
    if "restart" in request.POST:
        request.session.pop(KEY, None)
        return _to(next(iter(STEPS)))
    filled = _read_steps(request, until=step)
    missing = next((name for name in STEPS if name not in filled and name != step), REVIEW)
    order = [*STEPS, REVIEW]
    if step not in order or order.index(missing) < order.index(step):
        return _to(missing)
    if step == REVIEW:
        return _review(request, filled)
    return _serve_step(request, step, filled)


def begin_view(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """Ask once more, with what the draft could do at worst, and let it act."""
    person = acting_person(request)
    agent = AgentIdentity.objects.visible_to(person).filter(pk=agent_id, state="draft").first()
    if agent is None:
        messages.warning(request, "There is no such draft, or it belongs to a team that you are not in.")
        return HttpResponseRedirect(reverse("admin:index"))
    problem = ""
    if request.method == "POST":
        try:
            proposal = begin_agent(actor=person, agent=agent)
        except AgentOpsError as error:
            problem = f"{(error.detail or error.code).rstrip('.')}. Nothing was changed."
        else:
            if proposal is not None:
                return lead_to_proposal(request, proposal)
            messages.success(request, f"{agent} may act now.")
            return HttpResponseRedirect(reverse("admin:identities_agentidentity_change", args=[agent.pk]))
    context = {
        "agent": agent,
        "panel": describe_blast_radius(read_blast_radius(agent)),
        "proposed": ChangeProposal.objects.visible_to(person).waiting(timezone.now()).about(agent),
        "problem": problem,
        "title": f"Let {agent} act?",
    }
    everything = {**admin.site.each_context(request), **context}
    return TemplateResponse(request, "runs/begin.html", everything, status=422 if problem else 200)


def _serve_step(request: HttpRequest, step: str, filled: dict[str, Step]) -> HttpResponse:
    sent = request.POST.dict() if request.method == "POST" else None
    form = _make_form(request, step, filled, _kept(request).get(step) if sent is None else sent)
    if sent is not None and form.is_valid():
        names = [name for name in form.fields if name in sent]
        request.session[KEY] = {
            "person": str(request.user.pk),
            "steps": {**_kept(request), step: {name: sent[name] for name in names}},
        }
        order = [*STEPS, REVIEW]
        return _to(order[order.index(step) + 1])
    context = {"form": form, "asked": _asked(filled) if step == "approvers" else []}
    return _render(request, step, context, failed=sent is not None)


def _review(request: HttpRequest, filled: dict[str, Step]) -> HttpResponse:
    """Show what would be applied and what it could do; on POST apply that, if it is still that."""
    person, text = acting_person(request), write_document(filled)
    problem = ""
    plan, panel = Plan(), None
    try:
        plan, panel = _rehearse(request, text)
        if request.method == "POST":
            if request.POST.get("seen") != _seal(text, plan):
                raise StateConflict(
                    "plan_changed", "something changed since this was shown: look at it again"
                )
            apply_document(actor=person, text=text, variables={}, expected=plan)
            request.session.pop(KEY, None)
            agent = AgentIdentity.objects.get(slug=filled["purpose"].cleaned_data["slug"])
            return HttpResponseRedirect(reverse(BEGIN, args=[agent.pk]))
    except AgentOpsError as error:
        problem = f"{(error.detail or error.code).rstrip('.')}. Nothing was changed."
    shown = {
        "plan": str(plan),
        "waiting": plan.waiting,
        "document": text,
        "panel": panel,
        "seen": _seal(text, plan),
        "problem": problem,
    }
    return _render(request, REVIEW, shown, failed=bool(problem))


def write_document(filled: dict[str, Step]) -> str:
    """Return the provisioning document that the steps come to."""
    document: Document = {"format": "agentops/1", "agents": {}, "versions": {}, "budgets": []}
    for form in filled.values():
        form.contribute(document)
    return str(yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100))


def _rehearse(request: HttpRequest, text: str) -> tuple[Plan, dict[str, Any]]:
    """Return what would be applied, and what the agent could do at worst once all of that is signed."""
    person = acting_person(request)
    # Without variables: a text of a person here must not show what the installation knows.
    plan = apply_document(actor=person, text=text, variables={}, dry_run=True)
    ((slug, agent),) = yaml.safe_load(text)["agents"].items()
    team = Team.objects.get(slug=agent["team"])
    with transaction.atomic():
        second = next(iter(find_checkers(PERMISSION, team, person)), None)
        apply_document(actor=person, text=text, variables={}, second=second)
        panel = describe_blast_radius(read_blast_radius(AgentIdentity.objects.get(slug=slug)))
        transaction.set_rollback(True)
    return plan, {**panel, "nobody_signs": bool(plan.waiting) and second is None}


def _seal(text: str, plan: Plan) -> str:
    return hashlib.sha256(f"{text}\n{plan}".encode()).hexdigest()


def _read_steps(request: HttpRequest, until: str) -> dict[str, Step]:
    """Return the steps before one that are filled in and still valid, as bound forms."""
    kept, filled = _kept(request), dict[str, Step]()
    for name in STEPS:
        if name == until or name not in kept:
            break
        form = _make_form(request, name, filled, kept[name])
        if not form.is_valid():
            break
        filled[name] = form
    return filled


def _make_form(request: HttpRequest, step: str, filled: dict[str, Step], data: dict[str, str] | None) -> Step:
    earlier = {name: form.cleaned_data for name, form in filled.items()}
    return STEPS[step][1](data, person=acting_person(request), earlier=earlier)


def _kept(request: HttpRequest) -> dict[str, dict[str, str]]:
    """Return what this person has filled in; another person's session data is none of theirs."""
    kept = request.session.get(KEY, {})
    steps: dict[str, dict[str, str]] = (
        kept.get("steps", {}) if kept.get("person") == str(request.user.pk) else {}
    )
    return steps


def _asked(filled: dict[str, Step]) -> list[tuple[str, str]]:
    """Return each tool that a person is asked about, and who that is."""
    tools = filled["tools"]
    found = []
    for tool, version in getattr(tools, "offered", []):
        decision = tools.cleaned_data.get(f"{tool.name}:decision")
        if decision == "REQUIRE_APPROVAL" or (decision and version.effect == "irreversible"):
            found.append((tool, ", ".join(read_approvers(tool))))
    return found


def _render(request: HttpRequest, step: str, context: dict[str, Any], *, failed: bool) -> HttpResponse:
    titles = {**{name: title for name, (title, _) in STEPS.items()}, REVIEW: "Review"}
    everything = {
        **admin.site.each_context(request),
        "title": f"Set up an agent: {titles[step]}",
        "step": step,
        "trail": [(name, title, name in _kept(request)) for name, title in titles.items()],
        **context,
    }
    return TemplateResponse(request, "runs/provisioning.html", everything, status=422 if failed else 200)


def _to(step: str) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse(STEP, args=[step]))


register_destination(
    Destination(
        "Set up an agent", "admin:runs_provisioning_start", order=41, section="Govern", shown=may_set_up
    )
)

"""The addresses that ``bench pages`` asks for: every list of the console, and the page of one of each thing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.urls import NoReverseMatch, reverse

from agentops.ledger.models import Stream
from approvals.models import ApprovalBatch, ApprovalRequest
from identities.models import User
from runs.models import Run
from tools.models import DecisionTableVersion, ServerTool

INBOX = "admin:approvals_approvalrequest_changelist"
# Pages that are neither a list nor about one thing.
OTHERS = {
    "dashboard": "admin:index",
    "rail": "admin:rail",
    "review together": "admin:approvals_approvalrequest_together",
    "oversight": "admin:approvals_oversightrule_report",
    "held": "admin:runs_run_held",
    "start a run": "admin:runs_run_add",
    "preflight": "admin:runs_preflight",
}


def list_pages(request: ApprovalRequest, run: Run) -> Iterator[tuple[str, str]]:
    """Yield the name and the address of each page; of the large tables the rows that were made for it are shown."""
    for name, url_name in OTHERS.items():
        yield name, reverse(url_name)
    yield "inbox, narrowed", f"{reverse(INBOX)}?effect=reversible&age=5m"
    yield "inbox, decided", f"{reverse(INBOX)}?tab=decided"
    yield "runs, narrowed", f"{reverse('admin:runs_run_changelist')}?state__exact=requires_action"
    yield "runs, searched", f"{reverse('admin:runs_run_changelist')}?q=nobody"
    yield from _special_pages(request, run)
    person = User.objects.filter(kind=User.Kind.PERSON).first()
    shown = {ApprovalRequest: request, Run: run, Stream: Stream.objects.get(pk=run.pk), User: person}
    for model in sorted(admin.site._registry, key=lambda each: each._meta.label_lower):
        yield from _pages_of(model, shown.get(model) or model._default_manager.first())


def _special_pages(request: ApprovalRequest, run: Run) -> Iterator[tuple[str, str]]:
    """Yield the pages about one thing that are not its own page; those whose thing is missing are left out."""
    agent, tool = run.identity_id, request.tool_id
    pages: dict[str, tuple[str, list[Any]]] = {
        "edit a call": ("approvals_approvalrequest_edit", [request.pk]),
        "prompt": ("runs_run_prompt", [run.pk, 1]),
        "ledger entry": ("ledger_stream_entry", [run.pk, 1]),
        "what if": ("runs_what_if", [agent]),
        "set up": ("runs_provisioning", ["purpose"]),
        "edit an agent": ("identities_agentidentity_edit", [agent]),
        "try it": ("runs_try", [tool]),
        "calls of a tool": ("runs_tool_calls", [tool]),
    }
    if listed := ServerTool.objects.filter(tool=None).first():
        pages["import"] = ("tools_toolserver_import", [listed.server_id, listed.pk])
    if version := DecisionTableVersion.objects.first():
        pages["what a table decides"] = ("runs_table_foresight", [version.pk])
    if batch := ApprovalBatch.objects.first():
        pages["batch"] = ("approvals_approvalrequest_batch", [batch.pk])
    for name, (url_name, arguments) in pages.items():
        yield name, reverse(f"admin:{url_name}", args=arguments)
    other = Run.objects.filter(identity=run.identity).exclude(pk=run.pk).first() or run
    yield "compare", f"{reverse('admin:runs_run_compare')}?one={run.pk}&other={other.pk}"


def _pages_of(model: Any, found: Any) -> Iterator[tuple[str, str]]:  # Any: of each app's own
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    yield f"{model._meta.verbose_name_plural}", reverse(f"{name}_changelist")
    try:
        if found is not None:
            yield f"one of {model._meta.verbose_name_plural}", reverse(f"{name}_change", args=[found.pk])
    except NoReverseMatch:  # such a thing has no page
        return

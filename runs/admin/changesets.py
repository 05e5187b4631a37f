"""Change sets: the queue of what agents have proposed, and the page on which one is reviewed and followed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from agentops.console.governed import GovernedAdmin
from agentops.console.navigation import Destination, register_destination
from agentops.console.second_factor import REQUIRED, accept_code
from agentops.console.security_keys import offers_keys, take_signature
from agentops.console.templatetags.console import short
from agentops.console.words import count
from agentops.errors import AgentOpsError
from approvals.models import ApprovalDecision
from approvals.models.requests import Factor
from identities.acting import acting_person
from identities.factors import has_fresh_factor
from identities.models import User
from runs.admin.item_choices import Choices, is_filling, read_choices, read_comments, read_verdicts
from runs.changesets.reviewing import about_items, apply_changes, decide_items, require_reviewer, send_back
from runs.changesets.showing import ShownItem, read_form, read_rounds, show_items
from runs.models import ChangeSet, Run
from runs.undoing.services import may_undo
from tools.previews.wording import tell

SHOWN = 50


@admin.register(ChangeSet)
class ChangeSetAdmin(GovernedAdmin):
    """What waits for review, the oldest first; below, what was settled lately."""

    actions = None
    page_template = "runs/changeset.html"

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the queue."""
        rows = ChangeSet.objects.visible_to(acting_person(request)).select_related(
            "identity", "run__principal"
        )
        settled = rows.exclude(state__in=("draft", "offered")).order_by("-settled_at")
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Proposed changes",
            "waiting": list(rows.waiting()[:SHOWN]),
            "settled": list(settled.select_related("settled_by")[:10]),
        }
        return TemplateResponse(request, "runs/changesets.html", context)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show a change set (GET), or take a word about it (POST)."""
        found = self.get_object(request, unquote(object_id))
        if found is None or request.method != "POST":
            return super().change_view(request, object_id, form_url, extra_context)
        return self._take_word(request, found)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Lead to the ledger of the run that proposed it."""
        found = self.get_object(request, unquote(object_id))
        if found is None:
            return self.refuse_unknown(request)
        return HttpResponseRedirect(reverse("admin:ledger_stream_change", args=[found.run_id]))

    def page_context(self, request: HttpRequest, subject: ChangeSet) -> dict[str, Any]:
        """Add the items, what was asked for, and what this person may do."""
        items = show_items(subject)
        person = acting_person(request)
        undecided = [item.number for item in items if item.row.request.state == "waiting"]
        choices = read_choices(request.POST, subject, undecided)
        newer = ChangeSet.objects.filter(run=subject.run_id, version__gt=subject.version).order_by("-version")
        return {
            "title": f"{subject.identity} proposes {count(subject.size, 'change')}",
            "change_set": subject,
            "items": [_show(item, choices) for item in items],
            "choices": choices,
            "comment_on_all": choices.comments.get(0, ""),
            "form": read_form(subject.run),
            "rounds": read_rounds(subject.run),
            "newer": newer.first(),
            **_carried_out(person, subject),
            "refusal": _refusal(lambda: require_reviewer(person, [item.row for item in items])),
            "undecided": undecided,
            "lapsed": [item.number for item in items if item.row.request.state == "expired"],
            "approved": sum(item.row.request.state == "approved" and not item.falls_with for item in items),
            "needs_code": not has_fresh_factor(person) or any(map(_waits_for_key, items)),
            "has_key": offers_keys(request),
            "problem": "",
            "name": short(subject.pk),
        }

    def _take_word(self, request: HttpRequest, change_set: ChangeSet) -> HttpResponse:
        if is_filling(request.POST):
            is_filled = request.POST.get("digest") == change_set.digest
            return self.render_page(request, change_set, {"is_filled": is_filled})
        if problem := accept_code(request):
            return self._show_problem(request, change_set, problem, 403)
        deeds = {"decide": self._decide, "send_back": self._send_back, "apply": self._apply}
        deed = deeds.get(request.POST.get("act", ""), self._decide)
        try:
            deed(request, change_set)
        except AgentOpsError as error:
            status = 403 if error.code == REQUIRED else 409
            problem = f"{(error.detail or error.code).rstrip('.')}. Nothing was changed."
            return self._show_problem(request, change_set, problem, status)
        return HttpResponseRedirect(self.page_url("change", change_set.pk))

    def _show_problem(
        self, request: HttpRequest, change_set: ChangeSet, problem: str, status: int
    ) -> HttpResponse:
        change_set.refresh_from_db()
        answer = self.render_page(request, change_set, {"problem": problem})
        answer.status_code = status
        return answer

    def _decide(self, request: HttpRequest, change_set: ChangeSet) -> None:
        person, given = acting_person(request), request.POST
        digest, verdicts = given.get("digest", ""), read_verdicts(given)
        told = decide_items(
            actor=person,
            change_set=change_set,
            digest=digest,
            verdicts=verdicts,
            reason=given.get("reason", "").strip(),
            channel=ApprovalDecision.Channel.CONSOLE,
            second_factor=has_fresh_factor(person),
            signature=take_signature(request, about_items(digest, verdicts)),
        )
        if taken := [each for each in told if each.is_taken]:
            messages.success(request, f"You decided about {count(len(taken), 'item')}.")
        for each in told:
            if not each.is_taken:
                messages.warning(
                    request, f"Item {each.item}: {each.detail or each.code}. It stays as it was."
                )

    def _send_back(self, request: HttpRequest, change_set: ChangeSet) -> None:
        given = request.POST
        send_back(
            actor=acting_person(request),
            change_set=change_set,
            digest=given.get("digest", ""),
            comments=read_comments(given, change_set.size),
        )
        messages.success(request, "Sent back: the agent reads your comments and proposes anew.")

    def _apply(self, request: HttpRequest, change_set: ChangeSet) -> None:
        given = request.POST
        made = apply_changes(
            actor=acting_person(request), change_set=change_set, digest=given.get("digest", "")
        )
        is_applied = made.state == ChangeSet.State.APPLIED
        told = (
            "What was approved is being carried out." if is_applied else "Declined: nothing is carried out."
        )
        messages.success(request, told)


def _show(item: ShownItem, choices: Choices) -> dict[str, Any]:
    return {
        "item": item,
        "told": tell(item.evidence.get("preview")),
        "chosen": choices.verdicts.get(item.number, ""),
        "comment": choices.comments.get(item.number, ""),
    }


def _waits_for_key(item: ShownItem) -> bool:
    return item.row.request.state == "waiting" and item.row.request.factor == Factor.KEY


def _refusal(check: Callable[[], None]) -> str:
    try:
        check()
    except AgentOpsError as error:
        return error.detail or error.code
    return ""


def _carried_out(person: User, subject: ChangeSet) -> dict[str, Any]:
    """Return the run that carries it out, what has undone that, and whether this person may undo it."""
    run = Run.objects.select_related("team").filter(pk=subject.pk).first()
    if run is None or not run.has_ended:
        return {"applying": run, "undos": (), "may_undo": False}
    return {"applying": run, "undos": Run.objects.undoing(run), "may_undo": may_undo(person, run).allowed}


def find_waiting(request: HttpRequest) -> QuerySet[ChangeSet]:
    """Return the change sets that wait for review."""
    return ChangeSet.objects.visible_to(acting_person(request)).waiting()


register_destination(
    Destination("Proposed changes", "admin:runs_changeset_changelist", order=15, waiting=find_waiting)
)

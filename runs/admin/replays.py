"""Replaying and forking a run in the console."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from agentops.console.forms import serve_form
from agentops.errors import StateConflict
from identities.acting import acting_person
from runs.forks.plans import Fork
from runs.forks.policy import DECISIONS
from runs.forks.services import LONGEST_INSTRUCTIONS, fork_run, may_fork
from runs.models import Run
from runs.replays.report import WORDS
from runs.replays.services import replay_run
from runs.versions import read_version

if TYPE_CHECKING:
    from agentops.console.governed import GovernedAdmin

LEAD = (
    "Its steps before the one that you name are recalled. From there on the model is asked, which costs what it costs; "
    "a call is answered as it was then, or not made. Nobody is asked anything, and nothing has an effect."
)
AS_IT_IS = [("", "As it is granted now")]


class ForkForm(forms.Form):
    """From which step on, and what is to be otherwise."""

    step = forms.IntegerField(min_value=1, label="From step")
    instructions = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 8}), max_length=LONGEST_INSTRUCTIONS, label="Instructions"
    )
    model = forms.CharField(max_length=120, label="Model")
    tool = forms.ChoiceField(required=False, label="A tool whose terms are to be otherwise")
    decision = forms.ChoiceField(
        required=False,
        label="What its grant is to say",
        choices=[
            *AS_IT_IS,
            *((each, each.replace("_", " ").lower()) for each in DECISIONS if "CAPS" not in each),
        ],
    )
    call_reads = forms.BooleanField(
        required=False, label="Really call tools that only read, where policy lets them"
    )

    def __init__(self, *args: Any, tools: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offered = self.fields["tool"]
        assert isinstance(offered, forms.ChoiceField)  # noqa: S101  declared above
        offered.choices = [("", "None"), *((name, name) for name in tools)]


def replay_view(page: GovernedAdmin, request: HttpRequest, pk: UUID) -> HttpResponse:
    """Replay a run and show what that has found."""
    run = _find(request, pk)
    try:
        report = replay_run(actor=acting_person(request), run=run)
    except StateConflict as error:
        raise Http404(error.detail) from None
    told = [(WORDS[each.what], each) for each in report.differences]
    context = {"title": "Replayed", "run": run, "report": report, "told": told, "opts": page.opts}
    return TemplateResponse(request, "runs/replay.html", {**admin.site.each_context(request), **context})


def fork_view(page: GovernedAdmin, request: HttpRequest, pk: UUID) -> HttpResponse:
    """Offer the form, and start the fork."""
    run = _find(request, pk)
    if not may_fork(acting_person(request), run).allowed:
        raise PermissionDenied
    version = read_version(run.agent_version_id)
    given = {
        "step": request.GET.get("step", "1"),
        "instructions": version.instructions,
        "model": version.model,
    }

    def make_form(*data: Any) -> forms.Form:
        return ForkForm(data[0] if data else None, initial=given, tools=sorted(version.catalogue))

    context = {"title": f"Fork {run.identity}", "lead": LEAD, "button": "Fork it"}
    context["back_url"] = page.page_url("change", run.pk)
    return serve_form(page, request, make_form, partial(_start, page, request, run), context)


def _start(page: GovernedAdmin, request: HttpRequest, run: Run, values: dict[str, Any]) -> HttpResponse:
    made = fork_run(actor=acting_person(request), run=run, fork=_read(run, values))
    return HttpResponseRedirect(page.page_url("change", made.pk))


def _read(run: Run, values: dict[str, Any]) -> Fork:
    """Return what differs from how the run's version is: what was left as it stood is no change."""
    version = read_version(run.agent_version_id)
    instructions = values["instructions"].replace("\r\n", "\n")
    is_same = instructions.strip() == version.instructions.strip()
    terms = (
        {values["tool"]: {"decision": values["decision"]}} if values["tool"] and values["decision"] else {}
    )
    return Fork(
        run.pk, values["step"], None if is_same else instructions,
        "" if values["model"] == version.model else values["model"], terms, values["call_reads"],
    )  # fmt: skip


def _find(request: HttpRequest, pk: UUID) -> Run:
    visible = Run.objects.visible_to(acting_person(request))
    run = visible.filter(pk=pk).select_related("identity", "team", "principal").first()
    if run is None:
        raise Http404("there is no such run")
    return run

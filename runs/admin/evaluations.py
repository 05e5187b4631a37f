"""Evaluation sets in the console: their cases, versions that were tried by them, and two of those side by side."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from agentops.console.actions import Confirmation, offered_when, perform
from agentops.console.forms import serve_form
from agentops.console.governed import GovernedAdmin
from agentops.console.navigation import Destination, register_destination
from agentops.console.rights import holds_somewhere
from agentops.console.streams import register_streams
from agentops.errors import AgentOpsError, NotFound, ValidationFailed
from identities.acting import acting_person
from identities.policies import may_govern
from runs.admin.evaluation_forms import CaseForm, EvaluateForm, SettingsForm, read_checks
from runs.evaluation.comparing import compare, sum_up
from runs.evaluation.declared import read_case
from runs.evaluation.evaluating import Trial, evaluate, find_evaluation, may_evaluate, stop_evaluation
from runs.evaluation.recorded import make_case, propose_case
from runs.evaluation.sets import EDIT, SetSpec, drop_set, find_set, save_set
from runs.fulfilment.words import describe
from runs.models import AgentVersion, Evaluation, EvaluationSet, Run

MOST_SHOWN = 50
COSTS = "The model is asked, which costs what it costs. No tool is called, nobody is asked, and nothing has an effect."
FROM_RUN = (
    "What was asked, and what its tools answered. Look over the checks: they say when a version passes, and those "
    "that are proposed ask for just what this run did. The case goes when the words of the run are erased."
)


@admin.register(EvaluationSet)
class EvaluationSetAdmin(GovernedAdmin):
    """The sets of the agents of the viewer's teams."""

    page_template = "runs/evaluation_set.html"
    list_title = "Evaluations"
    empty_words = (
        "No set of cases yet: versions are published untried. Make a case of a run on its page, or write a set into a "
        "provisioning document."
    )
    list_display = ("name", "identity", "cases_of", "gating", "description")
    list_filter = ("gating", ("identity", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("identity",)
    search_fields = ("name", "identity__slug")
    ordering = ("identity__slug", "name")
    actions = ("drop",)

    @admin.display(description="cases")
    def cases_of(self, row: EvaluationSet) -> int:
        """Return how many cases it has."""
        return int(getattr(row, "number", 0))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Load what the list names."""
        rows: QuerySet[Any] = super().get_queryset(request).select_related("identity__team")
        counted: QuerySet[Any] = rows.annotate(number=Count("cases"))
        return counted

    def has_edit_permission(self, request: HttpRequest, obj: EvaluationSet | None = None) -> bool:
        """Whether this person may change the set, or some."""
        person = acting_person(request)
        if obj is None:
            return holds_somewhere(person, EDIT)
        return may_govern(person, EDIT, obj.identity.team).allowed

    @offered_when("", danger=True)
    @admin.action(permissions=["edit"], description="Drop")
    def drop(self, request: HttpRequest, queryset: QuerySet[EvaluationSet]) -> HttpResponse:
        """Take sets out of use."""
        person = acting_person(request)
        asked = Confirmation("Drop this set with its cases? What was found by it stays on record.", "dropped")
        return perform(
            self, request, queryset,
            lambda row, why: drop_set(actor=person, evaluation_set=row, reason=why), asked,
        )  # fmt: skip

    def get_urls(self) -> list[URLPattern]:
        """Add the forms, and the pages about what was found."""
        return [
            path("compare/", self._viewed(compare_view), name="runs_evaluationset_compare"),
            path("case/<uuid:run_id>/", self._viewed(case_view), name="runs_evaluationset_case"),
            path("<uuid:pk>/evaluate/", self._viewed(evaluate_view), name="runs_evaluationset_evaluate"),
            path("<uuid:pk>/settings/", self._viewed(settings_view), name="runs_evaluationset_settings"),
            path("found/<uuid:pk>/", self._viewed(evaluation_view), name="runs_evaluationset_found"),
            path("found/<uuid:pk>/stop/", self._viewed(stop_view), name="runs_evaluationset_stop"),
            *super().get_urls(),
        ]

    def _viewed(self, view: Any) -> Any:  # Any: a view, whatever its address captures
        return self.admin_site.admin_view(partial(view, self))

    def page_context(self, request: HttpRequest, subject: EvaluationSet) -> dict[str, Any]:
        """Add the cases, and the newest evaluations with how many of their runs passed."""
        counted = subject.evaluations.select_related("version", "started_by").annotate(
            passed=Count("results", filter=Q(results__passed=True)), of=Count("results")
        )
        cases = [(case, read_case(case.written, "case")) for case in subject.cases.all()]
        return {
            "cases": [(case, read, [describe(check) for check in read.checks]) for case, read in cases],
            "evaluations": list(counted.order_by("-id")[:MOST_SHOWN]),
            "may_evaluate": may_evaluate(acting_person(request), subject).allowed,
            "may_edit": self.has_edit_permission(request, subject),
        }


def evaluate_view(page: EvaluationSetAdmin, request: HttpRequest, pk: UUID) -> HttpResponse:
    """Offer the form, and start the evaluation."""
    person, row = acting_person(request), _find_set(request, pk)
    versions = AgentVersion.objects.filter(identity=row.identity).order_by("-number")

    def submit(values: dict[str, Any]) -> HttpResponse:
        trial = Trial(values["max_usd"], values["repeat"])
        made = evaluate(actor=person, evaluation_set=row, version=values["version"], trial=trial)
        return HttpResponseRedirect(reverse("admin:runs_evaluationset_found", args=[made.pk]))

    context = {"title": f"Evaluate a version by {row.name}", "lead": COSTS, "button": "Evaluate it"}
    context["back_url"] = page.page_url("change", row.pk)
    return serve_form(page, request, partial(EvaluateForm.of, versions), submit, context)


def settings_view(page: EvaluationSetAdmin, request: HttpRequest, pk: UUID) -> HttpResponse:
    """Say what a set is for, and whether it gates."""
    person, row = acting_person(request), _find_set(request, pk)

    def submit(values: dict[str, Any]) -> HttpResponse:
        cases = [case.written for case in row.cases.filter(source_run=None)]
        save_set(actor=person, identity=row.identity, spec=SetSpec(row.name, cases, **values))
        return HttpResponseRedirect(page.page_url("change", row.pk))

    given = {name: getattr(row, name) for name in ("description", "gating", "pass_rate")}
    context = {
        "title": f"Settings of {row.name}",
        "button": "Save",
        "back_url": page.page_url("change", row.pk),
    }
    return serve_form(page, request, partial(SettingsForm, initial=given), submit, context)


def case_view(page: EvaluationSetAdmin, request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Offer what a run would be as a case, and add it to a set."""
    person = acting_person(request)
    run = Run.objects.visible_to(person).select_related("identity__team").filter(pk=run_id).first()
    if run is None:
        raise Http404("there is no such run")
    sets = EvaluationSet.objects.visible_to(person).filter(identity=run.identity).order_by("name")
    try:
        proposed = propose_case(run)
    except AgentOpsError as error:
        raise Http404(error.detail) from None

    @transaction.atomic
    def submit(values: dict[str, Any]) -> HttpResponse:
        checks, chosen = read_checks(values["checks"]), values["evaluation_set"]
        if chosen is None:
            spec = SetSpec(values["new_set"])
            chosen, _ = save_set(actor=person, identity=run.identity, spec=spec)
        make_case(actor=person, run=run, evaluation_set=chosen, name=values["name"], checks=checks)
        return HttpResponseRedirect(page.page_url("change", chosen.pk))

    context = {"title": f"Make a case of a run of {run.identity}", "lead": FROM_RUN, "button": "Add the case"}
    context["back_url"] = reverse("admin:runs_run_change", args=[run.pk])
    return serve_form(page, request, partial(CaseForm.of, sets, proposed), submit, context)


def evaluation_view(page: EvaluationSetAdmin, request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show what came of each case."""
    row = _find_evaluation(request, pk)
    others = Evaluation.objects.filter(evaluation_set=row.evaluation_set).exclude(pk=row.pk)
    context = {
        "title": str(row), "row": row, "sum": sum_up(row), "results": list(row.results.all()), "opts": page.opts,
        "others": list(others.select_related("version").order_by("-id")[:MOST_SHOWN]),
        "may_stop": row.state == "running" and may_evaluate(acting_person(request), row.evaluation_set).allowed,
    }  # fmt: skip
    return TemplateResponse(request, "runs/evaluation.html", {**admin.site.each_context(request), **context})


def stop_view(page: EvaluationSetAdmin, request: HttpRequest, pk: UUID) -> HttpResponse:
    """Start no more of its cases."""
    row = _find_evaluation(request, pk)
    if request.method == "POST":
        try:
            stop_evaluation(actor=acting_person(request), evaluation=row)
        except AgentOpsError as error:
            messages.warning(request, error.detail)
    return HttpResponseRedirect(reverse("admin:runs_evaluationset_found", args=[row.pk]))


def compare_view(page: EvaluationSetAdmin, request: HttpRequest) -> HttpResponse:
    """Show two evaluations side by side."""
    one, other = (_find_evaluation(request, request.GET.get(name, "")) for name in ("one", "other"))
    try:
        found = compare(one, other)
    except ValidationFailed as error:
        raise Http404(error.detail) from None
    context = {"title": "Two versions side by side", "found": found, "opts": page.opts}
    return TemplateResponse(
        request, "runs/evaluations_compared.html", {**admin.site.each_context(request), **context}
    )


def _find_set(request: HttpRequest, pk: UUID) -> EvaluationSet:
    try:
        return find_set(acting_person(request), pk)
    except NotFound as error:
        raise Http404(error.detail) from None


def _find_evaluation(request: HttpRequest, pk: object) -> Evaluation:
    try:
        return find_evaluation(acting_person(request), UUID(str(pk)))
    except (NotFound, ValueError):
        raise Http404("there is no such evaluation") from None


register_destination(
    Destination("Evaluations", "admin:runs_evaluationset_changelist", order=46, section="Govern")
)
register_streams("evaluation_set", EvaluationSet.objects.visible_to)
register_streams("evaluation", Evaluation.objects.visible_to)

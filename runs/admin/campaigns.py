"""Campaigns of recertification: the list, one campaign with its grants, and the page on which a grant is decided."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from agentops.console.columns import moment_column, state_column
from agentops.console.forms import serve_form
from agentops.console.governed import GovernedAdmin
from agentops.console.navigation import Destination, register_destination
from agentops.console.rights import holds_somewhere
from agentops.console.streams import register_streams
from agentops.errors import AgentOpsError
from identities.acting import acting_person
from identities.models import Team, User
from runs.admin.campaign_forms import CampaignForm, ItemForm
from runs.campaigns import decide_item, may_review, open_campaign, present_grant
from runs.grant_use import DAYS, MOST_RUNS, GrantUse, read_use
from runs.models import Campaign, CampaignItem
from runs.shrinking import check_smaller, foresee_shrink
from tools.admin.terms_form import initial_of
from tools.admin.words import describe_terms, latest_versions
from tools.models import ToolGrant
from tools.services.grants import PERMISSION

DECIDE = "runs_campaign_item"
SHOWN = 500


@admin.register(Campaign)
class CampaignAdmin(GovernedAdmin):
    """The campaigns of the viewer's teams."""

    page_template = "runs/campaign.html"
    add_label = "Open a campaign"
    empty_words = "No campaign yet: open one to have a team's grants looked at again."
    list_display = (
        "title",
        state_column(),
        "team",
        moment_column("due_at", "due"),
        "opened_by",
        moment_column("closed_at", "closed"),
    )
    list_filter = ("state", ("team", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("team", "opened_by")
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Offer the form to those who may change grants somewhere."""
        return holds_somewhere(request.user, PERMISSION)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Load what the page names."""
        return super().get_queryset(request).select_related("team", "opened_by")

    def get_urls(self) -> list[URLPattern]:
        """Add the page about one grant of a campaign."""
        view = self.admin_site.admin_view(self.item_view)
        return [path("items/<uuid:item_id>/", view, name=DECIDE), *super().get_urls()]

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Open a campaign, and show it."""
        if not self.has_add_permission(request):
            return self.refuse_unknown(request)
        person = acting_person(request)
        teams = Team.objects.visible_to(person)
        colleagues = User.objects.filter(kind="person", is_active=True, teams__in=teams).distinct()
        words = {
            "title": "Open a campaign",
            "button": "Open it",
            "lead": "Each grant is kept, shrunk or revoked by a reviewer who did not grant it and does not own the "
            "agent. What nobody has decided by the day is taken away.",
            "back_url": self.page_url("changelist"),
        }
        form = partial(CampaignForm, teams=teams, people=colleagues.order_by("username"))
        return serve_form(self, request, form, partial(self._open, request), words)

    def _open(self, request: HttpRequest, values: dict[str, Any]) -> HttpResponse:
        reviewers = list(values.pop("reviewers"))
        campaign = open_campaign(actor=acting_person(request), reviewers=reviewers, **values)
        messages.success(request, f"Opened, with {campaign.items.count()} grants.")
        return HttpResponseRedirect(self.page_url("change", campaign.pk))

    def page_context(self, request: HttpRequest, subject: Campaign) -> dict[str, Any]:
        """Add the grants: who granted them, what they allow and what of it was used, and what became of them."""
        related = "grant__identity", "grant__tool", "grant__created_by", "decided_by"
        items = list(
            subject.items.select_related(*related).order_by("decision", "grant__identity__slug")[:SHOWN]
        )
        latest = latest_versions([item.grant.tool for item in items])
        uses = _read_uses(items)
        rows = [
            (
                item,
                describe_terms(item.grant, latest.get(item.grant.tool_id)),
                uses.get((item.grant.identity_id, item.grant.tool_id)),
            )
            for item in items
        ]
        reviewers = list(subject.reviewers.order_by("username"))
        is_mine = acting_person(request) in reviewers and subject.state == Campaign.State.OPEN
        open_ones = sum(not item.decision for item in items)
        return {
            "rows": rows,
            "reviewers": reviewers,
            "is_mine": is_mine,
            "open_ones": open_ones,
            "days": DAYS,
            "most": MOST_RUNS,
        }

    def item_view(self, request: HttpRequest, item_id: UUID) -> HttpResponse:
        """Show one grant, what smaller terms would have denied, and the form that decides."""
        campaigns = self.get_queryset(request)
        item = CampaignItem.objects.filter(pk=item_id, campaign__in=campaigns)
        found = item.select_related("campaign", "grant__identity", "grant__tool", "decided_by").first()
        if found is None:
            return self.refuse_unknown(request)
        grant = present_grant(found)
        may = may_review(acting_person(request), found, grant)
        form = ItemForm(request.POST or None, initial=_initial(grant)) if grant else None
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"{found.grant.identity} and {found.grant.tool}",
            "item": found,
            "grant": grant,
            "may": may,
            "form": form,
            "days": DAYS,
        }
        if grant is None or form is None:
            return TemplateResponse(request, "runs/campaign_item.html", context)
        context["terms"] = describe_terms(grant, latest_versions([grant.tool]).get(grant.tool_id))
        context["without"] = foresee_shrink(grant, None)
        if request.method == "POST" and form.is_valid():
            answer = self._answer(request, found, grant, form, context)
            if answer is not None:
                return answer
        status = 422 if form.errors else 200
        return TemplateResponse(request, "runs/campaign_item.html", context, status=status)

    def _answer(
        self,
        request: HttpRequest,
        item: CampaignItem,
        grant: ToolGrant,
        form: ItemForm,
        context: dict[str, Any],
    ) -> HttpResponse | None:
        """Do what was asked, or say at the form what is against it; None where the page is shown again."""
        try:
            if "preview" in request.POST:
                check_smaller(grant, form.terms())
                context["foresight"] = foresee_shrink(grant, form.terms())
                return None
            decided = _decide(acting_person(request), item, form)
        except AgentOpsError as error:
            form.add_error(None, f"{(error.detail or error.code).rstrip('.')}. Nothing was changed.")
            return None
        messages.success(request, f"{grant.identity} and {grant.tool}: {decided.decision}.")
        return HttpResponseRedirect(self.page_url("change", item.campaign_id))


def _decide(person: User, item: CampaignItem, form: ItemForm) -> CampaignItem:
    values = form.cleaned_data
    shrinks = values["verdict"] == CampaignItem.Decision.SHRUNK
    return decide_item(
        actor=person,
        item=item,
        decision=values["verdict"],
        reason=values["reason"],
        seen=values["seen"],
        terms=form.terms() if shrinks else None,
    )


def _initial(grant: ToolGrant) -> dict[str, Any]:
    return {**initial_of(grant), "seen": grant.version}


def _read_uses(items: list[CampaignItem]) -> dict[tuple[UUID, UUID], GrantUse]:
    """Return how much each grant is used, by agent and tool."""
    agents = {item.grant.identity_id: item.grant.identity for item in items}
    uses = read_use(agents.values(), newest=MOST_RUNS)
    return {(use.grant.identity_id, use.grant.tool_id): use for use in uses}


register_destination(
    Destination("Recertification", "admin:runs_campaign_changelist", order=62, section="Govern")
)
register_streams("campaign", Campaign.objects.visible_to)

"""Actions: confirmed by a person, carried out by a service for each object, reported in plain words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from agentops.console.second_factor import REQUIRED, accept_code
from agentops.console.security_keys import offers_keys
from agentops.console.words import count
from agentops.errors import AgentOpsError

if TYPE_CHECKING:
    from agentops.console.governed import GovernedAdmin

F = TypeVar("F", bound=Callable[..., Any])
Act = Callable[[Any, str], object]  # Any: the object of whatever model the action is for; may return Instead

MOST_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class ActionButton:
    """An action as offered on the page of one object."""

    name: str
    label: str
    danger: bool


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What a person is asked before an action, and told after it ("2 agents " + ``done``).

    ``foreseen`` are lines about what would happen, which who says yes has read.
    """

    question: str
    done: str
    reason: Literal["needed", "optional", "none"] = "needed"
    foreseen: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Instead:
    """What an act returns that did something else than was asked, and what the person is told of it."""

    told: str


class FactorIsStale(Exception):
    """A service wants a fresh second factor, and nothing was done yet."""


def offered_when(*states: str, danger: bool = False) -> Callable[[F], F]:
    """Offer an action on the page of one object while that is in one of these states."""

    def mark(function: F) -> F:
        vars(function).update(offered_states=states, danger=danger)
        return function

    return mark


def offered_buttons(page: GovernedAdmin, request: HttpRequest, subject: Any) -> list[ActionButton]:
    """Return the actions that fit the object's state and that this user may take on it."""
    buttons, state = [], page.action_state(subject)
    holds = cache(lambda word: bool(getattr(page, f"has_{word}_permission")(request, subject)))
    for function, name, label in filter(None, page.get_actions(request).values()):
        fits = state in getattr(function, "offered_states", ())
        needed: Sequence[str] = getattr(function, "allowed_permissions", None) or ()
        if fits and all(holds(word) for word in needed):
            buttons.append(ActionButton(name, str(label), getattr(function, "danger", False)))
    return buttons


def perform(
    page: GovernedAdmin, request: HttpRequest, queryset: QuerySet[Any], act: Act, confirmation: Confirmation
) -> HttpResponse:
    """Ask first; once confirmed, call ``act`` with each object and the reason, and say what happened.

    What a service refuses is shown in its own words, beside the object's name. Where it wants a fresh second
    factor, the same question is asked again, with a field for the code; whoever answers it confirms anew.
    """
    chosen = list(queryset[: MOST_AT_ONCE + 1])
    if len(chosen) > MOST_AT_ONCE:
        messages.error(request, f"Choose at most {MOST_AT_ONCE} at a time. Nothing was changed.")
        return HttpResponseRedirect(page.page_url("changelist"))
    reason = request.POST.get("reason", "").strip()
    if "confirmed" not in request.POST or (confirmation.reason == "needed" and not reason):
        return ask(page, request, chosen, confirmation)
    if problem := accept_code(request):
        return ask(page, request, chosen, confirmation, problem)
    try:
        done = _carry_out(request, chosen, act, reason)
    except FactorIsStale as stale:
        return ask(page, request, chosen, confirmation, str(stale))
    if done:
        names = str(page.opts.verbose_name), str(page.opts.verbose_name_plural)
        messages.success(request, f"{count(done, *names)} {confirmation.done}.")
    if "from_page" in request.POST and len(chosen) == 1:
        return HttpResponseRedirect(page.page_url("change", chosen[0].pk))
    return HttpResponseRedirect(page.page_url("changelist"))


def ask(
    page: GovernedAdmin,
    request: HttpRequest,
    chosen: Sequence[Model],
    confirmation: Confirmation,
    code_problem: str = "",
) -> TemplateResponse:
    """Return the page that asks; its form sends the same action again, confirmed, with a code if one is needed."""
    context = {
        **page.admin_site.each_context(request),
        "opts": page.opts,
        "title": confirmation.question,
        "chosen": chosen,
        "action": request.POST["action"],
        "action_url": page.page_url("changelist"),
        "checkbox_name": ACTION_CHECKBOX_NAME,
        "from_page": "from_page" in request.POST,
        "foreseen": confirmation.foreseen,
        "reason": confirmation.reason,
        "given_reason": request.POST.get("reason", ""),
        "reason_missing": "confirmed" in request.POST and not code_problem,
        "code_problem": code_problem,
        "has_key": bool(code_problem) and offers_keys(request),
    }
    return TemplateResponse(request, "console/confirm.html", context, status=403 if code_problem else 200)


def _carry_out(request: HttpRequest, chosen: Iterable[Model], act: Act, reason: str) -> int:
    done = 0
    for subject in chosen:
        try:
            result = act(subject, reason)
        except AgentOpsError as error:
            if error.code == REQUIRED and not done:
                raise FactorIsStale(error.detail) from error
            messages.error(request, f"{subject}: {error.detail or error.code}")
        else:
            if isinstance(result, Instead):
                messages.warning(request, f"{subject}: {result.told}")
            done += not isinstance(result, Instead)
    return done

"""Forms whose submission is one call of a service; what it refuses is shown at the form."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from agentops.console.second_factor import REQUIRED, accept_code
from agentops.console.security_keys import offers_keys
from agentops.errors import AgentOpsError

if TYPE_CHECKING:
    from agentops.console.governed import GovernedAdmin

Submit = Callable[[dict[str, Any]], HttpResponse]  # Any: the cleaned values of whatever form it is


def serve_form(
    page: GovernedAdmin,
    request: HttpRequest,
    make_form: Callable[..., forms.Form],
    submit: Submit,
    context: dict[str, Any],
    template: str = "console/form.html",
) -> HttpResponse:
    """Show a form, and on POST hand its values to ``submit``, whose answer is returned.

    ``context`` holds ``title`` and ``button``, and for the way back ``back_url``. Where the service wants a fresh
    second factor, the form is shown again as it was filled in, with a field for the code.
    """
    given = (request.POST, request.FILES) if request.FILES else (request.POST,)
    form = make_form(*given) if request.method == "POST" else make_form()
    code_problem = accept_code(request) if form.is_bound and form.is_valid() else ""
    if form.is_bound and form.is_valid() and not code_problem:
        try:
            return submit(form.cleaned_data)
        except AgentOpsError as error:
            if error.code == REQUIRED:
                code_problem = error.detail
            else:
                form.add_error(None, f"{(error.detail or error.code).rstrip('.')}. Nothing was changed.")
    shown = {"opts": page.opts, "form": form, "code_problem": code_problem, **context}
    shown["has_key"] = bool(code_problem) and offers_keys(request)
    everything = {**page.admin_site.each_context(request), **shown}
    return TemplateResponse(request, template, everything, status=422 if form.is_bound else 200)

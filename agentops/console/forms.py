"""Forms whose submission is one call of a service; what it refuses is shown at the form."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

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

    ``context`` holds ``title`` and ``button``, and for the way back ``back_url``.
    """
    form = make_form(request.POST) if request.method == "POST" else make_form()
    if request.method == "POST" and form.is_valid():
        try:
            return submit(form.cleaned_data)
        except AgentOpsError as error:
            form.add_error(None, f"{(error.detail or error.code).rstrip('.')}. Nothing was changed.")
    everything = {**page.admin_site.each_context(request), "opts": page.opts, "form": form, **context}
    return TemplateResponse(request, template, everything, status=422 if form.is_bound else 200)

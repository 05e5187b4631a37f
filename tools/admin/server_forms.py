"""What people fill in about servers of tools, and about what they take over from them."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import QuerySet

from agentops.strict_json import MalformedJSON, parse_json
from identities.models import Team
from tools.models import Effect, ServerTool, ToolServer
from tools.openapi.document import SIZE_LIMIT_BYTES


class ServerForm(forms.Form):
    """A new server."""

    team = forms.ModelChoiceField(queryset=Team.objects.none())
    slug = forms.SlugField(max_length=64, help_text="What it is called here.")
    transport = forms.ChoiceField(choices=ToolServer.Transport.choices)
    url = forms.CharField(
        max_length=500, required=False, label="Address",
        help_text="For streamable HTTP and A2A. Of an interface: where it is, empty for where its document says.",
    )  # fmt: skip
    document_url = forms.CharField(
        max_length=500, required=False, label="Address of its document",
        help_text="Of an interface; empty if you bring the document yourself.",
    )  # fmt: skip
    command = forms.ChoiceField(required=False, help_text="One that the operator lists in MCP_COMMANDS.")
    module = forms.CharField(
        max_length=200, required=False,
        help_text="Of functions: one that the operator allows in TOOLS_PYTHON_MODULES, such as company.tools.",
    )  # fmt: skip
    audience = forms.CharField(
        max_length=500, required=False, help_text="The resource that calls carry a token for."
    )
    credential = forms.SlugField(max_length=64, required=False, help_text="The slug of a secret of the team.")
    allow_private = forms.BooleanField(required=False, label="May be in a private network")

    def __init__(self, *args: Any, teams: QuerySet[Team], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["team"].queryset = teams  # type: ignore[attr-defined]  # a field of models
        named = [("", "none"), *((name, name) for name in settings.MCP_COMMANDS)]
        self.fields["command"].choices = named  # type: ignore[attr-defined]  # a field of choices


class TakeoverForm(forms.Form):
    """What a person decides about a tool of a server."""

    seen = forms.CharField(widget=forms.HiddenInput)  # the digest of what is shown beside the form
    name = forms.CharField(max_length=64, help_text="What models call it here: letters, digits, _ and -.")
    effect = forms.ChoiceField(
        choices=Effect.choices, initial=Effect.IRREVERSIBLE,
        help_text="What it does to the world. What the server says of itself only makes it stricter.",
    )  # fmt: skip
    statement = forms.CharField(
        max_length=300, required=False,
        help_text="Plain words for people, such as: refund {amount} USD for order {order_id}.",
    )  # fmt: skip
    idempotency = forms.ChoiceField(
        choices=[("none", "nothing"), ("honours_key", "same key, one effect")], label="Same key twice"
    )
    error_is_refusal = forms.BooleanField(
        required=False,
        label="Its errors are refusals",
        help_text="Only if an error that it reports surely means that nothing was done.",
    )

    asks = forms.CharField(
        max_length=8_000, required=False, widget=forms.Textarea(attrs={"rows": 4}), label="What it may ask",
        help_text="Forms that it asks to be filled in before it does anything, as JSON: their names, each with a JSON "
        "Schema and a description. Empty: its questions are refused.",
    )  # fmt: skip

    def clean_asks(self) -> dict[str, Any]:
        """Return the forms."""
        try:
            told = parse_json((self.cleaned_data["asks"].strip() or "{}").encode())
        except MalformedJSON as error:
            raise ValidationError(f"This is not JSON: {error}") from None
        if not isinstance(told, dict):
            raise ValidationError("This is a JSON object, of forms by their names.")
        return told


class OperationForm(TakeoverForm):
    """What a person decides about an operation of an interface."""

    field_order: tuple[str, ...] = ("name", "description", "effect", "statement", "idempotency", "credential")
    description = forms.CharField(
        max_length=4_000, required=False, widget=forms.Textarea(attrs={"rows": 6}),
        help_text="What models read; empty for its own words.",
    )  # fmt: skip
    credential = forms.SlugField(
        max_length=64, required=False, help_text="The slug of a secret of the team, instead of the server's."
    )
    error_is_refusal = None  # type: ignore[assignment]  # how Django takes a field away: statuses say it
    asks = None  # type: ignore[assignment]  # as above: operations ask nothing

    def clean_asks(self) -> dict[str, Any]:
        """Return no forms."""
        return {}


class FunctionForm(OperationForm):
    """What a person decides about a function of this installation."""

    field_order = ("name", "description", "effect", "statement", "idempotency", "read_back", "credential")
    idempotency = forms.ChoiceField(
        choices=[
            ("none", "nothing"),
            ("honours_key", "same key, one effect"),
            ("read_back", "it can be asked what became of it"),
        ],
        label="Same key twice",
    )
    read_back = forms.CharField(
        max_length=64, required=False, help_text="The module's function that says what became of a call."
    )


class RemoteTaskForm(OperationForm):
    """What a person decides about a task for an agent elsewhere."""

    field_order = ("name", "description", "effect", "statement", "idempotency", "error_is_refusal")
    idempotency = forms.ChoiceField(
        choices=[
            ("none", "nothing"),
            ("honours_key", "same message id, one task"),
            ("read_back", "it takes our context id, by which a lost task is found"),
        ],
        label="Same message twice",
    )
    error_is_refusal = forms.BooleanField(  # type: ignore[assignment]  # given back: here no status says it
        required=False,
        label="A failed task has done nothing",
        help_text="Only if a task that it reports as failed surely had no effect.",
    )
    credential = None  # type: ignore[assignment]  # how Django takes a field away: it is the server's


class DocumentForm(forms.Form):
    """An OpenAPI document, as a file or pasted."""

    file = forms.FileField(required=False, help_text="OpenAPI 3.0 or 3.1, JSON or YAML.")
    text = forms.CharField(required=False, label="Or its text", widget=forms.Textarea(attrs={"rows": 12}))

    def clean(self) -> dict[str, Any]:
        """Put the text of either under ``document``."""
        values = super().clean() or {}
        file, text = values.pop("file", None), values.pop("text", "")
        if (file is not None) is bool(text):
            raise ValidationError("Choose a file, or paste its text.")
        values["document"] = text if file is None else _read_file(file)
        return values


def _read_file(file: Any) -> str:  # Any: Django's uploaded file, which has no type of its own here
    if file.size > SIZE_LIMIT_BYTES:
        raise ValidationError(f"A document has at most {SIZE_LIMIT_BYTES >> 20} MiB.")
    try:
        return str(file.read().decode())
    except UnicodeDecodeError:
        raise ValidationError("The file is no text in UTF-8.") from None


def form_for(row: ServerTool) -> type[TakeoverForm]:
    """Return the form by which a tool of such a server is taken over."""
    forms_of: dict[str, type[TakeoverForm]] = {
        ToolServer.Transport.OPENAPI: OperationForm,
        ToolServer.Transport.PYTHON: FunctionForm,
        ToolServer.Transport.A2A: RemoteTaskForm,
    }
    return forms_of.get(row.server.transport, TakeoverForm)


def fill_in(row: ServerTool) -> dict[str, Any]:
    """Return what was decided about a tool when it was taken over before, or what is proposed."""
    latest = row.tool.versions.order_by("-number").first() if row.tool else None
    told = row.described
    if latest is None:
        proposed = told.get("proposed", {"name": row.name if row.name.isascii() else ""})
        shown = {name: told[name] for name in ("description", "idempotency") if name in told}
        return {"seen": row.digest, **shown, **proposed}
    kept = {name: getattr(latest, name) for name in ("effect", "statement", "idempotency", "description")}
    own = latest.config.get("credential", "")
    return {
        "seen": row.digest,
        "name": latest.tool.name,
        "error_is_refusal": latest.config.get("error_is_refusal", False),
        "asks": json.dumps(latest.config["asks"], indent=2) if "asks" in latest.config else "",
        "credential": own if own != row.server.credential else "",
        "read_back": latest.config.get("read_back", "").rpartition(":")[2] if row.server.module else "",
        **kept,
    }

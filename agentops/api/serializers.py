"""What request bodies and queries are made of: nothing coerced, nothing unknown let through.

DRF's own fields turn ``5`` into a text and ``"yes"`` into true. Where an amount or a yes decides something
that cannot be taken back, a guess is worse than a refusal.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any, cast

from django.conf import settings
from django.core.validators import RegexValidator
from rest_framework import serializers
from rest_framework.request import Request

from agentops.api.problem_document import Reason
from agentops.api.problems import describe
from agentops.api.refusals import ApiError

Fields = dict[str, Any]  # Any: JSON values, or validated values of each field's type


class TextField(serializers.CharField):
    """A text, as it came: only a JSON string, white space kept.

    Longer than REQUEST_TEXT_LIMIT characters is answered with 413, like a body that is too large.
    """

    default_error_messages = {"invalid": "A text is a JSON string."}

    def __init__(self, **options: Any) -> None:  # Any: CharField's options
        self.is_long = "max_length" not in options
        options.setdefault("max_length", settings.REQUEST_TEXT_LIMIT)
        super().__init__(trim_whitespace=False, **options)
        if not self.allow_blank:
            self.validators.append(RegexValidator(r"\S", "There is nothing in this text.", "blank"))

    def to_internal_value(self, data: Any) -> str:  # Any: an arbitrary JSON value
        if not isinstance(data, str):
            self.fail("invalid")
        if self.is_long and len(data) > settings.REQUEST_TEXT_LIMIT:
            limit = settings.REQUEST_TEXT_LIMIT
            raise ApiError(413, "text_too_long", f"{self.field_name} has at most {limit} characters.")
        return super().to_internal_value(data)


class FlagField(serializers.BooleanField):
    """True or false, not a word for it."""

    def to_internal_value(self, data: Any) -> bool:  # Any: an arbitrary JSON value
        if not isinstance(data, bool):
            self.fail("invalid", input=type(data).__name__)
        return data


class NumberField(serializers.IntegerField):
    """A whole number, not a text of digits. JSON Schema knows values only: 1.0 is the integer 1."""

    def to_internal_value(self, data: Any) -> int:  # Any: an arbitrary JSON value
        is_number = isinstance(data, int | float) and not isinstance(data, bool)
        if not is_number or data != int(data):
            self.fail("invalid")
        return super().to_internal_value(int(data))


class AmountField(serializers.DecimalField):
    """A decimal in quotes, such as "50.00": a JSON number may have been rounded on its way."""

    def to_internal_value(self, data: Any) -> Decimal:  # Any: an arbitrary JSON value
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class WordField(serializers.ChoiceField):
    """One of a few words."""

    def to_internal_value(self, data: Any) -> Any:  # Any: an arbitrary JSON value
        if not isinstance(data, str):
            self.fail("invalid_choice", input=type(data).__name__)
        return super().to_internal_value(data)


class BodySerializer(serializers.Serializer[Any]):  # Any: bodies are plain values, no model instances
    """A request body; a member that it does not know is refused, since it would be silently ignored."""

    def to_internal_value(self, data: Any) -> Any:  # Any: an arbitrary JSON value
        detail = serializers.ErrorDetail("There is no such member.", code="unknown_member")
        names = data if isinstance(data, Mapping) else ()
        unknown = {name: [detail] for name in names if name not in self.fields}
        try:
            known = super().to_internal_value(data)
        except serializers.ValidationError as error:
            # Told together: a misspelt member is the one that is missing.
            raise serializers.ValidationError({**cast(dict[str, Any], error.detail), **unknown}) from None
        if unknown:
            raise serializers.ValidationError(unknown)
        return known


class QuerySerializer(serializers.Serializer[Any]):  # Any: as above
    """The filters of a list. Everything in a query is text, so here DRF's fields may convert."""


def render_rows(
    kind: type[serializers.BaseSerializer[Any]], rows: Sequence[object], **context: object
) -> list[Fields]:
    """Return rows as JSON documents."""
    return [dict(each) for each in kind(list(rows), many=True, context=context).data]


def render_row(kind: type[serializers.BaseSerializer[Any]], row: object, **context: object) -> Fields:
    """Return one row as a JSON document."""
    return dict(kind(row, context=context).data)


def read_body(kind: type[BodySerializer], request: Request) -> Fields:
    """Return the validated members of the body; raises DRF's ValidationError, which is answered with 422."""
    serializer = kind(data=request.data)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def check_parameters(request: Request, known: Collection[str]) -> None:
    """Raise ApiError 400 for a parameter that is unknown or comes twice.

    Either would be ignored silently, and a filter that does not filter shows too much.
    """
    unknown = [name for name in request.query_params if name not in known]
    twice = [name for name, values in request.query_params.lists() if len(values) > 1]
    if unknown:
        detail = f"There is no such parameter here: {', '.join(unknown)}."
        reasons = [Reason("unknown_parameter", f"There is no parameter {name}.") for name in unknown]
        raise ApiError(400, "unknown_parameter", detail, reasons=reasons)
    if twice:
        detail = f"Given more than once: {', '.join(twice)}."
        reasons = [Reason(f"invalid_{name}", "Given more than once.") for name in twice]
        raise ApiError(400, "invalid_parameter", detail, reasons=reasons)


def read_query(kind: type[QuerySerializer], request: Request) -> Fields:
    """Return the validated filters; raises ApiError 400 for a value that none can have."""
    # A plain dictionary: of a form, DRF takes an absent flag for one that is not ticked.
    serializer = kind(data=request.query_params.dict())
    # DRF takes an empty value for none at all, and a filter that does not filter shows too much.
    empty = [
        Reason(f"invalid_{name}")
        for name, value in request.query_params.items()
        if value == "" and name in serializer.fields
    ]
    if empty:
        raise ApiError(400, "invalid_parameter", "A parameter has a value or is left out.", reasons=empty)
    try:
        serializer.is_valid(raise_exception=True)
    except serializers.ValidationError as error:
        reasons = [
            Reason(f"invalid_{(reason.pointer or '').removeprefix('#/')}", reason.detail)
            for reason in describe(error).reasons
        ]
        detail = "; ".join(reason.detail for reason in reasons)
        raise ApiError(400, "invalid_parameter", detail, reasons=reasons) from None
    return dict(serializer.validated_data)

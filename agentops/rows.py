"""Write a row that a person described: what a field or the database refuses becomes one of our errors."""

from __future__ import annotations

from collections.abc import Mapping

from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction

from agentops.errors import StateConflict, ValidationFailed

Changes = dict[str, tuple[object, object]]  # name → (before, after)


def check_fields(row: models.Model) -> None:
    """Check every field by itself; raises ValidationFailed whose problems name field and fault."""
    # A column that takes NULL takes None: ``blank`` is a rule of forms.
    absent = {
        field.name
        for field in row._meta.concrete_fields
        if field.null and getattr(row, field.attname) is None
    }
    try:
        row.clean_fields(exclude=absent)
    except ValidationError as error:
        problems = [f"{field}: {' '.join(texts)}" for field, texts in error.message_dict.items()]
        raise ValidationFailed("invalid_fields", "; ".join(problems), problems=problems) from error


def insert_row(row: models.Model) -> None:
    """Check and insert a new row; raises ValidationFailed, or StateConflict when its name is taken."""
    check_fields(row)
    try:
        row.validate_unique()
        with transaction.atomic():
            row.save(force_insert=True)
    except ValidationError as error:
        raise StateConflict("already_exists", " ".join(error.messages)) from error
    except IntegrityError as error:  # somebody was faster between the question and the insert
        raise StateConflict("already_exists", f"this {row._meta.verbose_name} exists already") from error


def update_row(row: models.Model, values: Mapping[str, object]) -> Changes:
    """Set fields, check and save what differs; return what changed. Raises ValidationFailed."""
    changes: Changes = {
        name: (getattr(row, name), value) for name, value in values.items() if getattr(row, name) != value
    }
    for name, (_, value) in changes.items():
        setattr(row, name, value)
    if changes:
        check_fields(row)
        row.save(update_fields=list(changes))
    return changes

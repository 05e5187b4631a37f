"""Sealed columns of rows: where each value belongs, and wrapping all of them anew when keys change.

A model that has some names them in ``sealed_fields``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.db import models, transaction

from agentops.sealing import SealRefused, rewrap


def place_of(row: models.Model, field: str) -> str:
    """Return the context of a sealed column, such as ``identities.secret/<pk>/sealed_value``."""
    return f"{row._meta.label_lower}/{row.pk}/{field}"


def rewrap_all() -> dict[str, int]:
    """Wrap every sealed value under the first key; return how many were changed, by column.

    Row by row, each locked for a moment: a value may be replaced meanwhile. Raises SealRefused for
    one that does not open, with the place in its words.
    """
    changed: dict[str, int] = {}
    for model, field in _sealed_columns():
        rows = model._default_manager.exclude(**{field: ""}).order_by("pk").values_list("pk", flat=True)
        changed[f"{model._meta.label_lower}.{field}"] = sum(_rewrap(model, field, pk) for pk in rows)
    return changed


def _sealed_columns() -> Iterator[tuple[type[models.Model], str]]:
    for model in apps.get_models():
        for field in getattr(model, "sealed_fields", ()):
            yield model, field


@transaction.atomic
def _rewrap(model: type[models.Model], field: str, pk: Any) -> bool:  # Any: whatever the key of the model is
    row = model._default_manager.select_for_update(of=("self",)).filter(pk=pk).first()
    sealed = getattr(row, field, "")
    if row is None or not sealed:
        return False
    place = place_of(row, field)
    try:
        wrapped = rewrap(sealed, context=place)
    except SealRefused as error:
        raise SealRefused(error.code, f"{place}: {error.detail}") from error
    if wrapped != sealed:
        setattr(row, field, wrapped)
        row.save(update_fields=[field])
    return wrapped != sealed

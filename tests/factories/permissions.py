"""Object permissions, of which most tests of runs give some."""

from __future__ import annotations

from functools import cache

from django.contrib.auth.models import Permission
from django.db.models import Model
from guardian.shortcuts import assign_perm

from identities.models import User


def let(person: User, codename: str, subject: Model) -> None:
    """Give somebody a permission for one object."""
    assign_perm(permission_for(codename, type(subject)), person, subject)


@cache
def permission_for(codename: str, model: type[Model]) -> Permission:
    """Return a permission with its content type; migrations wrote both, and no test's end takes them away."""
    found: Permission = Permission.objects.select_related("content_type").get(
        content_type__app_label=model._meta.app_label,
        content_type__model=model._meta.model_name,
        codename=codename,
    )
    return found

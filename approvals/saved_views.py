"""Views of the inbox that people keep for themselves: filters under a name, one of them the first to be seen."""

from __future__ import annotations

from django.db import transaction

from agentops.errors import PolicyDenied, StateConflict, ValidationFailed
from agentops.text import is_blank
from approvals.models import SavedView
from identities.models import User
from identities.querysets import is_known_person

MOST_VIEWS = 20
LONGEST_NAME, LONGEST_QUERY = 40, 400


@transaction.atomic
def keep_view(*, actor: User, name: str, query: str, is_default: bool) -> SavedView:
    """Keep a view under a name, in the stead of the one that has it; ``is_default``: the inbox opens with it.

    Raises ValidationFailed for a name or query that is none, StateConflict beyond 20 views.
    """
    if not is_known_person(actor):
        raise PolicyDenied("not_a_person", "only people have views")
    name = name.strip()
    if is_blank(name) or len(name) > LONGEST_NAME:
        raise ValidationFailed("bad_name", f"a view has a name of up to {LONGEST_NAME} characters")
    if len(query) > LONGEST_QUERY:
        raise ValidationFailed("bad_query", "these filters are too long to be kept")
    User.objects.select_for_update(no_key=True).get(pk=actor.pk)  # or two at once could keep one too many
    own = SavedView.objects.filter(person=actor)
    if not own.filter(name=name).exists() and own.count() >= MOST_VIEWS:
        raise StateConflict("too_many_views", f"you have {MOST_VIEWS} views; drop one first")
    if is_default:
        own.update(is_default=False)
    view, _ = SavedView.objects.update_or_create(
        person=actor, name=name, defaults={"query": query, "is_default": is_default}
    )
    return view


def drop_view(*, actor: User, name: str) -> bool:
    """Forget one of one's own views; return whether there was one."""
    dropped, _ = SavedView.objects.filter(person=actor, name=name).delete()
    return bool(dropped)


def read_views(person: User) -> list[SavedView]:
    """Return somebody's views, by name."""
    return list(SavedView.objects.filter(person=person).order_by("name"))

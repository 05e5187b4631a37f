"""Whether an application may name the users it acts for, as a governed change: its word proves who they are.

What is done for them is bound by grants and terms all the same.
"""

from __future__ import annotations

from identities.changes.change import Change, Fields
from identities.models import Application, User

TRUST = "application.trust"
CHANGE = "identities.change_application"


def describe_trust(application: Application, name: str, *, trusted: bool) -> Change:
    """Describe that an application is trusted, or no more, with the name it has from then on."""
    before = {"name": application.name, "may_assert_users": application.may_assert_users}
    after = {"name": name, "may_assert_users": trusted}
    what = "may name the users it acts for" if trusted else "names no users any more"
    return Change(
        verb=TRUST,
        subject=str(application.pk),
        team=application.team,
        permission=CHANGE,
        title=f"{application} {what}",
        arguments={"application": str(application.pk), **after},
        before=before,
        after=after,
        loosening=("may_assert_users",) if trusted and not application.may_assert_users else (),
        undo={"application": str(application.pk), **before},
    )


def carry_out_trust(actor: User, arguments: Fields) -> object:
    """Trust the application that a proposal names, or no more."""
    from identities.services import update_application  # which describes itself here

    return update_application(
        actor=actor,
        application=Application.objects.get(pk=arguments["application"]),
        name=arguments["name"],
        may_assert_users=arguments["may_assert_users"],
    )

"""Whether all is done that an item of a change set depends on: asked each time that its call is assessed."""

from __future__ import annotations

from runs.session import Session


def find_missing(session: Session, number: int) -> tuple[str, str] | None:
    """Return why an item must not go out, as a code and words: something that it depends on was not done."""
    plan = session.applying
    if plan is None:
        return None
    if number not in plan.items:
        return "not_accepted", "nobody has accepted this: it was not carried out"
    calls = {call.number: call for call in session.state.calls}
    for needed in plan.items[number].depends_on:
        call = calls.get(needed)
        if call is None:
            return (
                "dependency_refused",
                f"it depends on item {needed}, which was not accepted: not carried out",
            )
        if call.settled and call.status != "succeeded":
            return "dependency_failed", f"it depends on item {needed}, which was not done: not carried out"
    return None

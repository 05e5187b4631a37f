"""Terms of end users as governed changes: they only take away, so to set the first ones takes nobody else."""

from __future__ import annotations

from typing import Any

from identities.changes import Change, as_json
from identities.models import Principal, User
from tools.models import Tool, UserTerms
from tools.services.changes.grants import GRANT, find_looser_terms
from tools.services.terms import Terms

SET_USER_TERMS = "user_terms.set"
TERMS = ("decision", "caps", "over_caps")

Row = dict[str, Any]  # Any: columns


def describe_user_terms(
    tool: Tool, principal: Principal | None, present: UserTerms | None, after: Row | None
) -> Change:
    """Describe terms that replace the present ones; ``after`` is None where they end."""
    before = None if present is None else {name: getattr(present, name) for name in TERMS}
    whose = None if principal is None else str(principal.id)
    arguments = {"tool": str(tool.id), "principal": whose}
    return Change(
        verb=SET_USER_TERMS,
        subject=f"{tool.id}:{whose or ''}",
        team=tool.team,
        permission=GRANT,
        title=f"What may be done with {tool} on behalf of {principal or 'every end user'}",
        arguments={**arguments, "terms": after},
        before=None if before is None or present is None else as_json({**before, "set": present.created_at}),
        after=as_json(after or {}),
        loosening=_find_looser(before, after),
        undo={**arguments, "terms": before},
    )


def _find_looser(before: Row | None, after: Row | None) -> tuple[str, ...]:
    if before is None:
        return ()
    return TERMS if after is None else find_looser_terms(before, after)


def carry_out_user_terms(actor: User, arguments: Row) -> object:
    """Set the terms that a proposal holds; no terms end those that stand."""
    from tools.services.user_terms import end_user_terms, set_user_terms  # which describe themselves here

    tool = Tool.objects.get(pk=arguments["tool"])
    whose = arguments["principal"]
    principal = Principal.objects.get(pk=whose) if whose else None
    if arguments["terms"] is not None:
        values = {**arguments["terms"], "caps": tuple(arguments["terms"]["caps"])}
        return set_user_terms(actor=actor, tool=tool, principal=principal, terms=Terms(**values))
    present = UserTerms.objects.standing().filter(tool=tool, principal=principal).first()
    return None if present is None else end_user_terms(actor=actor, terms=present)

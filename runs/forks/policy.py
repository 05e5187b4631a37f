"""Terms that a fork tries out in place of those of a grant; nobody is granted anything by them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from agentops.errors import ValidationFailed
from tools.authority import GrantTerms
from tools.caps import parse_caps
from tools.standing import Answer

DECISIONS = ("ALLOW", "ALLOW_WITH_CAPS", "REQUIRE_APPROVAL", "DENY")
OVER_CAPS = ("REQUIRE_APPROVAL", "DENY")
NO_GRANT = UUID(int=0)
APPROVAL_TTL_S = 3600  # of a grant that there is not; nobody is asked


def check_terms(terms: Mapping[str, Any], offered: Mapping[str, object]) -> None:  # Any: JSON
    """Raise ValidationFailed for terms that no grant could have, or of a tool that the version does not offer."""
    for tool, told in terms.items():
        if tool not in offered:
            raise ValidationFailed("unknown_tool", f"the version offers no tool {tool}")
        if not isinstance(told, dict) or not told.keys() <= {"decision", "caps", "over_caps"}:
            raise ValidationFailed("bad_terms", f"terms have decision, caps, over_caps: {tool}")
        if told.get("decision") not in DECISIONS:
            raise ValidationFailed("bad_terms", f"the decision of {tool} is one of {', '.join(DECISIONS)}")
        if told.get("over_caps", "DENY") not in OVER_CAPS:
            raise ValidationFailed("bad_terms", f"over_caps of {tool} is one of {', '.join(OVER_CAPS)}")
        caps = parse_caps(told.get("caps", []))
        if bool(caps) != (told["decision"] == "ALLOW_WITH_CAPS"):
            raise ValidationFailed("bad_terms", f"caps go with ALLOW_WITH_CAPS, and only with that: {tool}")


def change_terms(answer: Answer, terms: Mapping[str, Any] | None) -> Answer:  # Any: JSON
    """Return how things would stand if the tool were granted on these terms; without terms, how they stand."""
    if terms is None:
        return answer
    grant = answer.standing.grant or GrantTerms(NO_GRANT, 0, "DENY", (), "DENY", APPROVAL_TTL_S, None, None)
    changed = replace(
        grant, decision=terms["decision"], caps=parse_caps(terms.get("caps", [])),
        over_caps=terms.get("over_caps", "DENY"), waiver=None, policy_table=None, valid_until=None,
    )  # fmt: skip
    return replace(answer, standing=replace(answer.standing, grant=changed, guarded=True))

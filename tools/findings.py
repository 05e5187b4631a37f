"""What was found out about whether the user meant a call, joined to what the policy says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from tools.authority import Decision, Reason, Verdict
from tools.provenance.judging import Finding

# The codes under which a call is found not to be, or perhaps not, what the user meant.
DOUBTS = frozenset(
    (
        "off_plan",
        "over_plan",
        "other_arguments",
        "from_untrusted",
        "from_nowhere",
        "another_named",
        "other_than_said",
        "confusable",
        "strange_address",
        "carries_sensitive",
        "leaks_sensitive",
    )
)
_STRICTER: Mapping[Verdict, int] = MappingProxyType({"ALLOW": 0, "REQUIRE_APPROVAL": 1, "DENY": 2})


def heed_findings(decision: Decision, findings: Sequence[Finding]) -> Decision:
    """Return the decision with what was found out about whether the user meant the call: it only takes away."""
    if decision.verdict == "DENY" or not findings:
        return decision
    reasons = [Reason("run", found.code, found.detail) for found in findings]
    worst = max(range(len(findings)), key=lambda place: _STRICTER[findings[place].word])
    told = (*decision.reasons, *reasons[:worst], *reasons[worst + 1 :], reasons[worst])
    if findings[worst].word == "DENY":
        return Decision("DENY", reasons[worst].code, told)
    if findings[worst].word == "ALLOW" or decision.verdict == "REQUIRE_APPROVAL":
        return replace(decision, reasons=told)
    return replace(decision, verdict="REQUIRE_APPROVAL", code=reasons[worst].code, reasons=told)

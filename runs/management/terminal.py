"""Deciding about a call at the terminal: yes, no, a question to the agent, or other arguments."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from agentops.errors import ValidationFailed
from approvals.edits import Look, edit_call, look_at_edit
from approvals.models import ApprovalRequest
from approvals.questions import ask_agent
from approvals.services import decide, read_evidence
from identities.models import User

ANSWERS = ("approve", "deny", "ask", "edit")
CHANNEL = "terminal"


def answer_request(
    approver: User, request: ApprovalRequest, answer: str, write: Callable[[str], Any]
) -> None:
    """Do what was answered, asking for the words that it takes. Raises as the verbs do, EOFError where nobody types."""
    # Whoever sits at this machine's terminal is its operator; the demo runs nowhere else.
    by: dict[str, Any] = {
        "actor": approver, "request": request, "digest": request.digest, "channel": CHANNEL, "second_factor": True,
    }  # fmt: skip
    if answer == "ask":
        ask_agent(**by, question=input("  what do you ask the agent? ").strip())
    elif answer == "edit":
        _edit(by, write)
    else:
        reason = "approved in the terminal" if answer == "approve" else "denied in the terminal"
        decide(**by, verdict=answer, reason=reason)


def _edit(by: dict[str, Any], write: Callable[[str], Any]) -> None:
    """Ask for other arguments, show what the call would be, and have it so if that is wanted."""
    actor, request = by["actor"], by["request"]
    shown = (read_evidence(request) or {}).get("arguments")
    write(f"  it has         {json.dumps(shown, ensure_ascii=False)}")
    arguments = _read(input("  all arguments, as JSON: "))
    look = look_at_edit(actor=actor, request=request, arguments=arguments, digest=request.digest)
    for line in _tell(look):
        write(line)
    if input("  approve it like this? yes or no: ").strip().lower() not in ("yes", "y"):
        raise ValidationFailed("not_confirmed", "nothing was changed")
    edit_call(**by, arguments=arguments, edited=look.digest, reason="edited in the terminal")


def _read(text: str) -> Any:  # Any: JSON
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ValidationFailed("malformed_arguments", "this is no JSON; nothing was changed") from None


def _tell(look: Look) -> list[str]:
    changes = [
        f"  {each.argument}: {json.dumps(each.before)} becomes {json.dumps(each.after)}"
        for each in look.changes
    ]
    asked = "people have to approve it like this" if look.asks else "the agent may do this by itself"
    return [*changes, f"  {asked}"]

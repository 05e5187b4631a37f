"""Permits: the right to make one attempt of one call. Sealed with a secret that never leaves this process.

Only this module makes them, from an assessment that allows, or from one that a person approved.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from agentops.canonical import canonical_json
from agentops.errors import PolicyDenied
from agentops.identifiers import text_of
from tools.assessment import Assessment

_SEALING = hmac.new(secrets.token_bytes(32), digestmod="sha256")
_REMEMBERED = 50_000
_used: OrderedDict[str, None] = OrderedDict()
_using = threading.Lock()


@dataclass(frozen=True, slots=True)
class Permit:
    """The right to execute one attempt: fits one key, one attempt, one tool version, one set of arguments, once."""

    key: str
    attempt: int
    approval_id: UUID | None
    seal: str
    confirmation_id: UUID | None = None

    @property
    def reference(self) -> str:
        """Return what the trace may show of the permit."""
        return hashlib.sha256(self.seal.encode()).hexdigest()[:16]


def _seal(assessment: Assessment, approval_id: UUID | None, confirmation_id: UUID | None) -> str:
    """Seal what is about to be executed: the call is digested afresh, whoever carried it here."""
    call = assessment.call
    whom = [text_of(call.run_id), text_of(call.identity_id), call.principal_issuer, call.principal_subject]
    covered = [assessment.digest, str(approval_id or ""), str(confirmation_id or "")]
    mac = _SEALING.copy()
    mac.update(canonical_json([call.key, call.attempt, call.spec.digest, call.arguments, *whom, *covered]))
    return mac.hexdigest()


def issue_permit(
    assessment: Assessment, *, approval_id: UUID | None = None, confirmation_id: UUID | None = None
) -> Permit:
    """Return a permit for the assessed attempt; raises PolicyDenied when the assessment gives no right to one.

    ``approval_id`` names the approval that was checked against this very assessment's digest, ``confirmation_id``
    the end user's confirmation of it.
    """
    covered: tuple[Literal["ALLOW", "REQUIRE_APPROVAL"], ...] = ("ALLOW",)
    if approval_id is not None:
        covered = ("ALLOW", "REQUIRE_APPROVAL")
    if assessment.verdict not in covered or not assessment.digest:
        raise PolicyDenied(assessment.decision.code, assessment.detail)
    if assessment.confirms and confirmation_id is None:
        raise PolicyDenied("confirmation_required", "the end user has not confirmed this")
    call = assessment.call
    seal = _seal(assessment, approval_id, confirmation_id)
    return Permit(call.key, call.attempt, approval_id, seal, confirmation_id)


def _names(permit: Permit, assessment: Assessment) -> bool:
    """Whether a permit says of itself what it is sealed for."""
    return (permit.key, permit.attempt) == (assessment.call.key, assessment.call.attempt)


def check_permit(permit: Permit, assessment: Assessment) -> None:
    """Check that a permit was issued for an assessed call; raises PolicyDenied for a forged or foreign one."""
    fits = isinstance(permit, Permit)
    expected = _seal(assessment, permit.approval_id, permit.confirmation_id) if fits else ""
    if (
        not expected
        or not hmac.compare_digest(permit.seal.encode(), expected.encode())
        or not _names(permit, assessment)
    ):
        raise PolicyDenied("permit_does_not_fit", "this permit was not issued for this call")


def use_permit(permit: Permit, assessment: Assessment) -> None:
    """Spend a permit on an assessed call; raises PolicyDenied for a forged, foreign or used one."""
    check_permit(permit, assessment)
    with _using:
        if permit.seal in _used:
            raise PolicyDenied("permit_used", "this permit was used already")
        _used[permit.seal] = None
        while len(_used) > _REMEMBERED:
            _used.popitem(last=False)

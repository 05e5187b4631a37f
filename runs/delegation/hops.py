"""By whose word a run acts: the receipts of its hops, from itself up to the run that nobody started another for.

Read from the ledger alone, and each checked: its signature, whom it names, and that it is bound to the one above it.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from identities.oauth.compact import TokenRefused
from identities.oauth.receipts import digest_receipt, read_receipt
from runs.delegation.receiving import find_receipt
from runs.models import Run


@dataclass(frozen=True, slots=True)
class Hop:
    """A run that took a task: of whose call (an agent's account), in which run, by what key; ``fault`` if so."""

    run: UUID
    actor: str
    parent: UUID
    key: str
    fault: str = ""


def find_hops(run: Run) -> list[Hop]:
    """Return the hops that led to a run, the nearest first; what an application started for a parent took none."""
    found = []
    while run.parent is not None:
        if run.delegated_call is not None:
            found.append(_read(run, run.parent))
        run = run.parent
    return found


def _read(run: Run, parent: Run) -> Hop:
    key = ""
    try:
        told = read_receipt(find_receipt(run.pk))
        key = str(told["identifier"])
        fault = _find_fault(told, run, parent)
    except (TokenRefused, KeyError) as refused:
        fault = f"no receipt of ours: {refused}"
    return Hop(run.pk, parent.identity.service_account.username, parent.pk, key, fault)


def _find_fault(told: dict[str, object], run: Run, parent: Run) -> str:
    expected = {
        "actor": parent.identity.service_account.username,
        "audience": run.identity.service_account.username,
        "run": str(parent.pk),
        "parent_sha256": digest_receipt(find_receipt(parent.pk)),
    }
    wrong = [name for name, value in expected.items() if told.get(name) != value]
    return f"it is about another {', '.join(wrong)}" if wrong else ""

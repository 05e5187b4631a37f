"""Applying a document: read, check, and let the services do it, all in one transaction."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Mapping

from django.db import connection, transaction
from django.utils import timezone

from agentops.errors import StateConflict
from agentops.identifiers import new_id
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from agentops.strict_yaml import read_yaml
from identities.changes import seconded
from identities.models import User
from runs.provisioning.agents import apply_agents, apply_grants
from runs.provisioning.applications import apply_applications, apply_resources
from runs.provisioning.approval_rules import apply_approval_rules
from runs.provisioning.capacity import apply_review_capacity
from runs.provisioning.catalogue import apply_agent_tools, apply_tools
from runs.provisioning.checking import check_document
from runs.provisioning.denial_reasons import apply_denial_reasons
from runs.provisioning.evaluation_sets import apply_evaluation_sets
from runs.provisioning.money import apply_budgets, apply_prices
from runs.provisioning.oversight import apply_oversight_rules
from runs.provisioning.people import apply_groups, apply_people, apply_teams
from runs.provisioning.plan import Plan
from runs.provisioning.sampling_rules import apply_sampling_rules
from runs.provisioning.schedules import apply_schedules
from runs.provisioning.secrets import apply_secrets
from runs.provisioning.session import Session
from runs.provisioning.tables import apply_decision_tables
from runs.provisioning.variables import fill_in
from runs.provisioning.versions import apply_versions

# What is referred to comes before what refers to it.
SECTIONS = (
    apply_groups,
    apply_people,
    apply_teams,
    apply_secrets,
    apply_resources,
    apply_decision_tables,
    apply_tools,
    apply_prices,
    apply_agents,
    apply_agent_tools,
    apply_grants,
    apply_evaluation_sets,
    apply_versions,
    apply_applications,
    apply_budgets,
    apply_approval_rules,
    apply_review_capacity,
    apply_denial_reasons,
    apply_sampling_rules,
    apply_oversight_rules,
    apply_schedules,
)
ONE_AT_A_TIME = 4_726_001  # an advisory lock: two documents are never applied interleaved


def apply_document(
    *,
    actor: User,
    text: str,
    second: User | None = None,
    variables: Mapping[str, str] | None = None,
    dry_run: bool = False,
    expected: Plan | None = None,
) -> Plan:
    """Make everything as the document says, through the services; return what changed.

    What takes a second person is done where ``second`` is there, an active person with the same rights; otherwise
    it is proposed. ``variables`` (default: the environment) fill ``${…}`` references. A dry run does all of it,
    preflight included, and rolls back: what it shows is what would happen. ``expected`` is a plan that somebody
    agreed to: StateConflict when the changes are no longer these. Raises what the services raise, the place in the
    document in front.
    """
    known = os.environ if variables is None else variables
    document = fill_in(read_yaml(text), known)
    check_document(document)
    session = Session(actor, document, known)
    with transaction.atomic(), seconded(second):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ONE_AT_A_TIME])
        for apply_section in SECTIONS:
            apply_section(session)
        plan = session.plan()
        if expected is not None and expected != plan:
            raise StateConflict(
                "plan_changed", "something changed since this plan was shown: look at it again"
            )
        if not plan.is_empty or plan.waiting:
            _record(actor, text, plan)
        transaction.set_rollback(dry_run)
    return plan


def _record(actor: User, text: str, plan: Plan) -> None:
    counts = Counter(change.action for change in plan.changes)
    digest = hashlib.sha256(text.encode()).hexdigest()
    facts = {"digest": digest, "created": counts["create"], "updated": counts["update"]}
    record(new_id(), "document", Draft("document.applied", timezone.now(), facts, actor=actor.id))

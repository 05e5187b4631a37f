"""One row of each thing that the console has a list of, made by the verbs that people make it with."""

from __future__ import annotations

from decimal import Decimal

from approvals.models import ApprovalBatch, ApprovalRequest, MailPreference
from runs.evaluation.evaluating import Trial, evaluate
from runs.examples.services import decide_example
from runs.models import Run
from runs.schedules.services import create_schedule
from tests import verbs
from tests.approvals.batching import put_together
from tests.asking import kept_note, parked_letter
from tests.factories import AgentFactory, AgentVersionFactory
from tests.runs.company import Company

DEEDS = (
    "set_approval_rule", "set_denial_reasons", "set_review_capacity", "set_sampling_rule", "declare_absence",
    "create_channel", "set_budget", "open_campaign", "add_issuer", "rotate_signing_key",
    "set_user_terms", "propose",
)  # fmt: skip


def furnish(company: Company) -> None:
    """Make one of each, as the superuser where a verb does not say who."""
    cast = company.cast
    for name in DEEDS:
        verbs.DEEDS[name](cast, cast.alice if name == "propose" else cast.ada)
    makers = (
        verbs.delivery_of, verbs.second_look_of, verbs.key_of, verbs.key_set_of, verbs.delegation_to,
        verbs.switch_of, verbs.secret_of, verbs.table_of,
    )  # fmt: skip
    for make in makers:
        make(cast)
    parked_letter(Run.objects.earliest("id"))
    kept_note(Run.objects.earliest("id"))
    try_a_version(company)
    verbs.stop_everything(cast, cast.ada)
    plan_by_the_clock(company)
    MailPreference.objects.create(user=cast.fiona)


def try_a_version(company: Company) -> None:
    """Have a version tried by a set of one case, and a run approved as an example."""
    cast, run = company.cast, Run.objects.earliest("id")
    trial = Trial(max_usd=Decimal(100))
    evaluate(actor=cast.ada, evaluation_set=verbs.set_of(cast), version=run.agent_version, trial=trial)
    decide_example(actor=cast.ada, run=run, verdict="approved", reason="It is right.")


def put_batch_together(company: Company, request: ApprovalRequest) -> ApprovalBatch:
    """Put a batch of one request together, as its approver."""
    return put_together(company.cast.fiona, [request])


def plan_by_the_clock(company: Company) -> None:
    """Have an agent of its own report every day, in a person's name."""
    agent = AgentFactory.create(team=company.cast.team, owner=company.cast.alice)
    AgentVersionFactory.create(
        identity=agent, published=True, principal_source="staff", run_expires_after_s=60
    )
    create_schedule(actor=company.cast.ada, agent=agent, task=verbs.REPORT)

"""Each hop from agent to agent is on record on both sides, and signed with where both runs stood."""

from __future__ import annotations

from django.utils import timezone

from agentops.ledger.checkpoints import take_checkpoint
from agentops.ledger.models import CheckpointHead
from tests.ledger.forging import faults
from tests.ledger.test_verification import forge
from tests.runs.delegation.conftest import House

ASK = ("ask_researcher", {"topic": "colour"})


def test_a_hop_is_recorded_by_who_gives_and_by_who_takes(house: House) -> None:
    run = house.ask(ASK)
    (child,) = house.children(run)
    (given,) = house.company.facts(run, "call.delegated")
    (taken,) = house.company.facts(child, "run.started")

    assert (given["child"], given["identity"]) == (str(child.pk), str(child.identity_id))
    assert taken["parent"] == str(run.pk)
    assert taken["delegation"] == {"step": child.delegated_step, "call": child.delegated_call}
    assert (taken["identity"], taken["principal"]) == (str(child.identity_id), str(run.principal_id))
    (started,) = (entry for entry in house.company.entries(child) if entry.kind == "run.started")
    assert started.actor == run.identity_id, "the agent that gave the task, not the application"


def test_both_sides_of_a_hop_are_signed_by_the_next_checkpoint(house: House) -> None:
    run = house.ask(ASK)
    (child,) = house.children(run)
    take_checkpoint(now=timezone.now())
    signed = CheckpointHead.objects.filter(stream_id__in=[run.pk, child.pk])
    assert signed.count() == 2
    house.company.is_mutant = True  # what follows is no history of ours
    forge(child.pk, 1, 1, head=True)
    assert faults() == [(child.pk, 1, "rewritten")]

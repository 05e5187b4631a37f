"""Reviewing a change set: deciding about its items, sending it back, having it carried out. By people, in the open."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from agentops.engine import events as e
from agentops.errors import AgentOpsError, NotFound, PolicyDenied, StateConflict, ValidationFailed
from agentops.ledger.store import Cursor
from agentops.messages import send_after_commit
from agentops.text import is_blank
from agentops.tracing import continue_trace
from approvals.closing import REASON_LIMIT
from approvals.models import ApprovalRequest
from approvals.policies import may_decide
from approvals.services import decide, void_request
from identities.factors import require_fresh_factor
from identities.models import User
from runs.bounds import Bounds
from runs.changesets.depending import find_accepted, find_fallen
from runs.changesets.plans import ApplyPlan, ToApply
from runs.changesets.withdrawing import withdraw_changes
from runs.models import ChangeItem, ChangeSet, Run
from runs.queues import DRIVE, queue_of
from runs.services import append_to_run
from runs.starting import create_run, record_start, refuse_stopped

State = ChangeSet.State
FALLEN = "dependency_refused"
_GONE = {
    State.DRAFT: "the agent is still at work on it: wait until it is offered",
    State.APPLIED: "it was accepted already: look at the run that carries it out",
    State.DECLINED: "it was declined already: start the task anew, if it is still wanted",
    State.SUPERSEDED: "it was sent back: look at the version that came after it",
    State.VOIDED: "its run has ended: start the task anew, if it is still wanted",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a reviewer's word about one item; ``code`` and ``detail`` say why it was not taken."""

    item: int
    verdict: str
    is_taken: bool
    code: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Word:
    """What a reviewer says about an item, and how."""

    verdict: str
    reason: str
    channel: str
    second_factor: bool
    signature: Mapping[str, str]


def lock_offered(actor: User, change_set: ChangeSet, digest: str) -> ChangeSet:
    """Lock a change set that somebody may see, as it was shown to them, and its run before it; raises AgentOpsError."""
    if not ChangeSet.objects.visible_to(actor).filter(pk=change_set.pk).exists():
        raise NotFound("unknown_change_set", "there is no such change set")
    Run.objects.select_for_update(no_key=True).get(pk=change_set.run_id)
    locked: ChangeSet = (
        ChangeSet.objects.select_for_update(of=("self",)).select_related("run").get(pk=change_set.pk)
    )
    if locked.state != State.OFFERED:
        raise StateConflict("change_set_closed", f"{_GONE[State(locked.state)]}; nothing was changed")
    if locked.digest != digest:
        raise StateConflict(
            "digest_changed", "the change set is not the one that you were shown; look at it again"
        )
    if locked.run.has_ended:
        raise StateConflict("run_ended", f"{_GONE[State.VOIDED]}; nothing was changed")
    return locked


def list_items(change_set: ChangeSet) -> list[ChangeItem]:
    """Return the items in their order, each with its request and tool."""
    rows = change_set.item_rows.select_related("request", "request__identity", "tool").order_by("number")
    return list(rows)


def require_reviewer(actor: User, items: Sequence[ChangeItem]) -> None:
    """Raise PolicyDenied unless somebody may decide about an item, or has; its rules are those of any approval."""
    refused = None
    for item in items:
        found = may_decide(actor, item.request, second_factor=True)
        if found.allowed or found.code in ("decided_already", "not_asked_now"):
            return
        refused = refused or found
    raise PolicyDenied(
        refused.code if refused else "not_an_approver", refused.detail if refused else "it has no items"
    )


def about_items(digest: str, verdicts: Mapping[int, str]) -> str:
    """Return what a security key signs about items: the change set as it was shown, and the word about each.

    Written like ``changes:<digest>:approve=1,3;deny=2``, so that anybody can read from the record what was signed.
    """
    said: dict[str, list[str]] = defaultdict(list)
    for number in sorted(verdicts):
        said[verdicts[number]].append(str(number))
    words = ";".join(f"{verdict}={','.join(said[verdict])}" for verdict in sorted(said))
    return f"changes:{digest}:{words}"


def decide_items(
    *,
    actor: User,
    change_set: ChangeSet,
    digest: str,
    verdicts: Mapping[int, str],
    reason: str,
    channel: str,
    second_factor: bool,
    signature: Mapping[str, str] | None = None,
) -> list[Verdict]:
    """Approve or deny items of a change set, each by the rules of its own request; what is not taken is named.

    ``digest`` is what the person was shown, ``signature`` what their key signed about these items
    (``about_items``). Raises NotFound, StateConflict for a set that is not under review any more or has changed,
    PolicyDenied for somebody who may decide about none of it, ValidationFailed.
    """
    if not verdicts:
        raise ValidationFailed("nothing_chosen", "choose what to approve and what to deny")
    with transaction.atomic():
        locked = lock_offered(actor, change_set, digest)
        items = {item.number: item for item in list_items(locked)}
        if unknown := sorted(verdicts.keys() - items.keys()):
            raise NotFound("unknown_item", f"the change set has no item {unknown[0]}")
        require_reviewer(actor, list(items.values()))
        _lock_requests(items[number] for number in verdicts)
        told: list[Verdict] = []
        for number in sorted(verdicts):  # what an item depends on is decided before it
            word = Word(verdicts[number], reason, channel, second_factor, signature or {})
            told.append(_decide(actor, number, items, word))
    return told


def _lock_requests(items: Iterable[ChangeItem]) -> None:
    """Lock the requests of items in the order in which a batch does, whatever the order of the items."""
    requests = ApprovalRequest.objects.filter(pk__in=[item.request_id for item in items])
    list(requests.select_for_update().order_by("pk").values_list("pk"))


def _decide(actor: User, number: int, items: Mapping[int, ChangeItem], word: Word) -> Verdict:
    item = items[number]
    try:
        if word.verdict == "approve" and (cause := _find_refused(items, item)):
            raise StateConflict(
                FALLEN, f"it depends on item {cause}, which is not approved: it falls with that"
            )
        with transaction.atomic():
            item.request = decide(
                actor=actor, request=item.request, verdict=word.verdict, reason=word.reason,
                digest=item.request.digest, channel=word.channel, second_factor=word.second_factor,
                signature=word.signature,
            )  # fmt: skip
    except AgentOpsError as error:
        return Verdict(number, word.verdict, False, error.code, error.detail)
    return Verdict(number, word.verdict, True)


def _find_refused(items: Mapping[int, ChangeItem], item: ChangeItem) -> int | None:
    """Return the item that this one depends on, directly or not, and that nobody can accept any more."""
    edges = {each.number: each.depends_on for each in items.values()}
    waits_or_stands = {
        each.number for each in items.values() if each.request.state in ("waiting", "approved")
    }
    return find_fallen(edges, waits_or_stands.__contains__).get(item.number)


def send_back(*, actor: User, change_set: ChangeSet, digest: str, comments: Mapping[int, str]) -> ChangeSet:
    """Send a change set back to its agent with comments, by item or (0) about the whole: another version follows.

    This one is superseded, and all that was decided about its items is void. Raises as ``decide_items`` does.
    """
    said = {item: text.strip() for item, text in sorted(comments.items()) if not is_blank(text)}
    if not said:
        raise ValidationFailed("comment_missing", "say what the agent is to change")
    if any(len(text) > REASON_LIMIT for text in said.values()):
        raise ValidationFailed("comment_too_long", f"a comment has at most {REASON_LIMIT} characters")
    with transaction.atomic():
        locked = lock_offered(actor, change_set, digest)
        items = list_items(locked)
        require_reviewer(actor, items)
        if unknown := sorted(said.keys() - {0, *(item.number for item in items)}):
            raise NotFound("unknown_item", f"the change set has no item {unknown[0]}")
        told = [{"item": item or "all of it", "comment": text} for item, text in said.items()]
        facts = {"change_set": str(locked.pk), "comments": len(told), "size": sum(map(len, said.values()))}
        append_to_run(actor, locked.run, e.CHANGES_SENT_BACK, facts, {"comments": told}, _supersede(locked))
        ChangeSet.objects.filter(pk=locked.pk).update(settled_by=actor)
    locked.refresh_from_db()
    return locked


def _supersede(change_set: ChangeSet) -> Any:  # Any: a duty of append_to_run

    def supersede(cursor: Cursor, state: Any) -> None:
        withdraw_changes(change_set.run_id, State.SUPERSEDED, "superseded", timezone.now())

    return supersede


def apply_changes(*, actor: User, change_set: ChangeSet, digest: str) -> ChangeSet:
    """Have what was accepted carried out, in its order and without a model, by a run that has the set's id.

    What depends on something that was not accepted is not carried out, whatever was decided about it. With nothing
    accepted the set is declined. Raises as ``decide_items`` does; StateConflict while an item waits for people.
    """
    with transaction.atomic():
        locked = lock_offered(actor, change_set, digest)
        items = list_items(locked)
        require_reviewer(actor, items)
        require_fresh_factor(actor)
        _refuse_undecided(items)
        accepted = choose_accepted(items)
        _void_rest(items, accepted)
        if accepted:
            _start(actor, locked, accepted)
        state = State.APPLIED if accepted else State.DECLINED
        settled = {"state": state, "settled_at": timezone.now(), "settled_by": actor}
        ChangeSet.objects.filter(pk=locked.pk).update(**settled)
        facts = {"change_set": str(locked.pk), "items": len(items), "accepted": len(accepted)}
        append_to_run(actor, locked.run, e.CHANGES_SETTLED, facts)
    locked.refresh_from_db()
    return locked


def _refuse_undecided(items: Sequence[ChangeItem]) -> None:
    waiting = [str(item.number) for item in items if item.request.state == ApprovalRequest.State.WAITING]
    if waiting:
        detail = f"decide first about item {', '.join(waiting)}: it waits for you or for another person"
        raise StateConflict("items_undecided", detail)


def choose_accepted(items: Sequence[ChangeItem]) -> list[ChangeItem]:
    """Return the items that are carried out: approved, and so is all that they depend on."""
    edges = {item.number: item.depends_on for item in items}
    approved = {item.number for item in items if item.request.state == ApprovalRequest.State.APPROVED}
    chosen = set(find_accepted(edges, approved.__contains__))
    return [item for item in items if item.number in chosen]


def _void_rest(items: Sequence[ChangeItem], accepted: Sequence[ChangeItem]) -> None:
    """An approval of what is not carried out is void: nothing else can use it."""
    kept = {item.number for item in accepted}
    for item in items:
        if item.number not in kept:
            void_request(item.request.pk, code=FALLEN, now=timezone.now())


def _start(actor: User, change_set: ChangeSet, accepted: Sequence[ChangeItem]) -> Run:
    """Start the applying run: by the authority of the run that proposed, for what was signed is bound to that."""
    proposed = change_set.run
    refuse_stopped(proposed.principal, proposed.agent_version)
    plan = ApplyPlan(proposed.pk, {item.number: _plan(item) for item in accepted})
    made = create_run(
        actor=actor, version=proposed.agent_version, principal=proposed.principal,
        application=proposed.application, trace=continue_trace("", ""),
        bounds=Bounds(proposed.parent, proposed.line, proposed.limits), proof=proposed.proof,
        applies=change_set, max_steps=2,
    )  # fmt: skip
    record_start(made, actor, "", "staff", applies=plan.as_facts(), applied_by=str(actor.pk), repeat_limit=0)
    send_after_commit(DRIVE, str(made.pk), queue=queue_of(made.priority))
    return made


def _plan(item: ChangeItem) -> ToApply:
    request = item.request
    return ToApply(item.number, item.seq, item.tool.name, request.pk, request.digest, tuple(item.depends_on))

"""Every operation of the OpenAPI document, called with success by a client that knows only the document."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from django_otp.plugins.otp_totp.models import TOTPDevice
from guardian.shortcuts import assign_perm

from agentops import database
from approvals.capacity import set_review_capacity
from approvals.models import NoticeDelivery
from identities.models import ApiKey
from runs.campaigns import open_campaign
from runs.evaluation.sets import SetSpec, save_set
from runs.models import Evaluation, Run
from tests.api.conftest import Callers
from tests.api.document_client import DocumentClient, Json
from tests.api.interface import INTERFACE
from tests.api.live import serve_api
from tests.asking import parked_letter
from tests.console.authenticator import SoftKey
from tests.console.test_security_keys import add
from tests.console.visits import sign_in
from tests.factories import give_second_factor
from tests.factories.identities import current_code
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.deeds import lose_request
from tests.runs.evaluation.trying import carry_through
from tests.runs.planner.provider import Turn
from tests.tools.tables import CASES, eligibility
from tests.verbs import second_look_of

pytestmark = [pytest.mark.api, pytest.mark.slow]

REFUND = ("refund", {**ORDER, "amount": "5.00"})


@pytest.fixture
def client(transactional_db: None) -> Iterator[DocumentClient]:
    with serve_api() as address:
        made = DocumentClient(address.replace("127.0.0.1", "localhost"))  # security keys want a name
        yield made
        made.http.close()
    connection.close()
    database.close_pool()


class Story:
    """A product, its staff and the platform's worker, which drives a run when it is told to."""

    def __init__(self, client: DocumentClient, company: Company, callers: Callers) -> None:
        self.client, self.company = client, company
        self.app, self.alice, self.fiona = callers.app.bearer, callers.alice.bearer, callers.fiona.bearer
        self.ada = callers.ada.bearer
        self.started = 0

    def start(self, *turns: Turn, **more: Any) -> str:
        """Start a run through the API, and drive it until it waits."""
        self.company.play(*turns)
        self.started += 1
        body = {
            "agent": self.company.cast.agent.slug,
            "message": "Help me.",
            "principal": {"issuer": "https://shop.example", "subject": "customer-1"},
            **more,
        }
        run: str = self.client.call(self.app, "startRun", body, Idempotency_Key=f"start-{self.started}")["id"]
        assert self.show(run)["state"] == "queued"
        self.drive(run)
        return run

    def open_campaign(self) -> str:
        """Have the grants looked at again, as the console does."""
        cast = self.company.cast
        due = timezone.now() + timedelta(days=1)
        campaign = open_campaign(actor=cast.ada, team=cast.team, title="t", due_at=due, reviewers=[cast.ada])
        return str(campaign.pk)

    def drive(self, run: str) -> None:
        self.company.drive(Run.objects.get(pk=run))

    def show(self, run: str) -> Json:
        return self.client.call(self.app, "getRun", run_id=run)


def test_the_document_is_enough(client: DocumentClient, company: Company, callers: Callers) -> None:
    company.add_reads()
    undone = {"kind": "compensable", "tool": "cancel", "arguments": {"order_id": "$arguments.order_id"}}
    company.let_decide(company.add_tool("refund", grant="REQUIRE_APPROVAL", undo=undone).tool)
    company.add_tool("cancel", idempotency="none")
    company.add_tool("ship", function="cancel", grant_veto_s=600)
    company.add_tool("reship", function="cancel", grant_confirmation=True)
    company.publish(max_extensions=1, extension_percent=100, max_steps=5, memory="ask")
    story = Story(client, company, callers)
    refunded = ask_and_approve(story)
    ask_back_and_edit(story)
    be_away(story)
    steer(story)
    hand_over(story)
    settle(story)
    veto(story)
    look_around(story)
    change(story)
    go_on(story)
    decide_by_table(story)
    undo(story, refunded)
    replay_and_fork(story, refunded)
    evaluate_and_learn(story, refunded)
    propose_changes(story)
    decide_together(story)
    look_twice(story)
    be_told(story)
    step_up_by_key(story)
    confirm(story)
    plan(story)
    give_up(story)
    remember(story)
    stop_agent(story)
    set_up_another(story)
    take_over(story)
    assert client.used == set(client.operations)


def be_away(story: Story) -> None:
    """Have Fiona name a deputy, who declines."""
    client, cast = story.client, story.company.cast
    assign_perm("approve_calls", cast.alice, story.company.versions[-1].tool)
    now = timezone.now()
    body = {"deputy": "alice", "begins_at": now.isoformat(), "reason": "On leave."}
    body["ends_at"] = (now + timedelta(days=3)).isoformat()
    made = client.call(story.fiona, "declareAbsence", body)
    assert client.call(story.alice, "getAbsence", absence_id=made["id"]) == made
    assert list(client.pages(story.alice, "listAbsences", standing=True, limit=1)) == [made]
    assert client.call(story.alice, "endAbsence", absence_id=made["id"])["state"] == "ended"


def step_up_by_key(story: Story) -> None:
    """Have Fiona prove by her security key that she is there."""
    key = SoftKey()
    assert add(sign_in(story.company.cast.fiona), key).status_code == 200
    key.domain, key.origin = "localhost", str(story.client.http.base_url).rstrip("/")
    options = story.client.call(story.fiona, "beginKeyProof", {"about": "approve:nothing"})["options"]
    assert story.client.call(story.fiona, "stepUp", {"answer": key.prove(options)})["verified_until"]


def be_told(story: Story) -> None:
    """Have Alice add a webhook, at which nobody answers."""
    client, application = story.client, story.company.cast.application
    device = TOTPDevice.objects.get(user=story.company.cast.alice)
    TOTPDevice.objects.update(last_t=-1)
    client.call(story.alice, "stepUp", {"otp": current_code(device)})
    body = {"application": application.slug, "name": "shop", "url": "http://127.0.0.1:9/hook",
            "kinds": ["run.ended"], "allow_private": True}  # fmt: skip
    made = client.call(story.alice, "createWebhook", body)
    assert made["secret"].startswith("whsec_")
    named = {"webhook_id": made["id"]}
    assert client.call(story.alice, "rotateWebhookSecret", **named)["secret"] != made["secret"]
    assert client.call(story.app, "getWebhook", **named)["host"] == "127.0.0.1"
    assert [row["id"] for row in client.pages(story.app, "listWebhooks", limit=1)] == [made["id"]]
    sent = client.call(story.app, "tryWebhook", **named)
    NoticeDelivery.objects.filter(pk=sent["id"]).update(state="dead")
    client.call(story.app, "sendWebhookAgain", delivery_id=sent["id"], **named)
    assert [row["state"] for row in client.pages(story.app, "listWebhookDeliveries", **named)] == ["waiting"]
    for verb, state in (
        ("disableWebhook", "disabled"),
        ("enableWebhook", "active"),
        ("removeWebhook", "removed"),
    ):
        assert client.call(story.alice, verb, **named)["state"] == state


def ask_and_approve(story: Story) -> str:
    client = story.client
    run = story.start(
        proposes(("ask_user", {"question": "Which order?"})), proposes(REFUND), says("Refunded.")
    )
    (action,) = story.show(run)["required_actions"]
    where = {"step": action["step"], "call": action["call"]}
    client.call(story.app, "answerInput", {"text": "A-1", **where}, run_id=run)
    story.drive(run)
    (action,) = story.show(run)["required_actions"]
    code = current_code(TOTPDevice.objects.get(user=story.company.cast.fiona))
    client.call(story.fiona, "stepUp", {"otp": code})
    asked = client.call(story.fiona, "getApproval", approval_id=action["id"])
    assert asked in list(client.pages(story.fiona, "listApprovals", decidable=True, limit=1))
    verdict = {"verdict": "approve", "reason": "Seen.", "digest": asked["digest"]}
    client.call(story.fiona, "decideApproval", verdict, approval_id=asked["id"], Idempotency_Key="decide")
    story.drive(run)
    assert (story.show(run)["state"], story.show(run)["answer"]) == ("completed", "Refunded.")
    listed = list(client.pages(story.app, "listEvents", run_id=run, limit=7))
    assert list(client.follow(story.app, run_id=run)) == listed
    assert list(client.follow(story.app, run_id=run, Last_Event_ID=3)) == listed[3:]
    told = list(client.pages(story.app, "getTrace", run_id=run, limit=7))
    assert [item["seq"] for item in told] == [event["seq"] for event in listed]
    assert [step["step"] for step in client.pages(story.app, "listSteps", run_id=run, limit=2)] == [1, 2, 3]
    return run


def ask_back_and_edit(story: Story) -> None:
    """Ask the agent about a refund, and have the one that it proposes again made of another order."""
    client = story.client
    refund = proposes(("refund", {"order_id": "C-3"}))
    run = story.start(refund, refund, says("Refunded."))
    (action,) = story.show(run)["required_actions"]
    asked = client.call(story.fiona, "getApproval", approval_id=action["id"])
    question = {"question": "Is it C-3?", "digest": asked["digest"]}
    client.call(story.fiona, "askAgent", question, approval_id=asked["id"], Idempotency_Key="ask")
    story.drive(run)
    (action,) = story.show(run)["required_actions"]
    again = client.call(story.fiona, "getApproval", approval_id=action["id"])
    assert again["follows"] == asked["id"]
    wanted = {"arguments": {"order_id": "C-4"}, "digest": again["digest"]}
    seen = client.call(story.fiona, "previewEdit", wanted, approval_id=again["id"])
    edit = {**wanted, "edited_digest": seen["digest"], "reason": "It is C-4."}
    client.call(story.fiona, "editApproval", edit, approval_id=again["id"], Idempotency_Key="edit")
    story.drive(run)
    assert story.show(run)["state"] == "completed"


def decide_together(story: Story) -> None:
    client = story.client
    run = story.start(proposes(("refund", {"order_id": "A-77"})), says("Refused."))
    (action,) = story.show(run)["required_actions"]
    (group,) = client.call(story.fiona, "listApprovalGroups")["data"]
    chosen = [{"id": each["id"], "digest": each["digest"]} for each in group["approvals"]]
    assert [each["id"] for each in chosen] == [action["id"]]
    opened = client.call(story.fiona, "openApprovalBatch", {"verdict": "deny", "approvals": chosen})
    out = {"approvals": [action["id"]]}
    less = client.call(story.fiona, "leaveOutOfApprovalBatch", out, batch_id=opened["id"])
    assert (less["ready"], less["left_out"]) == (0, 1)
    opened = client.call(story.fiona, "openApprovalBatch", {"verdict": "deny", "approvals": chosen})
    checked = client.call(story.fiona, "checkApprovalBatch", batch_id=opened["id"])
    batch = client.call(story.fiona, "getApprovalBatch", batch_id=opened["id"])
    assert (batch["ready"], batch["state"]) == (1, "draft")
    assert batch == checked
    body = {"digest": batch["digest"], "reason": "No photo."}
    done = client.call(
        story.fiona, "decideApprovalBatch", body, batch_id=batch["id"], Idempotency_Key="together"
    )
    assert (done["state"], done["decided"]) == ("done", 1)
    (item,) = client.pages(story.fiona, "listApprovalBatchItems", batch_id=batch["id"], state="decided")
    assert item["outcome"] == "denied"
    story.drive(run)


def look_twice(story: Story) -> None:
    """Have Fiona say that she would have approved it, too."""
    look = second_look_of(story.company.cast)
    (row,) = story.client.pages(story.fiona, "listSecondLooks", is_yours=True)
    assert row["approval"] == str(look.pk)
    said = story.client.call(story.fiona, "takeSecondLook", {"verdict": "agree"}, approval_id=row["approval"])
    assert (said["verdict"], said["seen_by"]) == ("agree", "fiona")


def steer(story: Story) -> None:
    client, ask = story.client, proposes(("ask_user", {"question": "Which order?"}))
    run = story.start(ask, says("Done."))
    assert client.call(story.app, "pauseRun", {"reason": "Lunch."}, run_id=run)["state"] == "paused"
    assert client.call(story.app, "resumeRun", {}, run_id=run)["state"] != "paused"
    client.call(story.app, "addMessage", {"text": "And hurry."}, run_id=run)
    assert client.call(story.app, "cancelRun", {"reason": "Enough."}, run_id=run)["state"] == "cancelling"
    story.drive(run)
    assert story.show(run)["state"] == "cancelled"
    run = story.start(ask, says("Done."))
    client.call(story.alice, "killRun", {"reason": "Now."}, run_id=run)
    story.drive(run)
    assert story.show(run)["state"] == "halted"


def hand_over(story: Story) -> None:
    run = story.start(proposes(("hand_over", {"reason": "They want a discount."})), says("As you wish."))
    (handover,) = story.client.pages(story.alice, "listHandovers", open=True)
    which = {"handover_id": handover["id"]}
    assert story.client.call(story.alice, "claimHandover", **which)["claimed_by"] == "alice"
    assert story.client.call(story.alice, "releaseHandover", **which)["claimed_by"] is None
    assert story.client.call(story.alice, "getHandover", **which)["turn"] == "person"
    story.client.call(story.alice, "answerHandover", {"text": "10 percent."}, **which)
    story.drive(run)
    assert story.show(run)["state"] == "completed"
    run = story.start(proposes(("hand_over", {"reason": "They shout."})), says("Never."))
    (handover,) = story.client.pages(story.alice, "listHandovers", open=True)
    last = {"outcome": "declined", "text": "Not like this."}
    assert (
        story.client.call(story.alice, "closeHandover", last, handover_id=handover["id"])["outcome"]
        == "declined"
    )
    story.drive(run)
    assert story.show(run)["answer"] == "Not like this."


def confirm(story: Story) -> None:
    client, user = story.client, {"issuer": "https://shop.example", "subject": "customer-1"}
    run = story.start(proposes(("reship", ORDER)), says("Sent again."))
    (action,) = story.show(run)["required_actions"]
    (asked,) = client.pages(story.app, "listConfirmations", state="waiting")
    assert (action["type"], action["id"]) == ("confirmation", asked["id"])
    shown = client.call(story.app, "getConfirmation", confirmation_id=asked["id"])
    assert (shown["principal"], shown["shown"]["arguments"]) == (user, ORDER)
    body = {"verdict": "confirm", "digest": shown["digest"], "principal": user}
    which = {"confirmation_id": asked["id"], "Idempotency_Key": "confirm"}
    assert client.call(story.app, "answerConfirmation", body, **which)["proof"] == "asserted"
    story.drive(run)
    assert story.show(run)["state"] == "completed"


def go_on(story: Story) -> None:
    client = story.client  # whose factor is fresh still, from the change before
    reads = [proposes(("look_up", {"order_id": f"A-{number}"})) for number in range(6)]
    run = story.start(*reads, says("Seen them all."))
    (asked,) = client.pages(story.ada, "listExtensions", state="waiting")
    assert client.call(story.ada, "getExtension", extension_id=asked["id"])["progress"]["done"] == []
    which = {"extension_id": asked["id"], "Idempotency_Key": "go-on"}
    body = {"verdict": "grant", "steps": 5, "reason": "Fine."}
    assert client.call(story.ada, "decideExtension", body, **which)["granted"]["steps"] == 5
    story.drive(run)
    assert story.show(run)["state"] == "completed"


def settle(story: Story) -> None:
    story.company.world.mishaps.append(lose_request)
    run = story.start(proposes(("cancel", ORDER)), says("Cancelled after all."))
    (action,) = story.show(run)["required_actions"]
    place = {"step": action["step"], "call": action["call"]}
    body = {"happened": True, "note": "Seen in the shop."}
    story.client.call(story.alice, "settleOutcome", body, run_id=run, **place)
    story.drive(run)
    assert story.show(run)["state"] == "completed"


def veto(story: Story) -> None:
    run = story.start(proposes(("ship", ORDER)), says("Not shipped."))
    assert [each["id"] for each in story.client.pages(story.alice, "listRuns", held=True)] == [run]
    (step,) = story.client.pages(story.app, "listSteps", run_id=run)
    (held,) = step["calls"]
    assert (held["state"], held["held_until"] is not None) == ("held", True)
    place = {"step": step["step"], "call": held["call"]}
    story.client.call(story.alice, "vetoCall", {"reason": "It was sent already."}, run_id=run, **place)
    story.drive(run)
    assert story.show(run)["state"] == "completed"
    assert not list(story.client.pages(story.alice, "listRuns", held=True))


def change(story: Story) -> None:
    client, cast = story.client, story.company.cast
    for bearer, person in ((story.ada, cast.ada), (story.alice, cast.alice)):
        device = TOTPDevice.objects.filter(user=person).first() or give_second_factor(person)
        client.call(bearer, "stepUp", {"otp": current_code(device)})

    def propose(usd: str) -> str:
        where = {"team": cast.team.slug, "agent": None, "window": "day"}
        body = {"verb": "budget.set", "subject": where, "values": {"max_usd": usd}, "reason": "Autumn."}
        made: str = client.call(story.alice, "proposeChange", body)["id"]
        return made

    for usd in ("10", "20"):
        known = propose(usd)
        client.call(story.ada, "activateProposal", {}, proposal_id=known, Idempotency_Key=f"activate-{usd}")
    refused, withdrawn = propose("30"), propose("40")
    assert client.call(story.ada, "getProposal", proposal_id=refused)["may_decide"]["allowed"]
    why = {"reason": "Too much."}
    client.call(story.ada, "rejectProposal", why, proposal_id=refused, Idempotency_Key="reject")
    assert client.call(story.alice, "withdrawProposal", {}, proposal_id=withdrawn)["state"] == "withdrawn"
    assert client.call(story.alice, "rollBackProposal", why, proposal_id=known)["done"] is True
    assert len(list(client.pages(story.alice, "listProposals", limit=3))) == 4


def propose_changes(story: Story) -> None:
    """Have a run propose, send it back once, deny what it proposes then, and decline the set."""
    client = story.client
    form = {"criteria": ["Paid back."], "forbidden": ["ship"], "budget": {"steps": 5}}
    run = story.start(proposes(("refund", {"order_id": "P-1"})), says("So?"), mode="propose", form=form)
    for verb in ("sendBackChangeSet", "decideChangeSet"):
        (action,) = story.show(run)["required_actions"]
        (listed,) = client.pages(story.fiona, "listChangeSets", state="offered", limit=1)
        shown = client.call(story.fiona, "getChangeSet", change_set_id=action["id"])
        assert (listed["id"], shown["form"]["criteria"]) == (action["id"], ["Paid back."])
        place = {"change_set_id": action["id"], "Idempotency_Key": verb}
        word = {"digest": shown["digest"]}
        if verb == "sendBackChangeSet":
            story.company.play(proposes(("refund", {"order_id": "P-2"})), says("And so?"))
            sent = client.call(story.fiona, verb, word | {"comments": [{"comment": "P-2."}]}, **place)
            assert sent["state"] == "superseded"
            story.drive(run)
            continue
        denied = word | {"items": [{"item": 1, "verdict": "deny"}], "reason": "No."}
        [told] = client.call(story.fiona, verb, denied, **place)["verdicts"]
        assert told["is_taken"], told
        place["Idempotency_Key"] = "apply"
        assert client.call(story.fiona, "applyChangeSet", word, **place)["state"] == "declined"
    story.drive(run)
    assert story.show(run)["state"] == "completed"


def replay_and_fork(story: Story, run: str) -> None:
    client = story.client
    assert client.call(story.ada, "replayRun", run_id=run)["outcome"] == "same"
    denied = {"step": 1, "terms": {"refund": {"decision": "DENY"}}}
    made = client.call(story.ada, "forkRun", denied, run_id=run)
    assert (made["kind"], made["fork_of"]) == ("fork", run)
    story.company.play(proposes(("refund", ORDER)), says("No."))
    story.drive(made["id"])
    report = client.call(story.ada, "compareFork", run_id=made["id"])
    assert (report["of"], report["changed"]) == (run, ["policy"])
    assert report["parting"] is not None


def evaluate_and_learn(story: Story, run: str) -> None:
    """Try the published version by a set, put it beside itself, and export a run that somebody approved."""
    client, cast = story.client, story.company.cast
    case = {"name": "greeting", "message": "Hello.", "checks": [{"answer": {}}]}
    save_set(actor=cast.ada, identity=cast.agent, spec=SetSpec("everyday", (case,)))
    [listed] = client.pages(story.ada, "listEvaluationSets")
    shown = client.call(story.ada, "getEvaluationSet", set_id=listed["id"])
    assert [each["written"]["message"] for each in shown["cases"]] == ["Hello."]
    body, tried = {"version": 1, "max_usd": "50.00"}, []
    for number in (1, 2):
        key = f"evaluate-{number}"
        made = client.call(story.ada, "evaluateVersion", body, set_id=listed["id"], Idempotency_Key=key)
        story.company.play(says("Hello."))
        carry_through(story.company, Evaluation.objects.get(pk=made["id"]))
        tried.append(made["id"])
    assert [each["id"] for each in client.pages(story.ada, "listEvaluations", set=listed["id"])] == tried[
        ::-1
    ]
    [result] = client.call(story.ada, "getEvaluation", evaluation_id=tried[0])["results"]
    assert (result["passed"], result["steps"]) == (True, 1)
    told = client.call(story.ada, "compareEvaluations", evaluation_id=tried[1], other=tried[0])
    assert {each["words"] for each in told["figures"] if each["name"] != "model_s"} == {"no difference"}
    made = client.call(story.ada, "evaluateVersion", body, set_id=listed["id"])
    assert client.call(story.ada, "stopEvaluation", {}, evaluation_id=made["id"])["state"] == "stopped"
    ApiKey.objects.update(verified_until=timezone.now() + timedelta(minutes=5))
    approved = {"verdict": "approved", "reason": "It is right."}
    assert client.call(story.ada, "decideExample", approved, run_id=run)["verdict"] == "approved"
    asked = {"reason": "To tune."}
    exported = client.call(story.ada, "exportExamples", asked, agent_id=str(cast.agent.pk))
    assert exported["runs"] == 1


def undo(story: Story, run: str) -> None:
    client = story.client
    [effect] = client.call(story.ada, "foreseeUndo", run_id=run)["effects"]
    assert (effect["tool"], effect["word"], effect["by"]) == ("refund", "will", "cancel")
    made = client.call(story.ada, "undoRun", {"reason": "It was never broken."}, run_id=run)
    assert made["kind"] == "undo"
    story.drive(made["id"])
    assert client.call(story.ada, "getRun", run_id=made["id"])["state"] == "completed"


def decide_by_table(story: Story) -> None:
    client, cast = story.client, story.company.cast
    named = {"team": cast.team.slug, "slug": "eligibility", "name": "Who gets a refund"}
    table = client.call(story.ada, "createTable", named)["id"]
    draft = {"definition": eligibility(), "cases": CASES}
    saved = client.call(story.ada, "saveTableDraft", draft, table_id=table)
    assert saved["looked_over"]["doubts"]
    place = {"table_id": table, "number": saved["number"]}
    document = client.call(story.ada, "exportTable", **place)
    again = client.call(story.ada, "importTable", {**document, "seen": saved["digest"]}, table_id=table)
    assert again["cases"] == CASES
    supposed = {"inputs": {"order id": "A-1", "days": 3}, "version": again["number"]}
    assert client.call(story.alice, "foreseeDecision", supposed, table_id=table)["outputs"] == {"amount": 50}
    client.call(story.ada, "publishTable", {"acknowledgement": "Meant so."}, **place)
    assert client.call(story.alice, "getTable", table_id=table)["in_force"] == saved["number"]
    assert [each["id"] for each in client.pages(story.alice, "listTables", limit=1)] == [table]
    assert client.call(story.alice, "getTableVersion", **place)["state"] == "published"
    assert client.call(story.alice, "foreseeTable", **place)["changed"] == 0
    client.call(story.ada, "retireTable", {"reason": "Over."}, **place)
    states = [each["state"] for each in client.pages(story.alice, "listTableVersions", table_id=table)]
    assert states == ["retired"]


def plan(story: Story) -> None:
    """Have the application plan a report for its user, change it, rest it, and end it."""
    client = story.client
    (agent,) = client.pages(story.alice, "listAgents")
    task = {"name": "Report", "message": "Report what is open.", "cron": "0 9 * * 1-5"}
    body = {
        **task,
        "agent": agent["slug"],
        "principal": {"issuer": "https://shop.example", "subject": "customer-1"},
    }
    made = client.call(story.app, "createSchedule", body, Idempotency_Key="plan")
    which = {"schedule_id": made["id"]}
    changed = client.call(story.app, "changeSchedule", {**task, "timezone": "Europe/Berlin"}, **which)
    assert changed["timezone"] == "Europe/Berlin"
    for verb, state in (("pauseSchedule", "paused"), ("resumeSchedule", "active"), ("endSchedule", "ended")):
        assert client.call(story.app, verb, {}, **which)["state"] == state
    assert client.call(story.alice, "getSchedule", **which)["state"] == "ended"
    assert [row["id"] for row in client.pages(story.app, "listSchedules", limit=1)] == [made["id"]]


def give_up(story: Story) -> None:
    """Have a parked run driven again, and given up when it is parked once more."""
    client, ask = story.client, proposes(("ask_user", {"question": "Which order?"}))
    run = story.start(ask, says("Done."))
    for verb, body, state in (
        ("redriveDeadLetter", {}, "requires_action"),
        ("discardDeadLetter", {"reason": "It cannot be mended."}, "halted"),
    ):
        letter = str(parked_letter(Run.objects.get(pk=run)).pk)
        assert [row["run"] for row in client.pages(story.alice, "listDeadLetters", state="parked")] == [run]
        assert client.call(story.alice, "getDeadLetter", letter_id=letter)["attempts"] == 8
        client.call(story.alice, verb, body, letter_id=letter)
        story.drive(run)
        assert story.show(run)["state"] == state


def remember(story: Story) -> None:
    """Have a run note something, Ada release it and take it back, and the application delete it."""
    client = story.client
    run = story.start(proposes(("remember", {"text": "Likes tea."})), says("Done."))
    [listed] = client.pages(story.app, "listMemories", state="quarantined")
    which = {"memory_id": listed["id"]}
    assert client.call(story.app, "getMemory", **which)["run"] == run
    because = {"reason": "I looked."}
    assert client.call(story.ada, "releaseMemory", because, **which)["state"] == "active"
    reader = story.start(says("Done."))
    reverted = client.call(story.ada, "revertMemory", because, **which)
    assert [each["run"] for each in reverted["read_by"]] == [reader]
    assert client.call(story.app, "deleteMemory", {}, **which)["text"] == ""


def set_up_another(story: Story) -> None:
    """Have Ada make an agent and an application that may start it, give them keys, and take all of it back."""
    client, cast = story.client, story.company.cast
    TOTPDevice.objects.update(last_t=-1)
    client.call(story.ada, "stepUp", {"otp": current_code(TOTPDevice.objects.get(user=cast.ada))})
    said = {"team": cast.team.slug, "slug": "returns", "name": "Returns"}
    draft = client.call(story.ada, "createAgent", {**said, "purpose": "Take back.", "owner": "alice"})
    made = client.call(story.ada, "createApplication", {**said, "slug": "till"})
    place, right = {"application_id": made["id"]}, {"agent": draft["id"]}
    assert client.call(story.ada, "getApplication", **place) == made
    assert made in list(client.pages(story.ada, "listApplications", limit=1))
    changed = client.call(story.ada, "updateApplication", {"name": "Tills"}, **place)
    assert changed == {**made, "name": "Tills"}
    changed = client.call(story.ada, "updateAgent", {"purpose": "Take goods back."}, agent_id=draft["id"])
    assert changed == {**draft, "purpose": "Take goods back."}
    key = client.call(story.ada, "issueApplicationKey", {"label": "counter"}, **place)
    for verb, listed in (("allowStart", [draft["id"]]), ("forbidStart", [])):
        client.call(story.ada, verb, right, **place)
        assert [row["id"] for row in client.pages(key["key"], "listAgents")] == listed
    assert [row["id"] for row in client.pages(story.ada, "listApplicationKeys", **place)] == [key["id"]]
    assert client.call(story.ada, "getApplicationKey", api_key_id=key["id"], **place)["label"] == "counter"
    client.call(story.ada, "revokeApplicationKey", api_key_id=key["id"], **place)
    known = client.call(story.ada, "issueKeySet", right)
    which = {"key_set_id": known["id"]}
    assert client.call(story.ada, "getKeySet", **which)["state"] == "current"
    assert [row["id"] for row in client.pages(story.ada, "listKeySets", agent=draft["id"])] == [known["id"]]
    assert client.call(story.ada, "revokeKeySet", **which)["state"] == "revoked"
    client.call(story.ada, "revokeApplication", {"reason": "Over."}, **place)
    TOTPDevice.objects.update(last_t=-1)


def take_over(story: Story) -> None:
    """Have Ada name an interface, bring its document, take its one operation over, and end it again."""
    client, cast = story.client, story.company.cast
    client.call(story.ada, "stepUp", {"otp": current_code(TOTPDevice.objects.get(user=cast.ada))})
    named = {"team": cast.team.slug, "slug": "interface", "transport": "openapi"}
    made = client.call(story.ada, "createToolServer", named)
    place = {"server_id": made["id"]}
    assert client.call(story.ada, "getToolServer", **place) == made
    assert [row["id"] for row in client.pages(story.ada, "listToolServers")] == [made["id"]]
    read = client.call(story.ada, "refreshToolServer", {"document": INTERFACE}, **place)
    assert (read["url"], read["trouble"]) == ("https://shop.example/api", "")
    (row,) = client.pages(story.ada, "listServerTools", **place)
    wanted = {"digest": row["digest"], "name": "get_order", "effect": "read"}
    tool = client.call(story.ada, "importTool", wanted, server_tool_id=row["id"], **place)
    assert (tool["name"], tool["version"]["effect"]) == ("get_order", "read")
    assert client.call(story.ada, "retireToolServer", {"reason": "Over."}, **place)["state"] == "retired"
    TOTPDevice.objects.update(last_t=-1)


def stop_agent(story: Story) -> None:
    client, ask = story.client, proposes(("ask_user", {"question": "Which order?"}))
    run = story.start(ask, says("Done."))
    (agent,) = client.pages(story.alice, "listAgents")
    body = {"scope": "agent", "target": agent["id"], "reason": "An audit."}
    made = client.call(story.alice, "makeStop", body, Idempotency_Key="stop")
    story.drive(run)
    receipt = client.call(story.alice, "getStop", stop_id=made["id"])["receipt"]
    assert (receipt["runs"], receipt["now"]) == ([run], {"halted": 1})
    begin_again(story, agent["id"])


def begin_again(story: Story, agent: str) -> None:
    """Have Ada look at the agent and let it act, lift a switch, accept a tool, and end the agent for good."""
    client, tool = story.client, story.company.versions[0].tool
    TOTPDevice.objects.update(last_t=-1)
    client.call(
        story.ada, "stepUp", {"otp": current_code(TOTPDevice.objects.get(user=story.company.cast.ada))}
    )
    looked = {"recertify_by": (timezone.now() + timedelta(days=90)).isoformat(), "looked_at": "Its runs."}
    client.call(story.ada, "recertifyAgent", looked, agent_id=agent)
    assert client.call(story.ada, "activateAgent", {}, agent_id=agent)["state"] == "active"
    for scope, target in (("everything", ""), ("tool", str(tool.pk))):
        body = {"scope": scope, "target": target, "reason": "An audit."}
        client.call(story.ada, "makeStop", body, Idempotency_Key=scope)
    [switch] = client.pages(story.ada, "listSwitches", thrown=True, limit=1)
    client.call(story.ada, "liftSwitch", {"reason": "Over."}, switch_id=switch["id"])
    assert (
        client.call(story.ada, "acceptTool", {"reason": "Over."}, tool_id=str(tool.pk))["state"] == "active"
    )
    assert client.call(story.ada, "revokeAgent", {"reason": "Over."}, agent_id=agent)["state"] == "revoked"


def look_around(story: Story) -> None:
    client = story.client
    assert len(list(client.pages(story.app, "listRuns", limit=2))) == story.started
    run = next(iter(client.pages(story.app, "listRuns")))["id"]
    assert list(client.pages(story.app, "listChildren", run_id=run)) == []
    (agent,) = client.pages(story.alice, "listAgents")
    assert client.call(story.alice, "getAgent", agent_id=agent["id"]) == agent
    client.call(story.alice, "getPreflight", agent_id=agent["id"])
    taken = client.call(story.alice, "getIndicators", agent_id=agent["id"])
    assert (taken["tasks"], taken["regressions"]) == ([""], [])
    client.call(story.alice, "getBlastRadius", agent_id=agent["id"])
    campaign = story.open_campaign()
    assert client.call(story.alice, "getCampaign", campaign_id=campaign)["items"]
    assert [each["id"] for each in client.pages(story.alice, "listCampaigns")] == [campaign]
    supposed = {"tool": "refund", "arguments": ORDER}
    foreseen = client.call(story.alice, "foreseeCall", supposed, agent_id=agent["id"])
    assert foreseen["verdict"] == "REQUIRE_APPROVAL"
    assert client.call(story.ada, "getInstallationPreflight")["enforced"] is False
    cast = story.company.cast
    set_review_capacity(actor=cast.ada, team=cast.team, per_approver_hour=5)
    [reviewed] = client.call(story.alice, "getReviewCapacity")["data"]
    assert (reviewed["team"], reviewed["held_back"]) == ("support", {"high": 0, "normal": 0, "low": 0})
    for tool in client.pages(story.alice, "listTools", limit=1):
        assert client.call(story.alice, "getTool", tool_id=tool["id"]) == tool
        assert client.call(story.alice, "getToolMetrics", tool_id=tool["id"])["complete_since"] is None
        client.call(story.ada, "operateBreaker", {"act": "reset"}, tool_id=tool["id"])
        [reset, *_] = client.call(story.alice, "getBreaker", tool_id=tool["id"])["moves"]
        assert (reset["what"], reset["by"]) == ("reset", "ada")

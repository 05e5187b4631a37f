"""Runs in which everybody writes markup, so that each kind of page has something hostile to show."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from approvals.confirmations.answering import answer_confirmation
from approvals.models import ApprovalRequest, Confirmation
from approvals.questions import ask_agent
from identities.changes import reject
from runs.models import Run
from runs.services import add_message, answer_input
from tests.browser.hostile import brief, hostile
from tests.runs.changesets.proposing import comment, offered
from tests.runs.company import ISSUER, ORDER, Company, proposes, says
from tests.runs.delegation.conftest import House
from tests.runs.lookups.shop import READ, RESOLVED
from tests.runs.planner.provider import completion, reply
from tests.runs.previews import ANSWER, PREVIEW, STATUS
from tests.verbs import propose_budget
from tools.models import ServerTool, ToolServer

HERE = "tests.browser.hostile"
SUBJECT = hostile("subject")[:200]
ASKS: dict[str, Any] = {"effect": "irreversible", "grant": "REQUIRE_APPROVAL"}
SHOWN = {**PREVIEW, "changes": [STATUS]}


def add_tools(company: Company) -> None:
    """Add tools that answer in markup; some ask people, one the end user, one waits for a veto."""
    text = {"type": "object", "properties": {"order_id": {"type": "string"}}, "required": ["order_id"]}
    kinds: dict[str, dict[str, Any]] = {
        "tell": {"effect": "read"},
        "refuse": {},
        "read_account": {"effect": "read", "output_schema": ANSWER},
        "find_orders": READ,
        "refund": {**ASKS, "preview": SHOWN, "statement": "refund {order_id}"},
        "cancel": {**ASKS, "resolvers": RESOLVED},
        "confirm": {"grant_confirmation": True},
        "hold": {"grant_veto_s": 3_600, "statement": "hold {order_id}"},
    }
    for name, more in kinds.items():
        function = name if name in ("tell", "refuse", "read_account", "find_orders") else "change"
        config = {"function": f"{HERE}:{function}", "read_back": "tests.runs.deeds:recall"}
        fields = {"input_schema": text, **more, "config": config, "description": hostile("description")[:900]}
        version = company.add_tool(name, **fields)
        company.let_decide(version.tool)


def stage(company: Company) -> None:
    """Play one run for each kind of page."""
    add_tools(company)
    house = House(company)
    house.add_delegation()
    house.hire("researcher")
    company.publish(max_steps=6, max_extensions=1, extension_percent=100)
    for scene in (talk, decide, look_up, ask_user, hand_over, confirm, hold, run_out, propose, break_down):
        scene(company)
    list_tools(company)
    delegate(house)
    reject_proposal(company)


def delegate(house: House) -> None:
    """Give another agent a task, which answers in markup."""
    company = house.company
    run = play(company, proposes(("ask_researcher", {"topic": hostile("topic")})), who="delegating")
    (child,) = house.children(run)
    house.answer(child, hostile("child-answer"))
    house.finish(run, hostile("delegated"))


def reject_proposal(company: Company) -> None:
    """Reject a change of what an agent may spend, in words."""
    proposal = propose_budget(company.cast, company.cast.alice)
    reject(actor=company.cast.ada, proposal=proposal, reason=hostile("rejection"), second_factor=True)


def list_tools(company: Company) -> None:
    """Have a server say things of its tools, one of which was taken over when it said something else."""
    server = ToolServer.objects.create(
        team=company.cast.team, slug="shop", transport="http", url="https://shop.example/mcp",
        trouble=brief("server-trouble"), checked_at=timezone.now(), latency_ms=1,
    )  # fmt: skip
    now, taken = timezone.now(), company.versions[0].tool
    told: dict[str, Any] = {  # Any: JSON
        "name": brief("server-tool"), "description": hostile("server-description"),
        "annotations": {brief("annotation"): brief("annotated")},
        "input_schema": {"type": "object"},
        "output_schema": None,
    }  # fmt: skip
    before = {**told, "description": hostile("server-before")}
    of_server: dict[str, Any] = {"server": server, "described": told, "digest": "1" * 64, "seen_at": now}
    ServerTool.objects.create(**of_server, name=told["name"])
    ServerTool.objects.create(**of_server, name="faulty", faults=[hostile("server-fault")])
    ServerTool.objects.create(**of_server, name="tell", tool=taken, accepted=before, accepted_digest="0" * 64)


def play(company: Company, *turns: Any, who: str, **more: Any) -> Run:
    """Drive a run with a hostile user."""
    company.play(*turns)
    return company.drive(company.start(message=hostile(who), subject=SUBJECT, **more))


def talk(company: Company) -> Run:
    """Read, fail, write what is no JSON, call what is not there; then answer."""
    turns = (
        proposes(("tell", ORDER), text=hostile("words")),
        proposes(("refuse", {"order_id": hostile("argument")})),
        proposes(("tell", hostile("raw")), (hostile("tool")[:60], ORDER)),
        reply(completion(message={"reasoning_content": hostile("thought"), "content": hostile("answer")})),
    )
    return play(company, *turns, who="message")


def decide(company: Company) -> Run:
    """Have a call asked back about, proposed again, and wait."""
    call = ("refund", {"order_id": hostile("statement")})
    run = play(
        company, proposes(call, text=hostile("why")), proposes(call, text=hostile("reply")), who="request"
    )
    said: dict[str, Any] = {"actor": company.cast.fiona, "channel": "api", "second_factor": True}
    asked = ApprovalRequest.objects.get(state="waiting")
    ask_agent(**said, request=asked, question=hostile("question"), digest=asked.digest)
    return company.drive(run)


def look_up(company: Company) -> Run:
    """Have an identifier looked up by words."""
    call = ("cancel", {"order_id": "by-candidate"})
    return play(company, proposes(call, text=hostile("purpose")), who="looked-up")


def ask_user(company: Company) -> Run:
    """Ask the user, who answers, and writes once more; then ask again."""
    asks = [proposes(("ask_user", {"question": hostile(who)})) for who in ("asking", "asking-again")]
    run = play(company, *asks, who="asked-user")
    app = company.cast.application.service_account
    answer_input(actor=app, run=run, text=hostile("user-answer"))
    run = company.drive(run)
    return add_message(actor=app, run=run, text=hostile("further"))


def hand_over(company: Company) -> Run:
    """Pass the conversation on."""
    return play(company, proposes(("hand_over", {"reason": hostile("handover")})), who="handed-over")


def confirm(company: Company) -> Run:
    """Have the end user refuse in their own words."""
    call = proposes(("confirm", {"order_id": hostile("confirmed")}))
    run = play(company, call, says(hostile("after")), who="confirming")
    app, asked = company.cast.application.service_account, Confirmation.objects.get(state="waiting")
    answer_confirmation(
        actor=app, confirmation=asked, verdict="refuse", digest=asked.digest, named=(ISSUER, SUBJECT),
        reason=hostile("user-refusal"),
    )  # fmt: skip
    return company.drive(run)


def hold(company: Company) -> Run:
    """Announce a call, and wait for a veto."""
    return play(company, proposes(("hold", {"order_id": hostile("held")})), who="vetoed")


def run_out(company: Company) -> Run:
    """Reach a limit, and ask to go on."""
    looks = [proposes(("tell", {"order_id": f"A-{n}"}), text=hostile("progress")) for n in range(8)]
    return play(company, *looks, who="long")


def propose(company: Company) -> Run:
    """Propose a change set, which comes back with comments, and propose it again."""
    call = proposes(("refund", {"order_id": hostile("proposed")}), text=hostile("proposal"))
    run = play(company, call, says("Proposed."), call, says("Again."), who="proposing", mode="propose")
    comment(company, offered(run), comments={0: hostile("comment")})
    return company.drive(run)


def break_down(company: Company) -> Run:
    """Refuse to answer."""
    refusal = reply(completion(message={"content": None, "refusal": hostile("refusal")}))
    return play(company, refusal, who="broken")

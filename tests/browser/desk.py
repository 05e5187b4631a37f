"""What journeys need beyond the demo company: an agent that hands over and asks to go on, a supervisor, a reporter."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentops.demo.shop.seed import load_seed
from tests.browser.platform import Demo
from tests.browser.scripts import Script, refund_of_line

DOCUMENT = Path(__file__).with_name("desk.yaml")
# As the demo itself is set up: whoever does it here stands for both administrators.
APPLY = f"""
from pathlib import Path
from identities.models import User
from runs.provisioning.document import apply_document
ada, grace = (User.objects.get(username=name) for name in ("ada", "grace"))
apply_document(actor=ada, second=grace, text=Path({str(DOCUMENT)!r}).read_text())
"""
WANTS_A_PERSON = "Here is David Okafor. I want to speak to a person about my order A-1044."
ANSWER = "It lies at the depot. We send it again tomorrow."
MANY_ORDERS = "Here is Henry Park. Which of my orders A-1031, A-1032, A-1033 and A-1034 came last?"
REPORT = "How does order A-1047 stand?"


@dataclass(frozen=True)
class Desk:
    """The demo with these agents in it."""

    demo: Demo

    def start(self, agent: str, message: str, subject: str) -> str:
        """Start one of them as the shop's website does; return the run."""
        return self.demo.start_run(message, subject, agent=agent)

    def ask_for_a_person(self) -> str:
        """Have a conversation handed over."""
        self.demo.play("a_person", _hand_over())
        return self.start("front-desk", WANTS_A_PERSON, "david.okafor@example.com")

    def ask_too_much(self) -> str:
        """Have a run reach its limit of three steps, and ask."""
        self.demo.play("a_long_one", _read_all("A-1031", "A-1032", "A-1033", "A-1034"))
        return self.start("front-desk", MANY_ORDERS, "henry.park@example.com")

    def ask_through_a_supervisor(self, order: str, line: int) -> tuple[str, str]:
        """Have a supervisor give a refund to the refunds agent; return its run and its subject."""
        self.demo.take_line(order, line)
        seed = load_seed()
        customer = seed["customers"][seed["orders"][order]["customer_id"]]
        thing = seed["orders"][order]["lines"][line]["name"].lower()
        self.demo.play(f"line_{line}_of_{order}", refund_of_line(order, line, thing))
        wish = (
            f"Hello, this is {customer['name']} ({customer['email']}). The {thing} from my order {order} arrived "
            "broken. I would like my money back for it, please."
        )
        message = f"See to it, please: {wish}"
        self.demo.play("0_supervisor", _give_away(message, wish))
        return self.start("supervisor", message, customer["email"]), customer["email"]

    def play_reports(self) -> None:
        """Have the reporter answer."""
        turns = [_call("get_order", order_id="A-1047"), {"content": "Order A-1047 was delivered."}]
        self.demo.play("a_report", {"match": {"contains": REPORT}, "turns": turns})


def open_desk(demo: Demo) -> Desk:
    """Set these agents up."""
    demo.manage("shell", "-c", APPLY)
    return Desk(demo)


def _call(tool: str, words: str = "", **arguments: str) -> dict[str, Any]:  # Any: as the planner takes it
    called = {"tool_calls": [{"name": tool, "arguments": arguments}]}
    return {"content": words, **called} if words else called


def _hand_over() -> Script:
    ends = [
        {"when": {"last_tool_contains": "depot"}, "content": "A colleague has found it: it comes tomorrow."},
        {"content": "I cannot say."},
    ]
    reason = "The customer asks for a person about order A-1044; I can read the order, and no more."
    turns = [_call("get_order", order_id="A-1044"), _call("hand_over", reason=reason), ends]
    return {"match": {"contains": WANTS_A_PERSON}, "turns": turns}


def _read_all(*orders: str) -> Script:
    looks = [
        _call("get_order", f"I have read {read} of {len(orders)} orders.", order_id=order)
        for read, order in enumerate(orders)
    ]
    return {
        "match": {"contains": MANY_ORDERS},
        "turns": [*looks, {"content": f"Order {orders[-1]} came last."}],
    }


def _give_away(message: str, wish: str) -> Script:
    turns = [_call("ask_refunds_agent", wish=wish), {"content": "The refunds agent has seen to it."}]
    return {"match": {"contains": message}, "turns": turns}

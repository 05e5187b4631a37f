"""The demo as a newcomer has it: its own servers, shop, scripted planner, worker, beat and web, all as processes."""

from __future__ import annotations

import re
import sys
import time
from base64 import b32decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx2
from django_otp.oath import TOTP

from agentops.demo.shop.seed import load_seed
from agentops.runtime import application
from agentops.runtime.ports import LOOPBACK, free_ports
from agentops.runtime.services import Stack, temporary_stack
from tests.browser.scripts import Script, refund_of_line

ISSUER = "https://shop.example"
KETTLE = "A-1042"  # the order of the demo's first story
LAMP = (
    "Bruno Costa here, bruno.costa@example.com. I have moved: please send order A-1051 to 12 River Road, 95616 "
    "Davis. And cancel order A-1052, I ordered that lamp by mistake."
)


@dataclass(frozen=True, slots=True)
class Person:
    """How somebody of the demo signs in."""

    name: str
    password: str
    secret: bytes

    def code(self, ahead: int = 0) -> str:
        """Return the code of the person's app, or one that it shows so many periods later."""
        clock = TOTP(self.secret)
        clock.time = time.time() + 30 * ahead
        return f"{clock.token():06d}"


@dataclass(frozen=True)
class Demo:
    """Where the demo answers; ``strict_url`` is a second web server that waives no second factor."""

    url: str
    strict_url: str
    shop_url: str
    key: str
    people: dict[str, Person]
    stack: Stack
    asked: set[tuple[str, int]] = field(default_factory=set)

    def ask_refund(self, order: str, line: int = 0) -> tuple[str, str]:
        """Start a run that asks for the money of a line of an order back; return its id and its subject.

        Each line serves once: the same refund proposed again is refused as a duplicate.
        """
        self.take_line(order, line)
        seed = load_seed()
        customer = seed["customers"][seed["orders"][order]["customer_id"]]
        thing = seed["orders"][order]["lines"][line]["name"].lower()
        if line:
            self.play(f"line_{line}_of_{order}", refund_of_line(order, line, thing))
        message = (
            f"Hello, this is {customer['name']} ({customer['email']}). The {thing} from my order {order} arrived "
            "broken. I would like my money back for it, please."
        )
        return self.start_run(message, customer["email"]), customer["email"]

    def take_line(self, order: str, line: int) -> None:
        """Note that a test asks for the money of this line; fail if another one did."""
        assert (order, line) not in self.asked, f"another test asked for the money of {order}, {line} back"
        self.asked.add((order, line))

    def start_run(self, message: str, subject: str, **more: Any) -> str:  # Any: JSON
        """Start a run as the shop's website does; return its id."""
        body = {
            "agent": "refunds-agent",
            "message": message,
            "principal": {"issuer": ISSUER, "subject": subject},
            **more,
        }
        return str(self._post("runs", body)["id"])

    def cancel(self, run: str) -> None:
        """Take a run back as the shop's website does; what it asked people is void."""
        self._post(f"runs/{run}/cancel", {"reason": "The customer has found it."})

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:  # Any: JSON
        headers = {"Authorization": f"Bearer {self.key}", "Idempotency-Key": str(uuid4())}
        return _answer_of("POST", f"{self.url}/api/v1/{path}", headers, body)

    def play(self, name: str, script: Script) -> None:
        """Have the scripted planner play this too; of several that fit, it plays the first by name."""
        address = self.stack.variables["OPENAI_BASE_URL"].replace("/v1", f"/scripts/{name}")
        _answer_of("PUT", address, body=script)

    def await_request(self, run: str, patience_s: float = 60.0) -> str:
        """Wait until a run asks people; return the id of its request, whatever has become of that."""
        headers = {"Authorization": f"Bearer {self.key}"}
        address = f"{self.url}/api/v1/approvals?limit=100"
        deadline = time.monotonic() + patience_s
        while True:
            asked = _answer_of("GET", address, headers)["data"]
            found = [str(each["id"]) for each in asked if each["subject_ref"] == run]
            if found:
                return found[0]
            assert time.monotonic() < deadline, f"run {run} has asked nobody"
            time.sleep(0.2)

    def effects(self) -> list[dict[str, Any]]:  # Any: JSON of the shop
        """Return what has been done to the shop."""
        effects: list[dict[str, Any]] = _answer_of("GET", f"{self.shop_url}/effects")["effects"]
        return effects

    def await_effects(self, number: int, patience_s: float = 60.0) -> None:
        """Wait until so many things have been done to the shop."""
        deadline = time.monotonic() + patience_s
        while len(self.effects()) < number:
            assert time.monotonic() < deadline, f"{len(self.effects())} of {number} effects"
            time.sleep(0.2)

    def manage(self, *arguments: str) -> None:
        """Run a management command on the demo's database."""
        self.stack.run("manage", [sys.executable, "manage.py", *arguments])


def _answer_of(
    method: str, address: str, headers: dict[str, str] | None = None, body: Any = None
) -> dict[str, Any]:  # Any: JSON
    answered = httpx2.request(method, address, headers=headers, json=body, timeout=10)
    answer: dict[str, Any] = answered.raise_for_status().json()
    return answer


@contextmanager
def live_demo() -> Iterator[Demo]:
    """Start everything on throw-away servers; gone at the end."""
    with temporary_stack(durable=False) as stack:
        stack.start_postgres()
        stack.start_valkey()
        ports = application.DemoPorts.choose(stack.data)
        web, strict = free_ports(2)
        stack.variables |= {
            "AGENTOPS_ENV": "development",
            "AGENTOPS_DATA": str(stack.data),
            "AGENTOPS_DEMO": "1",
            "DEMO_SHOP_URL": f"http://{LOOPBACK}:{ports.shop}",
            "OPENAI_BASE_URL": f"http://{LOOPBACK}:{ports.planner}/v1",
            "OPENAI_API_KEY": application.SCRIPTED_KEY,
        }
        application.prepare_database(stack)
        application.spawn_demo_servers(stack, ports)
        application.spawn_worker(stack)
        application.spawn_beat(stack)
        application.spawn_web(stack, web)
        _spawn_strict_web(stack, strict)
        sign_in = (stack.data / "sign-in.txt").read_text()
        yield Demo(
            url=f"http://{LOOPBACK}:{web}",
            strict_url=f"http://{LOOPBACK}:{strict}",
            shop_url=stack.variables["DEMO_SHOP_URL"],
            key=re.findall(r"aok_\S+", sign_in)[0],
            people=dict(_read_people(sign_in)),
            stack=stack,
        )


def _spawn_strict_web(stack: Stack, port: int) -> None:
    process = stack.spawn("strict-web", application.web_argv(port), env={"AGENTOPS_DEMO": "0"})
    stack.wait_ready(lambda: application.answers(f"http://{LOOPBACK}:{port}/readyz"), process)


def _read_people(sign_in: str) -> Iterator[tuple[str, Person]]:
    for name, password, address in re.findall(
        r"^ +(\w+) +(\S+) .*\n +(otpauth://\S+)$", sign_in, re.MULTILINE
    ):
        secret = parse_qs(urlsplit(address).query)["secret"][0]
        yield name, Person(name, password, decode_secret(secret))


def decode_secret(secret: str) -> bytes:
    """Return the bytes of a secret as authenticator apps are given it."""
    return b32decode(secret + "=" * (-len(secret) % 8))

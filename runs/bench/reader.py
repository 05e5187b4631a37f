"""A tool's server that asks: it introspects a token over HTTP for each call, and notes when one was last accepted.

Its tokens were minted before the stop, as workers mint them: what it measures is the server's own last second, and
nothing that stops workers helps.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any, Self
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import urlopen
from uuid import UUID

from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application
from django.utils import timezone

from identities.models import Application, User
from identities.oauth.tool_tokens import Acting, mint_tool_token
from identities.services import create_application, declare_resource, issue_credential
from identities.services.credentials import new_client_secret
from identities.services.signing_keys import ensure_signing_key
from runs.models import Run
from tools.models import Tool

AUDIENCE = "https://tool.bench.example"
ASKS_EVERY_S = 0.06  # 1,000 a minute: within what a client may ask
QUESTIONS = 600
# An answer that comes later is none: it tells how things stood when the question was read, and a busy machine may take
# seconds to hand it over.
ANSWER_WITHIN_S = 0.5


@dataclass
class Probe:
    """Somebody who asks again and again, and what was seen: the last yes, and the first no.

    How often a full machine lets it ask bounds what can be seen: no yes that it could have had was later than the no.
    """

    ask: Callable[[int], bool]  # is told which question it is
    most: int
    accepted_at: datetime | None = None
    refused_at: datetime | None = None
    asked: int = 0
    late: int = 0
    seen: threading.Event = field(default_factory=threading.Event)  # one was accepted

    @contextmanager
    def asking(self) -> Iterator[Self]:
        """Ask inside the block, one question after another, from a first yes on."""
        done = threading.Event()
        thread = threading.Thread(target=self._go_on, args=(done,), daemon=True)
        thread.start()
        try:
            if not self.seen.wait(30):
                raise TimeoutError("nothing is accepted from the start")
            yield self
        finally:
            done.set()
            thread.join()

    def _go_on(self, done: threading.Event) -> None:
        for number in range(self.most):
            if done.wait(ASKS_EVERY_S):
                return
            self.asked += 1
            asked_at = time.monotonic()
            is_accepted = self.ask(number)
            if is_accepted and time.monotonic() - asked_at > ANSWER_WITHIN_S:
                self.late += 1
            elif is_accepted:
                # When the answer is there: the call would be carried out from here on.
                self.accepted_at = timezone.now()
                self.seen.set()
            elif self.refused_at is None:
                self.refused_at = timezone.now()

    def await_refusal(self, patience_s: float) -> datetime:
        """Wait until it was refused, and return when; raises TimeoutError."""
        deadline = time.monotonic() + patience_s
        while self.refused_at is None:
            if time.monotonic() > deadline:
                raise TimeoutError("it goes on being accepted")
            time.sleep(ASKS_EVERY_S)
        return self.refused_at


@dataclass(frozen=True, slots=True)
class Reader:
    """The server: where it asks, and as whom."""

    address: str
    application: Application
    secret: str

    def calls_of(self, run: Run) -> Probe:
        """Return a probe that takes calls of a run, each by a token of its own, and uses that up."""
        tokens = mint_tokens(run, QUESTIONS)
        return Probe(lambda number: self._accepts(tokens[number], consume=True), QUESTIONS)

    def bearer(self, token: str) -> Probe:
        """Return a probe to which one token is shown again and again, of a chain of exchanges."""
        return Probe(lambda _: self._accepts(token, consume=False), QUESTIONS)

    def _accepts(self, token: str, *, consume: bool) -> bool:
        form = {"token": token, "consume": str(consume).lower()}
        status, answer = post_form(
            f"{self.address}/oauth/introspect", self.application.service_account.username, self.secret, form
        )
        if status != HTTPStatus.OK:
            raise RuntimeError(f"introspection answers {status}: {answer}")
        return bool(answer["active"])


def post_form(address: str, client: str, secret: str, form: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
    """Return what an endpoint answers a client; Any: JSON."""
    sent = {**form, "client_id": client, "client_secret": secret}
    try:
        with urlopen(address, urlencode(sent).encode(), 30) as answer:  # noqa: S310  ours
            return answer.status, json.load(answer)
    except HTTPError as refused:
        return refused.code, json.load(refused)


@contextmanager
def serve_reader(tool: Tool, actor: User) -> Iterator[Reader]:
    """Serve the token endpoints on a free port, and have an application of the tool's team that asks there."""
    ensure_signing_key()
    made = create_application(actor=actor, team=tool.team, slug="tool-server", name="Tool server")
    declare_resource(actor=actor, application=made, audience=AUDIENCE)
    material = new_client_secret()
    issue_credential(actor=actor, owner=made.service_account, material=material)
    with ThreadedWSGIServer(("127.0.0.1", 0), _Quiet) as server:
        server.set_app(get_wsgi_application())
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield Reader(f"http://127.0.0.1:{server.server_port}", made, material.plaintext)
        server.shutdown()


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing: figures are all that is printed."""


def mint_tokens(run: Run, count: int) -> list[str]:
    """Return tokens of so many calls of a run, each for the server."""
    account = User.objects.get(pk=run.identity.service_account_id)
    above = [UUID(link["identity"]) for link in run.line]
    names = dict(User.objects.filter(agent_identity__in=above).values_list("agent_identity__pk", "username"))
    acting = Acting(
        account.username, account.token_epoch, run.principal.issuer, run.principal.subject, run.proof,
        tuple(names[each] for each in above), run.pk, Tool.objects.get(team=run.team_id, name="noop").pk,
    )  # fmt: skip
    return [
        mint_tool_token(acting, audience=AUDIENCE, tool="noop", key=f"{run.pk}:bench:{number}", arguments={})
        for number in range(count)
    ]

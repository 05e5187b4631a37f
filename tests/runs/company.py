"""A test company that can be driven: a scripted provider behind the real client, and tools that keep a record."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any

from django.db import connection

from agentops.engine.replay import replay
from agentops.ledger.store import StoredEntry, read_entries
from agentops.ledger.verification import verify_streams
from approvals.models import ApprovalRequest
from approvals.services import decide
from identities.models import User
from runs.driver import drive
from runs.histories import read_history
from runs.models import AgentVersion, Run, ToolCall
from runs.rebuild import rebuild_run
from runs.services import start_run
from runs.spreading import MOST
from tests.cast import Cast
from tests.factories import AgentVersionFactory, GrantFactory, PriceFactory, ToolFactory, ToolVersionFactory
from tests.factories.permissions import let
from tests.runs.deeds import WORLD, World
from tests.runs.planner.provider import Provider, Turn, call, completion, reply
from tools.models import Tool, ToolGrant, ToolVersion

HERE = "tests.runs.deeds"
ORDER = {"order_id": "A-1"}
ISSUER, SUBJECT = "https://shop.example", "customer-1"
MOST_SLICES = 4
_numbers = count(1)

# Asked for twice after most tests, and so in one statement: five queries of the ORM took longer than to build the rows.
PROJECTED = """
SELECT 'run', ARRAY[]::text[], to_jsonb(r) - 'updated_at' FROM runs_run r WHERE id = %(run)s
UNION ALL SELECT 'step', ARRAY[number::text], to_jsonb(r) FROM runs_step r WHERE run_id = %(run)s
UNION ALL SELECT 'call', ARRAY[step::text, number::text], to_jsonb(r) FROM runs_tool_call r WHERE run_id = %(run)s
UNION ALL SELECT 'effect', ARRAY[key], to_jsonb(r) FROM tools_effectrecord r WHERE stream_id = %(run)s
UNION ALL SELECT 'handover', ARRAY[step::text, call::text], to_jsonb(r) FROM runs_handover r WHERE run_id = %(run)s
UNION ALL SELECT 'change set', ARRAY[id::text], to_jsonb(r) - 'settled_at' FROM runs_changeset r WHERE run_id = %(run)s
UNION ALL SELECT 'item', ARRAY[s.id::text, i.number::text], to_jsonb(i) FROM runs_change_item i
    JOIN runs_changeset s ON s.id = i.change_set_id WHERE s.run_id = %(run)s
UNION ALL SELECT 'memory', ARRAY[id::text], to_jsonb(m) FROM runs_memory m WHERE run_id = %(run)s
UNION ALL SELECT 'reading', ARRAY[memory_id::text], to_jsonb(r) FROM runs_memoryreading r WHERE run_id = %(run)s
ORDER BY 1, 2
"""


def says(text: str, **changes: Any) -> Turn:  # Any: fields of a Chat Completion
    """Play a final answer."""
    return reply(completion(message={"content": text}, **changes))


def proposes(*calls: tuple[str, Any], text: str | None = None, **changes: Any) -> Turn:
    """Play tool calls as (name, arguments); arguments that are a text are sent as they stand."""
    listed = [
        call(arguments if isinstance(arguments, str) else json.dumps(arguments), name, id=f"call_{index}")
        for index, (name, arguments) in enumerate(calls)
    ]
    message = {"content": text, "tool_calls": listed}
    return reply(completion(message=message, choice={"finish_reason": "tool_calls"}, **changes))


@dataclass
class Company:
    """One agent, its tools, its runs."""

    cast: Cast
    provider: Provider
    world: World = field(default_factory=lambda: WORLD)
    versions: list[ToolVersion] = field(default_factory=list)
    model: str = field(default_factory=lambda: f"model-{next(_numbers)}")
    published: AgentVersion | None = None
    is_mutant: bool = False  # a guard was taken away: what then holds is the test's own affair
    faults: list[str] = field(default_factory=list)  # what the driver logged when it failed
    expects_fault: bool = False  # the test makes the driver fail

    # --- what there is ----------------------------------------------------------------------------------

    def add_tool(self, name: str = "refund", *, grant: str | None = "ALLOW", **changes: Any) -> ToolVersion:
        """Add a tool that is a function of ``deeds``, with a grant; terms of the grant start with ``grant_``."""
        terms = {
            key.removeprefix("grant_"): changes.pop(key) for key in list(changes) if key.startswith("grant_")
        }
        tool = ToolFactory.create(team=self.cast.team, name=name)
        read_back = changes.pop("read_back", "recall")
        function = changes.pop("function", name)
        fields: dict[str, Any] = {
            "adapter": "python",
            "config": {"function": f"{HERE}:{function}", "read_back": f"{HERE}:{read_back}"},
            "backoff_base_s": 0.001,
            "backoff_cap_s": 0.002,
            "amount_argument": "",
            "currency": "",
            **changes,
        }
        version = ToolVersionFactory.create(tool=tool, **fields)
        self.versions.append(version)
        if grant is not None:
            self.grant(tool, grant, **terms)
        return version

    def add_reads(self) -> ToolVersion:
        return self.add_tool("look_up", effect="read")

    def grant(self, tool: Tool, decision: str, **terms: Any) -> ToolGrant:
        """Replace the grant of a tool."""
        ToolGrant.objects.filter(identity=self.cast.agent, tool=tool, state="active").update(
            state="superseded"
        )
        made: ToolGrant = GrantFactory.create(identity=self.cast.agent, tool=tool, decision=decision, **terms)
        return made

    def let_decide(self, tool: Tool, person: User | None = None) -> None:
        """Let Fiona, or somebody else, approve the calls of a tool."""
        let(person or self.cast.fiona, "approve_calls", tool)

    def publish(self, *, price: bool = True, **changes: Any) -> AgentVersion:
        """Publish a version with all tools."""
        if price:
            PriceFactory.create(model=self.model)
        self.published = AgentVersionFactory.create(
            identity=self.cast.agent, model=self.model, catalogue=self.versions, published=True, **changes
        )
        return self.published

    # --- what happens -----------------------------------------------------------------------------------

    def play(self, *turns: Turn) -> None:
        """Answer with these turns; the last one goes on."""
        self.provider.play(*turns)

    def start(self, message: str = "Please help.", subject: str = SUBJECT, **more: Any) -> Run:
        """Start a run through the application, and publish first where nothing is published."""
        if self.published is None:
            self.publish()
        return start_run(
            actor=self.cast.application.service_account,
            agent=self.cast.agent,
            message=message,
            issuer=ISSUER,
            subject=subject,
            application=self.cast.application,
            **more,
        )

    def drive(self, run: Run) -> Run:
        """Drive a run until it waits or ends."""
        slices = 1
        while drive(run.pk):
            slices += 1
            assert slices < MOST_SLICES, "the run goes round in circles"
        run.refresh_from_db()
        return run

    def run(self, *turns: Turn, message: str = "Please help.") -> Run:
        """Play turns to a new run and drive it."""
        self.play(*turns)
        return self.drive(self.start(message))

    def decide(self, verdict: str = "approve", reason: str = "looked at it") -> ApprovalRequest:
        """Let Fiona decide about the one request that waits."""
        request = ApprovalRequest.objects.get(state="waiting")
        return decide(
            actor=self.cast.fiona,
            request=request,
            verdict=verdict,
            reason=reason,
            digest=request.digest,
            channel="api",
            second_factor=True,
        )

    # --- what is seen -----------------------------------------------------------------------------------

    def entries(self, run: Run) -> list[StoredEntry]:
        with connection.cursor() as cursor:
            return read_entries(cursor, run.pk, contents=True)

    def kinds(self, run: Run) -> list[str]:
        return [entry.kind for entry in self.entries(run)]

    def facts(self, run: Run, kind: str) -> list[dict[str, Any]]:
        return [entry.facts for entry in self.entries(run) if entry.kind == kind]

    def content(self, run: Run, kind: str) -> Any:  # Any: JSON
        """Return the content of the last entry of a kind."""
        return [entry.content for entry in self.entries(run) if entry.kind == kind][-1]

    def calls(self, run: Run) -> list[ToolCall]:
        return list(ToolCall.objects.filter(run=run).order_by("step", "number"))

    def states(self, run: Run) -> list[tuple[str, str]]:
        """Return (state, code) of every call, in order."""
        return [(row.state, row.code) for row in self.calls(run)]

    def asked(self) -> list[dict[str, Any]]:
        """Return the bodies that the provider was sent."""
        return [received.body for received in self.provider.received]

    def observations(self, number: int = -1) -> list[Any]:
        """Return the tool messages of one request to the provider, parsed where they are JSON."""
        messages: Sequence[dict[str, Any]] = self.asked()[number]["messages"]
        return [_parsed(message["content"]) for message in messages if message["role"] == "tool"]

    def check(self) -> None:
        """Check what holds after every test: chains fit, the engine explains histories, rows follow from them."""
        if self.is_mutant:
            return
        assert self.expects_fault or not self.faults, "the driver failed:\n" + "\n".join(self.faults)
        with connection.cursor() as cursor:
            report = verify_streams(cursor)
        assert report.ok, report.faults
        for run in Run.objects.filter(
            lease_epoch__gt=0
        ):  # the others are rows of a factory, or not yet driven
            replay(read_history(run.pk))
            before = rows_of(run)
            rebuild_run(run.pk)
            assert rows_of(run) == before


def rows_of(run: Run) -> list[dict[str, Any]]:
    """Return all that is projected of a run's stream; when a row was last touched is no part of it."""
    with connection.cursor() as cursor:
        cursor.execute(PROJECTED, {"run": run.pk})
        return [{"table": table, **json.loads(row)} for table, _, row in cursor.fetchall()]


def _parsed(text: str) -> Any:  # Any: JSON
    try:
        return json.loads(text)
    except ValueError:
        return text


def wakes_once_expired(run: Run) -> bool:
    """Return whether nothing but a run's expiry is to wake it, a little later than that where many expire at once."""
    assert run.wake_at is not None
    return timedelta() <= run.wake_at - run.expires_at <= MOST

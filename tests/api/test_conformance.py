"""The live server against its OpenAPI document: schemathesis, all checks, with and without a token."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection, transaction
from django.utils import timezone
from pytest_django import Settings

from agentops import database
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from approvals.models import ApprovalBatch
from runs.models import AgentVersion, Campaign, Handover, Run, Stop
from tests.api.caller import Caller
from tests.api.conftest import Callers
from tests.api.live import serve_api
from tests.asking import asked_confirmation, asked_extension, kept_note, parked_letter
from tests.cast import Cast
from tests.factories import ApprovalRequestFactory, GrantFactory, RunFactory, ToolVersionFactory
from tests.factories.runs import change_set_of
from tests.tools.tables import eligibility, make_table, publish
from tests.verbs import (
    absence_of,
    delivery_of,
    evaluation_of,
    key_of,
    key_set_of,
    listed_by,
    propose_budget,
    schedule_of,
    switch_of,
)

pytestmark = [pytest.mark.api, pytest.mark.slow]

# Enough for every boundary of every parameter (the coverage phase is exhaustive) and some surprises.
EXAMPLES = 10
SEED = 20_261_122
UNLIMITED = (1_000_000_000, 60)
LIMIT_S = 2_000  # a hang is an error; how fast the machine is decides nothing

# Ids of things that exist, so that the operations below them are reached and not only their 404.
CONFIG = """
[parameters]
run_id = "{run}"
approval_id = "{approval}"
agent_id = "{agent}"
tool_id = "{tool}"
handover_id = "{handover}"
stop_id = "{stop}"
campaign_id = "{campaign}"
change_set_id = "{change_set}"
schedule_id = "{schedule}"
proposal_id = "{proposal}"
absence_id = "{absence}"
webhook_id = "{webhook}"
delivery_id = "{delivery}"
table_id = "{table}"
batch_id = "{batch}"
confirmation_id = "{confirmation}"
extension_id = "{extension}"
letter_id = "{letter}"
memory_id = "{memory}"
set_id = "{set}"
evaluation_id = "{evaluation}"
switch_id = "{switch}"
application_id = "{application}"
api_key_id = "{api_key}"
key_set_id = "{key_set}"
server_id = "{server}"
server_tool_id = "{server_tool}"
number = 1

[checks.positive_data_acceptance]
# What no schema can say: a cursor is given out, not made up (400); a principal is printable (422).
expected-statuses = ["2xx", "400", "401", "403", "404", "409", "422"]

[checks.negative_data_rejection]
expected-statuses = ["4xx"]  # 413 is the refusal of a text that is too long
"""


@pytest.fixture
def config(cast: Cast, version: AgentVersion, tmp_path: Path) -> Path:
    """Write the configuration, and the rows that it names."""
    tool_version = ToolVersionFactory.create(tool__team=cast.team)
    GrantFactory.create(identity=cast.agent, tool=tool_version.tool)
    run = RunFactory.create(agent_version=version, application=cast.application)
    with transaction.atomic():
        record(run.pk, "run", Draft("run.started", timezone.now(), {}, {"message": "Refund me."}))
        record(run.pk, "run", Draft("run.completed", timezone.now(), {}, {"answer": "Done."}))
    Run.objects.filter(pk=run.pk).update(state="completed")  # an event stream of it ends
    handover = Handover.objects.create(run=run, step=1, call=1, opened_at=timezone.now())
    approval = ApprovalRequestFactory.create(
        identity=cast.agent, tool_version=tool_version, application=cast.application
    )
    stop = Stop.objects.create(
        scope="everything", is_drill=True, stopped_at=timezone.now(), stopped_by=cast.ada
    )
    campaign = Campaign.objects.create(
        team=cast.team, title="Autumn", due_at=timezone.now(), opened_by=cast.ada
    )
    path = tmp_path / "schemathesis.toml"
    path.write_text(
        CONFIG.format(
            run=run.pk,
            approval=approval.pk,
            agent=cast.agent.pk,
            tool=tool_version.tool.pk,
            handover=handover.pk,
            stop=stop.pk,
            campaign=campaign.pk,
            change_set=change_set_of(run).pk,
            schedule=schedule_of(cast).pk,
            absence=absence_of(cast).pk,
            webhook=(delivery := delivery_of(cast)).channel_id,
            delivery=delivery.pk,
            proposal=propose_budget(cast, cast.alice).pk,
            batch=ApprovalBatch.objects.create(person=cast.bob, verdict="deny", created_at=timezone.now()).pk,
            confirmation=asked_confirmation(cast, tool_version).pk,
            extension=asked_extension(cast, run).pk,
            letter=parked_letter(run).pk,
            memory=kept_note(run).pk,
            evaluation=(tried := evaluation_of(cast)).pk,
            set=tried.evaluation_set_id,
            switch=switch_of(cast).pk,
            application=cast.application.pk,
            api_key=key_of(cast).pk,
            key_set=key_set_of(cast).pk,
            table=publish(cast, make_table(cast), eligibility()).table_id,
            server=(listed := listed_by(cast)).server_id,
            server_tool=listed.pk,
        )
    )
    return path


@pytest.fixture
def address(transactional_db: None, settings: Settings, caplog: pytest.LogCaptureFixture) -> Iterator[str]:
    caplog.set_level(logging.ERROR, "django.request")  # thousands of refusals are the point
    # How many requests fit into a minute is what a fast machine would find out; test_limits.py has that.
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "read": UNLIMITED, "write": UNLIMITED}
    with serve_api() as served:
        yield served
    connection.close()
    database.close_pool()


@pytest.mark.parametrize(
    ("who", "phases"),
    [
        ("bob", "examples,coverage,fuzzing,stateful"),
        ("stranger", "coverage,fuzzing"),
        ("app", "fuzzing,stateful"),
    ],
)
def test_the_live_server_does_what_its_document_says(
    who: str, phases: str, address: str, callers: Callers, config: Path, tmp_path: Path
) -> None:
    caller: Caller = getattr(callers, who)
    credential = ["--header", f"Authorization: Bearer {caller.bearer}"] if caller.bearer else []
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(config)),
        *("run", f"{address}/api/v1/openapi.json"),
        *("--checks", "all", "--max-examples", str(EXAMPLES), "--seed", str(SEED)),
        *("--phases", phases, "--no-color", "--request-timeout", "120"),
        *credential,
    ]
    finished = subprocess.run(
        command,
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr

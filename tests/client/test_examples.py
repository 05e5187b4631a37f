"""The examples of the documentation, as they stand, against a real server."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from agentops import database
from agentops.runtime.supervision import ROOT
from identities.models import AgentIdentity
from runs.models import Run
from tests.api.conftest import Callers
from tests.api.live import serve_api
from tests.runs.company import ORDER, Company, proposes, says

EXAMPLES = ROOT / "docs" / "examples"
REFUND = ("refund", {**ORDER, "amount": "5.00"})


@pytest.fixture
def address(company: Company) -> Iterator[str]:
    AgentIdentity.objects.filter(pk=company.cast.agent.pk).update(slug="support-desk")
    company.let_decide(company.add_tool("refund", grant="REQUIRE_APPROVAL").tool)
    company.publish()
    with serve_api() as address:
        yield address
    connection.close()
    database.close_pool()


def start_nightly(address: str, key: str, rows: Path, patience: float) -> subprocess.Popen[str]:
    environment = {"AGENTOPS_URL": address, "AGENTOPS_KEY": key, "PATIENCE_S": str(patience)}
    return subprocess.Popen(
        [sys.executable, EXAMPLES / "nightly.py", rows],
        env={**environment, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_the_cron_job_waits_for_people_and_starts_nothing_twice(
    address: str, company: Company, callers: Callers, tmp_path: Path
) -> None:
    rows = tmp_path / "returns.csv"
    rows.write_text("number,customer,text\n7,customer-1,Please return my kettle.\n")
    company.play(proposes(REFUND), says("The money is on its way."))
    hasty = start_nightly(address, callers.app.bearer, rows, patience=0.1)
    assert (hasty.communicate(timeout=120)[0], hasty.returncode) == ("7: still waits for its turn\n", 1)
    run = Run.objects.get()
    company.drive(run)
    patient = start_nightly(address, callers.app.bearer, rows, patience=300)
    company.decide()
    company.drive(run)
    told = patient.communicate(timeout=120)[0]
    assert (told, patient.returncode) == ("7: completed: The money is on its way.\n", 0)
    assert Run.objects.count() == 1

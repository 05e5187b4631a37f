"""The examples of the documentation, as they stand, against a real server."""

from __future__ import annotations

import json
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from runpy import run_path

import pytest
from django.db import connection
from fastapi.testclient import TestClient
from standardwebhooks import Webhook

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


def sign(secret: str, body: bytes) -> dict[str, str]:
    """Return the headers that a signed webhook comes with."""
    now = datetime.now(UTC)
    signature = Webhook(secret).sign("msg_1", now, body.decode())
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature,
    }


def test_the_backend_starts_runs_for_its_customers_and_is_told_how_they_end(
    address: str, company: Company, callers: Callers, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "whsec_" + b64encode(b"x" * 32).decode()
    given = {"AGENTOPS_URL": address, "AGENTOPS_KEY": callers.app.bearer, "AGENTOPS_WEBHOOK_SECRET": secret}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    backend = run_path(str(EXAMPLES / "backend.py"))
    company.play(says("It will be there on Monday."))
    ann, eve = {"x-customer": "ann"}, {"x-customer": "eve"}
    with TestClient(backend["app"]) as product:
        wish = {"number": "1", "text": "Where is my kettle?"}
        first, again = (product.post("/wishes", json=wish, headers=ann) for _ in range(2))
        assert (first.status_code, first.json()["state"]) == (202, "queued")
        run = first.json()["id"]
        assert again.json()["id"] == run
        company.drive(Run.objects.get())
        shown = product.get(f"/wishes/{run}", headers=ann).json()
        assert shown == {"state": "completed", "answer": "It will be there on Monday.", "asked": []}
        assert product.get(f"/wishes/{run}", headers=eve).status_code == 404
        assert product.get("/wishes/no-run", headers=ann).json()["code"] == "not_found"
        body = json.dumps({"type": "run.completed"}).encode()
        assert product.post("/platform", content=body, headers=sign(secret, body)).status_code == 204
        forged = product.post("/platform", content=body + b" ", headers=sign(secret, body))
        assert forged.status_code == 401
        assert backend["app"].state.ended == [{"type": "run.completed"}]

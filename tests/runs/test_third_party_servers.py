"""Servers that nobody here wrote, started in their sandbox, as tools of a governed run: assessed, gated, on record."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from approvals.models import ApprovalRequest
from approvals.services import read_evidence
from tests.runs.company import Company, proposes, says
from tests.runs.gateway.served import TERMS
from tools.models import ServerTool
from tools.sandbox import probe
from tools.services import ServerDefinition, Takeover, create_server, import_tool, refresh_server

pytestmark = [pytest.mark.mcp, pytest.mark.slow]

BESIDE = Path(sys.executable).parent
GIT = shutil.which("git") or "git"
EFFECTS = {"git_status": "read", "git_log": "read", "git_add": "reversible", "git_commit": "irreversible",
           "convert_time": "read"}  # fmt: skip


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Provide a repository with a file that is not committed yet."""
    for line in (["init", "-q"], ["config", "user.email", "a@b.example"], ["config", "user.name", "Ann"]):
        subprocess.run([GIT, *line], cwd=tmp_path, check=True)
    (tmp_path / "note").write_text("a note")
    return tmp_path


@pytest.fixture
def office(company: Company, settings: Settings, repository: Path) -> Company:
    """Return a company that has taken over what two servers have; people decide about commits."""
    sandbox = not probe()
    settings.MCP_COMMANDS = {
        "time": {"line": [str(BESIDE / "mcp-server-time"), "--local-timezone", "UTC"], "sandbox": sandbox},
        "git": {"line": [str(BESIDE / "mcp-server-git")], "writes": [str(repository)], "sandbox": sandbox},
    }
    for command in ("time", "git"):
        definition, cast = ServerDefinition("stdio", command=command), company.cast
        server = create_server(actor=cast.alice, team=cast.team, slug=command, definition=definition)
        assert refresh_server(actor=cast.alice, server=server).trouble == ""
        for row in ServerTool.objects.filter(server=server, name__in=EFFECTS):
            accept(company, row)
    company.publish()
    return company


def accept(company: Company, row: ServerTool) -> None:
    """Take a tool over with the effect that a person gives it."""
    effect = EFFECTS[row.name]
    statement = "commit to {repo_path}: {message}" if effect == "irreversible" else ""
    takeover = Takeover(row.name, effect, statement=statement, terms=TERMS)
    version = import_tool(actor=company.cast.alice, described=row, takeover=takeover, seen=row.digest)
    company.versions.append(version)
    company.grant(version.tool, "REQUIRE_APPROVAL" if effect == "irreversible" else "ALLOW")
    if effect == "irreversible":
        company.let_decide(version.tool)


def work(repository: Path) -> list[Any]:  # Any: turns of a model
    """Return what the model does: asks the time, stages the file, and commits it."""
    place = {"repo_path": str(repository)}
    asked = {"source_timezone": "Europe/Berlin", "time": "12:00", "target_timezone": "Asia/Tokyo"}
    return [
        proposes(("convert_time", asked), ("git_status", place)),
        proposes(("git_add", {**place, "files": ["note"]})),
        proposes(("git_commit", {**place, "message": "Note it"})),
    ]


def log_of(repository: Path) -> str:
    done = subprocess.run(
        [GIT, "log", "--format=%s"], cwd=repository, check=False, capture_output=True, text=True
    )
    return done.stdout


def test_a_run_works_with_them_and_a_person_decides_about_the_commit(
    office: Company, repository: Path
) -> None:
    run = office.run(*work(repository), says("Done."))

    assert run.state == "requires_action"
    assert log_of(repository) == "", "nothing is committed before somebody has said yes"
    evidence = read_evidence(ApprovalRequest.objects.get())
    assert evidence is not None
    assert evidence["statement"] == f"commit to “{repository}”: “Note it”"
    office.decide("approve")
    office.drive(run)

    assert office.states(run) == [("succeeded", "ok")] * 4
    assert log_of(repository) == "Note it\n"
    told = str([entry.content for entry in office.entries(run) if entry.kind == "call.succeeded"])
    assert "Asia/Tokyo" in told, "what a server says is on record"


def test_a_person_who_says_no_keeps_the_commit_from_happening(office: Company, repository: Path) -> None:
    run = office.run(*work(repository), says("Sorry."))
    office.decide("deny")
    office.drive(run)

    assert office.states(run)[-1][0] == "refused"
    assert log_of(repository) == ""


def test_what_is_outside_of_its_folder_it_does_not_reach(
    office: Company, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The operator has named one repository: another one of ours is not there for the server, in its sandbox."""
    other = tmp_path_factory.mktemp("other")
    subprocess.run([GIT, "init", "-q"], cwd=other, check=True)
    run = office.run(proposes(("git_status", {"repo_path": str(other)})), says("So be it."))
    assert (office.states(run)[0][0] == "succeeded") is bool(probe())

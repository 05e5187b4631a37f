"""``manage.py apply`` and ``load_demo`` at a terminal and in scripts."""

from __future__ import annotations

import io
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command

from agentops.demo.shop.catalogue import TOOLS
from agentops.runtime.application import SCRIPTED_KEY
from agentops.strict_yaml import read_yaml
from approvals.models import ApprovalDecision, ApprovalRequest
from identities.models import ApiKey, Team, User
from identities.services import authenticate
from runs.management.commands import demo as demo_command
from runs.management.commands.demo import Command as Demo
from runs.models import AgentVersion, Price, Run
from runs.preflight import check_version
from runs.provisioning.catalogue import with_definitions
from runs.provisioning.demo import DOCUMENT, derive_password
from tests.cast import Cast
from tests.console.visits import page_of
from tests.factories import PriceFactory
from tests.runs.company import ORDER, Company, proposes, says
from tools.models import Tool
from tools.services.catalogue import latest_version
from tools.services.definition import definition_of

pytestmark = [pytest.mark.setup, pytest.mark.slow]

DOCUMENT_TEXT = "format: agentops/1\nteams: {desk: {name: Desk}}\n"


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "document.yaml"
    path.write_text(DOCUMENT_TEXT)
    return path


def run(name: str, *arguments: str) -> str:
    output = io.StringIO()
    call_command(name, *arguments, stdout=output)
    return output.getvalue()


class Terminal(io.StringIO):
    """A standard input that somebody sits at."""

    def isatty(self) -> bool:
        return True


def test_apply_shows_and_applies(cast: Cast, document: Path) -> None:
    output = run("apply", str(document), "--yes")

    assert "+ team desk: create\n    name: Desk" in output
    assert "applied as ada" in output
    assert Team.objects.filter(slug="desk").exists()
    assert run("apply", str(document), "--yes") == "nothing to change\n"


def test_dry_run_changes_nothing(cast: Cast, document: Path) -> None:
    assert "+ team desk" in run("apply", str(document), "--dry-run")
    assert not Team.objects.filter(slug="desk").exists()


@pytest.mark.parametrize(
    ("answer", "applied"), [("y\n", True), ("YES\n", True), ("n\n", False), ("\n", False)]
)
def test_a_person_is_asked(
    cast: Cast, document: Path, monkeypatch: pytest.MonkeyPatch, answer: str, applied: bool
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    if applied:
        run("apply", str(document))
    else:
        with pytest.raises(CommandError, match="nothing was changed"):
            run("apply", str(document))
    assert Team.objects.filter(slug="desk").exists() is applied


def test_a_script_has_to_say_yes(cast: Cast, document: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    with pytest.raises(CommandError, match="--yes"):
        run("apply", str(document))
    assert not Team.objects.filter(slug="desk").exists()


def test_document_from_standard_input(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(DOCUMENT_TEXT))
    assert "applied as ada" in run("apply", "-", "--yes")


def test_who_acts_is_named_or_the_only_superuser(cast: Cast, document: Path) -> None:
    with pytest.raises(CommandError, match="nobody"):
        run("apply", str(document), "--yes", "--as", "nobody")
    with pytest.raises(CommandError, match="no active person"):
        run("apply", str(document), "--yes", "--as", cast.agent.service_account.username)
    for outsider in ("alice", "charlie"):
        with pytest.raises(CommandError, match="only a superuser"):
            run("apply", str(document), "--yes", "--as", outsider)
    User.objects.filter(username="bob").update(is_superuser=True, is_active=False)
    with pytest.raises(CommandError, match="no active person"):
        run("apply", str(document), "--yes", "--as", "bob")
    assert not Team.objects.filter(slug="desk").exists()
    User.objects.filter(username="bob").update(is_active=True)
    with pytest.raises(CommandError, match="--as"):
        run("apply", str(document), "--yes")
    assert "applied as bob" in run("apply", str(document), "--yes", "--as", "bob")


@pytest.mark.usefixtures("db")
def test_empty_installation_says_what_to_do(document: Path) -> None:
    with pytest.raises(CommandError, match="createsuperuser"):
        run("apply", str(document), "--yes")


def test_files_that_cannot_be_read(cast: Cast, tmp_path: Path) -> None:
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "missing.yaml", tmp_path, binary):
        with pytest.raises(CommandError, match="cannot read") as refused:
            run("apply", str(path), "--yes")
        assert str(refused.value).count(path.name) == 1, "named once"


def test_findings_of_preflight_come_with_their_remedies(cast: Cast, tmp_path: Path) -> None:
    path = tmp_path / "document.yaml"
    path.write_text("format: agentops/1\nversions: {refunds-agent: {instructions: Help., model: unpriced}}\n")
    with pytest.raises(CommandError) as refusal:
        run("apply", str(path), "--yes")
    text = str(refusal.value)
    assert text.startswith("versions/refunds-agent: preflight found\n")
    assert "Set principal_source to application, staff or token." in text
    assert text.endswith("nothing was changed")
    assert not AgentVersion.objects.exists()


# --- the demo ----------------------------------------------------------------------------------------------


@pytest.fixture
def demo(db: None, settings: LazySettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    settings.DEMO = True
    monkeypatch.setenv("DEMO_SHOP_URL", "http://127.0.0.1:8123")
    monkeypatch.setenv("OPENAI_API_KEY", SCRIPTED_KEY)
    monkeypatch.setenv("AGENTOPS_DATA", str(tmp_path))
    return tmp_path / "sign-in.txt"


def test_demo_company_is_ready_to_run(demo: Path) -> None:
    run("load_demo")

    version = AgentVersion.objects.get(state="published")
    assert (version.identity.slug, version.model) == ("refunds-agent", "demo-support")
    assert check_version(version) == []
    refund = latest_version(Tool.objects.get(name="refund_payment"))
    assert refund is not None
    assert (refund.effect, refund.amount_argument, refund.dedupe_on) == (
        "irreversible",
        "amount",
        ["order_id", "amount"],
    )
    assert refund.config["url"] == "http://127.0.0.1:8123/tools/refund_payment"


def test_sign_in_works(demo: Path, client: Any) -> None:
    run("load_demo")

    text = demo.read_text()
    assert stat.S_IMODE(demo.stat().st_mode) == 0o600
    for username in ("ada", "fiona", "oscar", "vera"):
        person = User.objects.get(username=username)
        assert person.check_password(derive_password(username))
        assert derive_password(username) in text
        assert f"otpauth://totp/AgentOps%3A{username}?" in text
    bearer = text.split("Bearer ")[1].split()[0]
    key = authenticate(bearer)
    assert key is not None
    assert key.user.application.slug == "shop-app"


def test_loading_twice_changes_nothing(demo: Path) -> None:
    run("load_demo")
    first = demo.read_text()

    assert run("load_demo") == "nothing to change\n"
    assert demo.read_text() == first
    assert ApiKey.objects.count() == 1


def test_lost_sign_in_file_brings_a_new_key(demo: Path) -> None:
    run("load_demo")
    old = demo.read_text().split("Bearer ")[1].split()[0]
    demo.unlink()
    User.objects.filter(username="fiona").update(password="!")

    run("load_demo")
    assert authenticate(old) is None
    assert authenticate(demo.read_text().split("Bearer ")[1].split()[0]) is not None
    assert User.objects.get(username="fiona").check_password(derive_password("fiona"))


def test_real_model_with_a_key(demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("load_demo")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-real")
    run("load_demo")

    assert AgentVersion.objects.get(state="published").model == "gpt-5-mini"
    assert Price.objects.get(model="gpt-5-mini", active=True).input_usd_per_mtok > 0


def test_model_of_ones_own_needs_its_rates(demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-real")
    monkeypatch.setenv("OPENAI_MODEL", "our-own-model")
    with pytest.raises(CommandError, match="our-own-model"):
        run("load_demo")
    monkeypatch.setenv("OPENAI_INPUT_USD_PER_MTOK", "0.10")
    monkeypatch.setenv("OPENAI_OUTPUT_USD_PER_MTOK", "0.20")
    run("load_demo")
    assert AgentVersion.objects.get(state="published").model == "our-own-model"


def test_demo_is_not_for_production(demo: Path, settings: LazySettings) -> None:
    settings.DEMO = False
    with pytest.raises(CommandError, match="AGENTOPS_DEMO"):
        run("load_demo")
    assert not User.objects.exists()


def test_printed_when_there_is_no_file(demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AGENTOPS_DATA")
    assert "Authorization: Bearer aok_" in run("load_demo")
    monkeypatch.setenv("AGENTOPS_SIGN_IN_FILE", str(demo))
    run("load_demo")
    assert "otpauth://" in demo.read_text()


def test_document_says_what_the_shop_does() -> None:
    """The document and the shop describe the same ten tools."""
    document = read_yaml(DOCUMENT.read_text())

    assert set(document["tools"]) == {tool.name for tool in TOOLS}
    for tool in TOOLS:
        entry = document["tools"][tool.name]
        said = (entry["description"], entry["statement"], entry["effect"], entry.get("amount_argument"))
        assert said == (tool.description, tool.statement, tool.effect_class, tool.amount_argument)
        assert tuple(entry.get("dedupe_on", ())) == tool.dedupe_on
        assert entry["input_schema"] == tool.input_schema
        schemas = with_definitions(entry["output_schema"], document["schemas"])
        assert resolve(schemas, schemas.pop("$defs", {})) == tool.output_schema


def resolve(schema: Any, definitions: dict[str, Any]) -> Any:
    """Return a schema with every reference replaced by what it refers to."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            return resolve(definitions[schema["$ref"].removeprefix("#/$defs/")], definitions)
        return {name: resolve(value, definitions) for name, value in schema.items()}
    return [resolve(item, definitions) for item in schema] if isinstance(schema, list) else schema


def test_every_tool_of_the_demo_comes_back_as_it_was_defined(demo: Path) -> None:
    run("load_demo")
    for tool in Tool.objects.all():
        version = latest_version(tool)
        assert version is not None
        assert definition_of(version).digest(tool.id, tool.name) == version.digest


def test_the_demo_tells_what_nothing_costs_in_plain_digits(company: Company) -> None:
    company.publish(price=False)
    PriceFactory.create(model=company.model, input_usd_per_mtok=0, output_usd_per_mtok=0)
    done = company.run(says("Hello."))
    output = io.StringIO()
    Demo(stdout=output)._show(done)
    assert "120 tokens, 0.00 USD" in output.getvalue()
    assert "E-" not in output.getvalue()


def test_the_demo_leaves_a_decision_to_the_console(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = company.add_tool("refund", grant="REQUIRE_APPROVAL").tool
    company.let_decide(tool)
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    output = io.StringIO()
    demo = Demo(stdout=output)
    monkeypatch.setenv("DEMO_CONSOLE_URL", "http://127.0.0.1:8123")
    for _ in range(2):
        demo._answer(run, "console")
    assert output.getvalue().count("Waiting for a person") == 1
    address = f"http://127.0.0.1:8123{page_of('approvals_approvalrequest', 'change', ApprovalRequest.objects.get().pk)}"
    assert f"decide it as fiona at {address}\n" in output.getvalue()
    assert company.decide().state == "approved", "nobody has decided it before"
    demo._answer(run, "console")
    assert company.drive(run).state == "completed"


def test_without_a_console_nobody_is_sent_there(company: Company, settings: LazySettings) -> None:
    settings.DEMO = True
    with pytest.raises(CommandError, match="agentops up"):
        run("demo", "--decide", "console")
    assert not Run.objects.exists()


THINKS_S = 500.0  # longer than the run may take by itself


@dataclass
class Sitting:
    """Somebody at the demo's terminal. Time passes only while they think; meanwhile the run goes on by itself."""

    company: Company
    answers: list[str]
    questions: int = 0
    now: float = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, _seconds: float) -> None:
        self.company.drive(Run.objects.get())

    def input(self, _question: str) -> str:
        self.questions += 1
        self.now += THINKS_S
        if not self.answers:
            raise EOFError
        return self.answers.pop(0)


SitDown = Callable[..., Sitting]


@pytest.fixture
def sit_down(company: Company, monkeypatch: pytest.MonkeyPatch, settings: LazySettings) -> SitDown:
    """Provide a way to sit down at a demo that will ask for an approval."""
    settings.DEMO = True
    company.let_decide(company.add_tool("refund", grant="REQUIRE_APPROVAL").tool)
    company.publish()
    company.play(proposes(("refund", ORDER)), says("The money is on its way."))

    def sit(*answers: str) -> Sitting:
        sitting = Sitting(company, list(answers))
        monkeypatch.setattr(demo_command, "time", sitting)
        monkeypatch.setattr("builtins.input", sitting.input)
        return sitting

    return sit


def test_the_demo_asks_until_it_is_answered(sit_down: SitDown) -> None:
    sitting = sit_down("perhaps", "", " Approve ")

    told = run("demo")

    assert sitting.questions == 3
    assert "fiona decided: approve" in told
    assert "Agent: The money is on its way." in told
    assert len(sitting.company.world.effects) == 1


def test_the_demo_takes_no_for_an_answer(sit_down: SitDown) -> None:
    sit_down("deny")

    assert "refund: denied, not approved" in run("demo")


def test_the_time_that_a_person_thinks_is_not_the_runs(sit_down: SitDown) -> None:
    sit_down("approve")
    assert THINKS_S > demo_command.TERMINAL_S

    assert "completed: " in run("demo")


def leave_unanswered(sit_down: SitDown) -> tuple[str, str]:
    """Return how run and request stand after a demo at whose terminal the input ended; nobody has decided."""
    sitting = sit_down()
    with pytest.raises(CommandError, match="add --decide"):
        run("demo")
    assert sitting.questions == 1
    assert not ApprovalDecision.objects.exists()
    assert sitting.company.world.attempts == []
    return Run.objects.get().state, ApprovalRequest.objects.get().state


def test_a_demo_that_nobody_answers_says_how_and_leaves_nothing_waiting(sit_down: SitDown) -> None:
    assert leave_unanswered(sit_down) == ("cancelled", "voided")


def test_without_giving_up_a_request_is_left_that_somebody_may_still_approve(
    sit_down: SitDown, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant."""
    monkeypatch.setattr(Demo, "_give_up", lambda demo, run: None)
    assert leave_unanswered(sit_down) == ("requires_action", "waiting")


def test_an_end_of_input_that_was_taken_for_an_answer_would_be_noticed(
    sit_down: SitDown, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant: the end of the input is an empty line, and an empty line agrees."""
    monkeypatch.setattr(Demo, "_ask", lambda demo: "approve")
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        leave_unanswered(sit_down)

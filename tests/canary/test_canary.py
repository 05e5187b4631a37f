"""What a tool's target was shown is seen by nobody else, and what a person said is gone when they are erased."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from identities.admin import secrets as secrets_admin
from identities.models import Principal, Secret, SecretLease
from runs.erasure import erase_principal
from runs.models import Run, ToolCall
from tests.canary import scene
from tests.canary.functions import PLANTED
from tests.canary.places import find_hits, forms_of, overheard, read_logs, read_valkey
from tests.cast import Cast
from tests.console.visits import page_of, sign_in
from tests.live import live_platform
from tests.runs.company import Company
from tests.runs.planner.provider import Provider
from tests.runs.test_erasure import dump
from tests.tools.rude_server import RudeServer, rude_server

pytestmark = [pytest.mark.canary, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

SECRETS = (scene.STATIC, scene.CLIENT, scene.ISSUED)
PERSONAL = (scene.SUBJECT, scene.WORDS)


@pytest.fixture
def server() -> Iterator[RudeServer]:
    with rude_server() as server:
        yield server


@pytest.fixture
def company(cast: Cast) -> Iterator[Company]:
    company = Company(cast, Provider())
    yield company
    company.provider.close()


def console_pages(cast: Cast, run: str, caplog: pytest.LogCaptureFixture) -> dict[str, str]:
    """Return what staff see, of forms that fail and of a view that raises, too."""
    client = sign_in(cast.ada)
    client.raise_request_exception = False
    secret = Secret.objects.get(slug="key")
    places = [
        ("runs_run", run),
        ("ledger_stream", run),
        ("identities_secret", secret.pk),
        ("ledger_stream", secret.pk),
    ]
    pages = ["/admin/", *(page_of(model, "change", pk) for model, pk in places)]
    seen = {path: client.get(path).content.decode() for path in pages}
    form = {"team": str(cast.team.pk), "slug": "not a slug", "purpose": "x", "provider": "static", "settings": "{}",
            "value": scene.STATIC}  # fmt: skip
    seen["form that fails"] = client.post(page_of("identities_secret", "add"), form).content.decode()
    with pytest.MonkeyPatch.context() as patch, caplog.at_level(logging.DEBUG):
        patch.setattr(secrets_admin, "create_secret", _burst)
        broken = client.post(page_of("identities_secret", "add"), {**form, "slug": "a-slug"})
    assert broken.status_code == 500
    assert "the service is broken" in caplog.text
    return {**seen, "view that raises": broken.content.decode(), "log of this process": caplog.text}


def _burst(**_: object) -> None:
    raise RuntimeError("the service is broken")


def check_the_scene_was_played(company: Company, server: RudeServer) -> None:
    """Every tool was called, and the targets were shown what nobody else may see."""
    assert sorted(ToolCall.objects.values_list("tool_name", flat=True)) == sorted(
        version.tool.name for version in company.versions
    )
    shown = json.dumps([request.headers for request in server.seen])
    assert scene.STATIC in shown
    assert scene.ISSUED in shown
    assert SecretLease.objects.exclude(state="ended").count() == 0


def check_the_search_sees(everywhere: dict[str, str], run: str) -> None:
    """It finds what is there: a canary in the model's answer, the words of the person, logs at their loudest."""
    assert {
        "database",
        "Valkey",
        "commands",
        "log worker.log",
        f"/api/v1/runs/{run}",
        page_of("runs_run", "change", run),
    } <= {*find_hits(PLANTED, everywhere)}
    assert find_hits(scene.WORDS, everywhere)
    assert "[credential]" in everywhere["prompts"]
    assert "DEBUG celery.beat" in everywhere["log beat.log"]
    assert "DEBUG" in everywhere["log web.log"]


def test_no_canary_is_seen_where_it_must_not_be(
    cast: Cast,
    company: Company,
    server: RudeServer,
    worker_redis: redis.Redis,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    scene.set_up(company, server)
    environment = {
        "OPENAI_BASE_URL": company.provider.base_url, "OPENAI_API_KEY": "scripted", "LOG_LEVEL": "DEBUG",
        "TOOLS_PYTHON_MODULES": scene.HERE,
    }  # fmt: skip
    with overheard(os.environ["REDIS_URL"]) as commands, live_platform(tmp_path, environment) as platform:
        run, answers = scene.play(cast, platform)
        worker_redis.set("planted", PLANTED)
        valkey = read_valkey(worker_redis)
    logs = read_logs(tmp_path / "logs")
    prompts = {"prompts": json.dumps(company.asked())}
    broker = {"Valkey": valkey, "commands": "\n".join(commands)}
    pages = console_pages(cast, run, caplog)
    everywhere = {**logs, **prompts, **broker, **answers, **pages, "database": dump()}

    check_the_scene_was_played(company, server)

    secrets = [*SECRETS, *scene.minted_tokens(server)]
    assert len(secrets) == len(SECRETS) + 2
    assert {canary: find_hits(canary, everywhere) for canary in secrets} == {canary: [] for canary in secrets}
    quiet = {**logs, **broker}
    assert {canary: find_hits(canary, quiet) for canary in PERSONAL} == {canary: [] for canary in PERSONAL}

    check_the_search_sees(everywhere, run)

    principal = Principal.objects.get(subject=scene.SUBJECT)
    erase_principal(actor=cast.ada, principal=principal, reason="asked for it")
    after = {"database": dump(), "Valkey": read_valkey(worker_redis)}
    assert Run.objects.filter(pk=run).exists()
    assert {canary: find_hits(canary, after) for canary in PERSONAL} == {canary: [] for canary in PERSONAL}


@pytest.mark.parametrize("form", sorted(forms_of(scene.STATIC)))
def test_a_planted_canary_is_found_in_every_form(form: str) -> None:
    assert find_hits(scene.STATIC, {"here": f"x{form}y", "there": "nothing"}) == ["here"]

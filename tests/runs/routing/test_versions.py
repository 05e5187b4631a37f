"""The models that a version names for each role: said in one place, checked, priced, and told apart."""

from __future__ import annotations

import os
from dataclasses import replace
from decimal import Decimal
from importlib import import_module
from typing import Any

import psycopg
import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from agentops.runtime.pytest_databases import CLEANER_URL
from runs.behaviour import Behaviour, behaviour_of
from runs.models import AgentVersion
from runs.models.versions import check_model_roles, list_models
from runs.preflight import check_version
from runs.publishing import draft_version
from runs.versions import read_version
from tests.cast import Cast
from tests.console.visits import page_of, sign_in, text_of
from tests.factories import AgentVersionFactory, PriceFactory
from tests.runs.routing.tiers import BIG, ROLES, SMALL, SPARE, add_prices

# As the release before named these behaviours.
PLAIN = "c27760ea6fa515bbdbad7cf070da74bd2fe788b94669ad6b0a87522bead645f8"
SUMMARISED = "2423cf98c65a2f201b20dd1c6cdf6086d11d8c200f831b39804d0907c8df6460"
SUMMARISED_BY_S = "62992e7d632c11f0c4c62408e568ec409cf014bd28493dad459e78c4f52df165"
HELP = Behaviour(instructions="Help.", model="m")


# --- what can be said ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "roles",
    [
        [],
        {"extract": ["m"]},
        {"plan": []},
        {"plan": "m"},
        {"plan": ["a", "b", "c", "d"]},
        {"plan": ["a", "a"]},
        {"plan": [""]},
        {"plan": [" a"]},
        {"plan": ["a b"]},
        {"plan": [1]},
        {"plan": ["a" * 121]},
        {"plan": None},
    ],
)
def test_what_names_no_models(roles: Any) -> None:
    with pytest.raises(ValidationError):
        check_model_roles(roles)


@pytest.mark.parametrize("roles", [{}, {"plan": ["a"]}, {"execute": ["a", "b", "c"], "summarise": ["a"]}])
def test_what_names_models(roles: Any) -> None:
    check_model_roles(roles)


def test_a_role_that_is_left_out_has_the_versions_model() -> None:
    version = AgentVersion(model="own", model_roles={"plan": ["a", "b"]}, summarise=True)
    assert list_models(version) == ["a", "b", "own"]
    version.model_roles = {"plan": ["a"], "execute": ["b"], "summarise": ["c"]}
    assert list_models(version) == ["a", "b", "c"]
    version.summarise = False
    assert list_models(version) == ["a", "b"], "nobody writes summaries"


def test_the_driver_reads_it(transactional_db: None, cast: Cast) -> None:
    version = read_version(AgentVersionFactory.create(identity=cast.agent, model_roles=ROLES).pk)
    assert (version.models_of("plan"), version.models_of("execute"), version.models_of("summarise")) == (
        (BIG,),
        (SMALL, SPARE),
        ("test-model",),
    )


def test_each_model_that_may_be_asked_has_to_be_priced(cast: Cast) -> None:
    add_prices()
    version = AgentVersionFactory.create(
        identity=cast.agent, model_roles={"plan": ["odd", BIG], "execute": [SMALL, "strange"]}
    )
    problems = [finding.problem for finding in check_version(version) if finding.code == "no_price"]
    assert problems == [
        "nobody has said what the model odd costs",
        "nobody has said what the model strange costs",
    ]


# --- what it is called --------------------------------------------------------------------------------------------


def test_behaviours_that_say_nothing_of_it_are_named_as_before() -> None:
    assert HELP.digest() == PLAIN
    assert replace(HELP, summarise=True).digest() == SUMMARISED
    by_s = replace(HELP, summarise=True, model_roles={"summarise": ["s"]})
    assert by_s.digest() == SUMMARISED_BY_S


@pytest.mark.parametrize(
    "change",
    [
        {"model_roles": {"plan": ["a"]}},
        {"model_roles": {"plan": ["b", "a"], "execute": ["c"]}},
        {"model_roles": {"plan": ["a", "b"], "execute": ["d"]}},
        {"escalate_invalid": 3},
        {"escalate_failed": 0},
        {"demote_percent": 10},
    ],
)
def test_other_models_are_another_behaviour(change: dict[str, Any]) -> None:
    one = replace(HELP, model_roles={"plan": ["a", "b"], "execute": ["c"]})
    assert replace(one, **change).digest() != one.digest()


def test_a_draft_keeps_them(cast: Cast) -> None:
    named = replace(HELP, model_roles={"plan": ("a", "b")}, escalate_invalid=5)
    draft = draft_version(actor=cast.alice, identity=cast.agent, behaviour=named)
    assert behaviour_of(AgentVersion.objects.get(pk=draft.pk)) == named
    assert draft_version(actor=cast.alice, identity=cast.agent, behaviour=named) == draft


# --- the page -----------------------------------------------------------------------------------------------------


def test_the_page_tells_which_model_does_what_at_which_price(cast: Cast) -> None:
    add_prices()
    version = AgentVersionFactory.create(
        identity=cast.agent, model_roles={**ROLES, "summarise": ["cheap"]}, summarise=True
    )
    page = text_of(sign_in(cast.bob).get(page_of("runs_agentversion", "change", version.pk)))
    assert "Model for plans big 10.00 USD in, 40.00 USD out per million tokens" in page
    assert (
        "Model that carries out small 1.00 USD in, 4.00 USD out per million tokens if that is down: spare"
        in page
    )
    assert "Model for summaries cheap no price: it is not asked" in page
    assert "after 2 steps in a row with calls that nobody could make, and after 3 whose calls failed" in page


def test_the_page_of_a_version_with_one_model(cast: Cast) -> None:
    PriceFactory.create(model="test-model", input_usd_per_mtok=Decimal(3))
    version = AgentVersionFactory.create(identity=cast.agent)
    page = text_of(sign_in(cast.bob).get(page_of("runs_agentversion", "change", version.pk)))
    assert "Model test-model 3.00 USD in" in page
    assert "The planning model also" not in page


# --- versions of the release before -------------------------------------------------------------------------------


def test_the_model_that_wrote_summaries_becomes_that_of_the_role(transactional_db: None, cast: Cast) -> None:
    """Published versions too, which nothing else may change: the guard stands again afterwards."""
    fold = import_module("runs.migrations.0011_model_roles")
    own, named = (AgentVersionFactory.create(identity=cast.agent) for _ in range(2))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE runs_agentversion SET summary_model = 's' WHERE id = %s", [named.pk])
    AgentVersion.objects.filter(pk=named.pk).update(state="published")
    with psycopg.connect(os.environ[CLEANER_URL]) as owner:
        owner.execute(fold.FOLD)
    for version in (own, named):
        version.refresh_from_db()
    assert (own.model_roles, named.model_roles) == ({}, {"summarise": ["s"]})
    with pytest.raises(Exception, match="refused"):
        AgentVersion.objects.filter(pk=named.pk).update(model_roles={})
    with psycopg.connect(os.environ[CLEANER_URL]) as owner:
        owner.execute(fold.UNFOLD)
        row = owner.execute("SELECT summary_model FROM runs_agentversion WHERE id = %s", [named.pk])
        assert row.fetchone() == ("s",)

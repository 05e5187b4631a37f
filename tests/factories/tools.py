"""Tools, their versions, and grants with the object permission that goes with them."""

from __future__ import annotations

from factory.django import DjangoModelFactory

from agentops.identifiers import new_id
from tests.factories.declarations import (
    LazyAttribute,
    LazyFunction,
    SelfAttribute,
    Sequence,
    SubFactory,
    Trait,
    after_creation,
)
from tests.factories.identities import AgentFactory, TeamFactory
from tests.factories.permissions import let
from tools.models import Tool, ToolGrant, ToolVersion


class ToolFactory(DjangoModelFactory[Tool]):
    class Meta:
        model = Tool

    team = SubFactory(TeamFactory)
    name = Sequence(lambda n: f"tool_{n}")


class ToolVersionFactory(DjangoModelFactory[ToolVersion]):
    """A version that takes ``order_id`` and ``amount``."""

    class Meta:
        model = ToolVersion

    class Params:
        reads = Trait(effect="read", amount_argument="", currency="")
        irreversible = Trait(effect="irreversible")

    tool = SubFactory(ToolFactory)
    number = LazyAttribute(lambda version: version.tool.versions.count() + 1)
    description = "Does something to an order."
    statement = "do something to order {order_id}"
    input_schema = LazyFunction(
        lambda: {
            "type": "object",
            "properties": {"order_id": {"type": "string"}, "amount": {"type": "string"}},
            "required": ["order_id"],
            "additionalProperties": False,
        }
    )
    effect = "reversible"
    idempotency = "honours_key"
    adapter = "http"
    config = LazyFunction(lambda: {"method": "POST", "url": "http://127.0.0.1:9/tools/something"})
    amount_argument = "amount"
    currency = "USD"
    digest = LazyFunction(lambda: new_id().hex * 2)


class GrantFactory(DjangoModelFactory[ToolGrant]):
    """An active grant; the agent's account holds the object permission unless the decision is DENY."""

    class Meta:
        model = ToolGrant
        skip_postgeneration_save = True

    identity = SubFactory(AgentFactory)
    tool = SubFactory(ToolFactory, team=SelfAttribute("..identity.team"))
    version = LazyAttribute(
        lambda grant: ToolGrant.objects.filter(identity=grant.identity, tool=grant.tool).count() + 1
    )
    decision = "ALLOW"

    @after_creation
    def object_permission(self: ToolGrant, create: bool, extracted: object, **_: object) -> None:
        if self.decision != "DENY" and self.state == "active":
            let(self.identity.service_account, "use_tool", self.tool)

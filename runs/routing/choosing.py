"""Choosing the model of the next call: by its role, its price, what is left of the budget, and who is there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from agentops.engine.breaker import Admission
from agentops.engine.budgets import Reservation, Shortfall, plan_reservation, worst_usd
from agentops.engine.tiers import DOWN, Offer, choose_role, is_low, is_routed, rank_models
from agentops.errors import NotFound
from runs.planner.answers import Embedded, PlannerAnswer, PlannerFailure
from runs.planner.prices import Price
from runs.reservations import plan_call
from runs.routing import breakers
from runs.routing.providers import Target, find_target
from runs.session import Session
from runs.versions import dearest_rates, read_price

NULL = "null"  # a planner without a provider: there is nothing that could be down


@dataclass(frozen=True, slots=True)
class Wanted:
    """A call that is to be made: its role and why, as facts, its models, and how large it may be, in tokens."""

    facts: dict[str, Any]  # Any: JSON
    models: Sequence[str]
    tried: Sequence[str]
    low: bool
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Route:
    """The model that is asked, at which price, within which reservation; ``others`` are those to ask if it is down."""

    target: Target
    price: Price
    reservation: Reservation
    facts: dict[str, Any]  # Any: JSON
    others: tuple[str, ...] = ()
    admission: Admission | None = None  # None: nobody was asked whether it is there

    def tell(self, answer: PlannerAnswer | Embedded | PlannerFailure) -> None:
        """Tell the model's breaker how the call went."""
        if self.admission is not None:
            breakers.tell(self.target, self.admission, answer)

    @contextmanager
    def until_asked(self) -> Iterator[None]:
        """Give the admission back where what is done before the call fails."""
        try:
            yield
        except BaseException:
            if self.admission is not None:
                breakers.give_back(self.target, self.admission)
            raise


@dataclass(frozen=True, slots=True)
class NoRoute:
    """No model can be asked: none is priced, none is within what is left, or none is there before ``retry_at``."""

    facts: dict[str, Any] = field(default_factory=dict)  # Any: JSON
    unpriced: NotFound | None = None
    short: Shortfall | None = None
    retry_at: datetime | None = None


def want_turn(session: Session, prompt_tokens: int) -> Wanted:
    """Return the planner's next call."""
    state, version = session.state, session.version
    if not is_routed(state):
        return Wanted({}, (version.model,), (), False, prompt_tokens, version.max_completion_tokens)
    (role, why), low = choose_role(state), is_low(state)
    facts = {"role": role, "why": why, **({"low": True} if low else {})}
    models, tried = version.models_of(role), state.routing.tried
    return Wanted(facts, models, tried, low, prompt_tokens, version.max_completion_tokens)


def want_summary(session: Session, prompt_tokens: int, completion_tokens: int) -> Wanted:
    """Return the call that is to write a summary."""
    state, models = session.state, session.version.models_of("summarise")
    if not is_routed(state):
        return Wanted({}, models[:1], (), False, prompt_tokens, completion_tokens)
    low = is_low(state)
    facts = {"role": "summarise", "why": "outgrown", **({"low": True} if low else {})}
    return Wanted(facts, models, state.routing.summary_tried, low, prompt_tokens, completion_tokens)


def want_vector(model: str, prompt_tokens: int) -> Wanted:
    """Return the call that is to turn a text into a vector.

    Nothing is generated. One token is held for it all the same: a completion of none would fit into any budget.
    """
    return Wanted({"role": "embed"}, (model,), (), False, prompt_tokens, 1)


def find_route(session: Session, wanted: Wanted) -> Route | NoRoute:
    """Return the first model that is priced, there, and within what is left; a draw may have been noted for it.

    Each model is reserved for at its own worst case, so a dearer one that stands in never spends what is not held.
    """
    prices, unpriced = _read_prices(wanted.models)
    if unpriced is not None and not prices:
        return NoRoute(unpriced=unpriced)
    ranked = _rank(wanted, prices)
    search = _Search(session, wanted, prices)
    for place, name in enumerate(ranked):
        if route := search.try_model(name, ranked[place + 1 :]):
            return route
    return search.give_up()


@dataclass(slots=True)
class _Search:
    """A search for a model: who was passed over so far, what was lacking for the first of them, who may come back."""

    session: Session
    wanted: Wanted
    prices: dict[str, Price]
    passed: list[dict[str, str]] = field(default_factory=list)
    short: Shortfall | None = None
    retry_at: datetime | None = None

    def __post_init__(self) -> None:
        self.passed += [
            {"model": name, "why": "no_price"} for name in self.wanted.models if name not in self.prices
        ]

    def try_model(self, name: str, after: Sequence[str]) -> Route | None:
        """Return the route to a model; None, with the reason noted, where it cannot be asked now."""
        target, price = find_target(name), self.prices[name]
        admission = _admit(self.session, target)
        if admission is not None and not admission.allowed:
            self._pass_over(name, "circuit_open")
            back_at = breakers.find_return(admission, self.session.now)
            self.retry_at = min(back_at, self.retry_at or back_at)
            return None
        plan = _reserve(self.session, self.wanted, price, target, admission)
        if isinstance(plan, Shortfall):
            self._pass_over(name, "too_dear")
            self.short = self.short or plan
            return None
        return Route(target, price, plan, self._facts(target), self._affordable(after), admission)

    def give_up(self) -> NoRoute:
        """Say what was lacking. What is too dear now stays so; who is not there may come back."""
        facts = {**self.wanted.facts, "passed_over": self.passed}
        short = None if self.retry_at is not None else self.short
        return NoRoute(facts, short=short, retry_at=self.retry_at)

    def _pass_over(self, name: str, why: str) -> None:
        self.passed.append({"model": name, "why": why})

    def _affordable(self, names: Sequence[str]) -> tuple[str, ...]:
        return tuple([name for name in names if _is_affordable(self.session, self.wanted, self.prices[name])])

    def _facts(self, target: Target) -> dict[str, Any]:  # Any: JSON
        if not self.wanted.facts:  # a run of old
            return {}
        provider = {} if self.session.version.planner == NULL else {"provider": target.provider}
        passed = {"passed_over": self.passed} if self.passed else {}
        return {**self.wanted.facts, **provider, **passed}


def find_other(session: Session, route: Route, failure: PlannerFailure) -> bool:
    """Whether another model may be asked at once, in place of one whose provider is down."""
    if not is_routed(session.state) or failure.code not in DOWN:
        return False
    tried = (*session.state.routing.tried, *session.state.routing.summary_tried)
    left = [name for name in route.others if name not in tried]
    return any(breakers.is_closed(name, session.now) for name in left)


def _read_prices(models: Sequence[str]) -> tuple[dict[str, Price], NotFound | None]:
    prices, unpriced = {}, None
    for name in models:
        try:
            prices[name] = read_price(name)
        except NotFound as error:
            unpriced = unpriced or error
    return prices, unpriced


def _rank(wanted: Wanted, prices: dict[str, Price]) -> list[str]:
    """Return the models that have a price, in the order in which they are asked."""
    offers = [Offer(name, _worst(wanted, prices[name])) for name in wanted.models if name in prices]
    return rank_models(offers, wanted.tried, low=wanted.low)


def _worst(wanted: Wanted, price: Price) -> Decimal:
    return worst_usd(wanted.prompt_tokens, wanted.completion_tokens, dearest_rates(price))


def _admit(session: Session, target: Target) -> Admission | None:
    if not is_routed(session.state) or session.version.planner == NULL:
        return None
    return breakers.admit(target)


def _reserve(
    session: Session, wanted: Wanted, price: Price, target: Target, admission: Admission | None
) -> Reservation | Shortfall:
    """Return the reservation at this model's own rates; an admission that is of no use then is given back."""
    plan = plan_call(session, wanted.prompt_tokens, wanted.completion_tokens, dearest_rates(price))
    if isinstance(plan, Shortfall) and admission is not None:
        breakers.give_back(target, admission)
    return plan


def _is_affordable(session: Session, wanted: Wanted, price: Price) -> bool:
    """Whether the run's own limits leave room for the call at this price; nothing is drawn for it."""
    plan = plan_reservation(
        session.state, prompt_tokens=wanted.prompt_tokens, completion_tokens=wanted.completion_tokens,
        rates=dearest_rates(price), now=session.now,
    )  # fmt: skip
    return not isinstance(plan, Shortfall)

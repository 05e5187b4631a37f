"""Tables in few words."""

from __future__ import annotations

from tools.decisions.feel.values import FeelType
from tools.decisions.tables import Aggregation, HitPolicy, Input, Output, Rule, Table, Variable

NUMBER, STRING, BOOLEAN = FeelType.NUMBER, FeelType.STRING, FeelType.BOOLEAN


def table(
    *rows: tuple[str, str],
    policy: HitPolicy = HitPolicy.UNIQUE,
    aggregation: Aggregation | None = None,
    values: str = "",
    default: str = "",
    allowed: str = "",
    kind: FeelType = NUMBER,
    result: FeelType = FeelType.ANY,
) -> Table:
    """Return a table over ``x`` with one output; a row is a cell and a result."""
    return Table(
        inputs=(Input("x", kind, allowed),),
        outputs=(Output("", result, values, default),),
        rules=tuple(Rule(f"r{number}", (when,), (then,)) for number, (when, then) in enumerate(rows, 1)),
        hit_policy=policy,
        aggregation=aggregation,
    )


def refund_table() -> Table:
    """Return twenty rules over an amount, a category and a flag, of which one applies."""
    rules = [
        Rule(
            f"r{number}",
            (f"[{number * 5}..{number * 5 + 5})", category, flag),
            (f'"tier {number}"', str(number)),
        )
        for number in range(10)
        for category, flag in (('"books", "games"', "-"), ('not("books", "games")', "true"))
    ]
    return Table(
        inputs=(Input("amount", NUMBER, "[0..100]"), Input("category", STRING), Input("is member", BOOLEAN)),
        outputs=(Output("tier", STRING), Output("rate", NUMBER)),
        rules=tuple(Rule(f"{each.id}-{at}", each.tests, each.outputs) for at, each in enumerate(rules)),
    )


def variables(**kinds: FeelType) -> tuple[Variable, ...]:
    """Return variables by name; an underscore stands for a space."""
    return tuple(Variable(name.replace("_", " "), kind) for name, kind in kinds.items())

"""Resources and prompts as tools: names that are told apart, templates that lead nowhere else."""

from __future__ import annotations

import re
import time

import mcp_types as types
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.adapters.mcp.definitions import find_faults
from tools.adapters.mcp.readable import (
    describe_prompt,
    describe_resource,
    describe_template,
    expand,
    find_template_faults,
    match,
    split_name,
)

TEMPLATE = "shop://orders/{order}/lines/{line}"


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("refund", ("tool", "refund")),
        ("resource:shop://orders", ("resource", "shop://orders")),
        ("template:a://{b}", ("template", "a://{b}")),
        ("prompt:greet", ("prompt", "greet")),
        ("other:greet", ("tool", "other:greet")),
        ("prompt", ("tool", "prompt")),
    ],
)
def test_a_name_says_what_it_is_of(name: str, split: tuple[str, str]) -> None:
    assert split_name(name) == split


def test_each_is_described_as_a_tool_that_reads() -> None:
    argument = types.PromptArgument(name="city", description="Which.", required=True)
    prompt = describe_prompt(
        types.Prompt(name="plan", arguments=[argument, types.PromptArgument(name="day")])
    )
    resource = describe_resource(types.Resource(uri="shop://terms", name="terms", title="Our terms"))
    template = describe_template(
        types.ResourceTemplate(uri_template=TEMPLATE, name="line", description="A line.")
    )
    assert (prompt.name, prompt.description) == ("prompt:plan", "The prompt plan.")
    assert (prompt.input_schema["required"], set(prompt.input_schema["properties"])) == (
        ["city"],
        {"city", "day"},
    )
    assert (resource.description, resource.input_schema["properties"]) == ("Our terms", {})
    assert template.input_schema["required"] == ["order", "line"]
    for each in (prompt, resource, template):
        assert find_faults(each) == []
        assert each.annotations == {"readOnlyHint": True}


# Through the schema: a value is not empty, and no row of dots.
VALUES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30).filter(lambda text: text.strip("."))


@given(VALUES, VALUES)
def test_no_value_leads_out_of_its_place(order: str, line: str) -> None:
    address = expand(TEMPLATE, {"order": order, "line": line})
    assert re.fullmatch(r"shop://orders/[^/?#\s]+/lines/[^/?#\s]+", address)
    assert match(TEMPLATE, address) == {"order": order, "line": line}


def test_a_long_address_that_fits_nowhere_is_refused_at_once() -> None:
    """With variables side by side a pattern could try every way to part it: the work of days."""
    begun = time.process_time()
    for template in ("x://{a}-{b}-{c}-{d}-{e}", "x://{a}{b}{c}{d}{e}!"):
        assert match(template, "x://" + "-" * 20_000 + "/") is None
    assert time.process_time() - begun < 5


@pytest.mark.parametrize(
    ("template", "address", "values"),
    [
        ("a://{name}.{kind}", "a://b.c", {"name": "b", "kind": "c"}),
        ("a://{name}.{kind}", "a://b.c.d", {"name": "b", "kind": "c.d"}),
        ("a://{name}.txt", "a://b.txt.txt", {"name": "b.txt"}),
        ("a://{x}/{x}", "a://b/b", {"x": "b"}),
        ("a://{x}/{x}", "a://b/c", None),
        ("a://{x}{y}", "a://bcd", {"x": "b", "y": "cd"}),
    ],
)
def test_values_are_told_apart_from_the_left(
    template: str, address: str, values: dict[str, str] | None
) -> None:
    assert match(template, address) == values


@pytest.mark.parametrize(
    "address",
    ["shop://orders/1/lines/2/3", "shop://orders//lines/2", "evil://orders/1/lines/2", "shop://orders/1"],
)
def test_another_address_is_of_another_template(address: str) -> None:
    assert match(TEMPLATE, address) is None


@pytest.mark.parametrize("address", ["a://{+path}", "a://b{?q}", "a://{b*}", "a://{b", "a://{b:3}"])
def test_a_template_of_more_than_names_cannot_be_taken_over(address: str) -> None:
    assert find_template_faults(f"template:{address}")
    assert not find_template_faults(f"prompt:{address}")

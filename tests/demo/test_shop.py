"""The demo's shop: its rules, its schemas, and its promises about effects, over HTTP."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from agentops.demo.shop.app import build_app
from agentops.demo.shop.catalogue import TOOLS
from agentops.demo.shop.reads import READS
from agentops.demo.shop.seed import load_seed
from agentops.demo.shop.store import Store
from agentops.demo.shop.writes import WRITES
from agentops.demo.toolserver import MAX_BODY_BYTES, compile_schema
from tests.demo.servers import running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.types import ASGIApp, Receive, Scope, Send

    from agentops.demo.shop.seed import Kind

JsonObject = dict[str, Any]  # Any: JSON values
NAMES = [tool.name for tool in TOOLS]
FACTS = {tool.name: tool for tool in TOOLS}


class NewShop:
    """One server for the whole module, with a new shop behind it for every test: starting one takes 0.2 s."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[NewShop, httpx2.Client]]:
    new_shop = NewShop()
    with running(new_shop) as address, httpx2.Client(base_url=address) as client:
        yield new_shop, client


@pytest.fixture
def shop(served: tuple[NewShop, httpx2.Client]) -> httpx2.Client:
    new_shop, client = served
    new_shop.app = build_app(Store())
    return client


def call(shop: httpx2.Client, tool: str, arguments: JsonObject, **headers: str) -> httpx2.Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return shop.post(f"/tools/{tool}", json=arguments, headers=names)


def order(shop: httpx2.Client, order_id: str) -> JsonObject:
    answer: JsonObject = call(shop, "get_order", {"order_id": order_id}).json()["order"]
    return answer


def refused(answer: httpx2.Response, status: int, code: str) -> str:
    """Check that an answer is this problem and return its detail."""
    assert (answer.status_code, answer.json().get("code")) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["title"]
    return str(answer.json()["detail"])


# The catalogue and the seed data


def test_every_tool_is_catalogued_with_its_effect_class() -> None:
    reads = {tool.name for tool in TOOLS if tool.effect_class == "read"}
    assert reads == set(READS)
    assert set(NAMES) - reads == set(WRITES)
    assert FACTS["refund_payment"].effect_class == "irreversible"


@pytest.mark.parametrize("name", NAMES)
def test_example_call_succeeds_and_both_sides_fit_their_schemas(shop: httpx2.Client, name: str) -> None:
    facts = FACTS[name]
    compile_schema(facts.input_schema).validate(facts.example)
    answer = call(shop, name, facts.example)
    assert answer.status_code == 200, answer.text
    compile_schema(facts.output_schema).validate(answer.json())


@pytest.mark.parametrize("name", NAMES)
def test_schemas_are_closed_and_every_argument_is_described(name: str) -> None:
    facts = FACTS[name]
    assert facts.input_schema["additionalProperties"] is False
    assert facts.output_schema["additionalProperties"] is False
    for argument, schema in facts.input_schema["properties"].items():
        assert schema["description"], argument


@pytest.mark.parametrize("name", NAMES)
def test_statement_reads_as_one_sentence_about_the_arguments(name: str) -> None:
    statement = FACTS[name].statement.format(**FACTS[name].example)
    assert "{" not in statement
    assert "\n" not in statement


def test_refund_statement_says_what_for_how_much() -> None:
    facts = FACTS["refund_payment"]
    assert facts.statement.format(**facts.example) == "refund 129.90 USD for order A-1042 (damaged)"


def test_every_seeded_record_fits_the_schema_and_the_seed_never_changes(shop: httpx2.Client) -> None:
    seed = load_seed()
    assert seed == load_seed()
    assert {kind: len(records) for kind, records in seed.items()} == {
        "customers": 12,
        "products": 15,
        "orders": 30,
    }
    readers: list[tuple[str, str, Kind]] = [
        ("get_customer", "customer_id", "customers"),
        ("get_product", "product_id", "products"),
        ("get_order", "order_id", "orders"),
    ]
    for tool, argument, kind in readers:
        validator = compile_schema(FACTS[tool].output_schema)
        for record_id in seed[kind]:
            validator.validate(call(shop, tool, {argument: record_id}).json())


# Reads


@pytest.mark.parametrize(
    "arguments",
    [
        {"email": "ann.lee@example.com"},
        {"email": "ANN.LEE@example.com"},
        {"name": "ann lee", "postcode": "97201"},
        {"email": "ann.lee@example.com", "name": "Ann Lee"},
    ],
)
def test_a_customer_is_found(shop: httpx2.Client, arguments: JsonObject) -> None:
    found = call(shop, "find_customer", arguments).json()["customers"]
    assert [each["id"] for each in found] == ["C-01"]


@pytest.mark.parametrize(
    "arguments",
    [
        {"email": "nobody@example.com"},
        {"name": "Ann Lee", "postcode": "00000"},
        {"email": "ann.lee@example.com", "name": "Bruno Costa"},
    ],
)
def test_nobody_found_is_an_empty_answer_and_no_error(shop: httpx2.Client, arguments: JsonObject) -> None:
    answer = call(shop, "find_customer", arguments)
    assert (answer.status_code, answer.json()) == (200, {"customers": []})


@pytest.mark.parametrize("arguments", [{}, {"name": "Ann Lee"}, {"postcode": "97201"}])
def test_a_name_alone_finds_nobody(shop: httpx2.Client, arguments: JsonObject) -> None:
    refused(call(shop, "find_customer", arguments), 422, "too_little_to_go_by")


def test_products_are_found_by_all_words_of_name_and_category(shop: httpx2.Client) -> None:
    def names(query: str) -> list[str]:
        return [each["name"] for each in call(shop, "search_products", {"query": query}).json()["products"]]

    assert names("KITCHEN coffee") == ["Pour-over coffee set", "Burr coffee grinder"]
    assert names("gooseneck") == ["Gooseneck kettle"]
    assert names("kettle bicycle") == []


def test_search_shows_the_lowest_price_and_whether_any_variant_is_there(shop: httpx2.Client) -> None:
    (kettle,) = call(shop, "search_products", {"query": "kettle"}).json()["products"]
    assert (kettle["from_price"], kettle["available"]) == ("129.90", True)


@pytest.mark.parametrize(
    ("tool", "arguments", "code"),
    [
        ("get_order", {"order_id": "A-9999"}, "unknown_order"),
        ("get_customer", {"customer_id": "C-99"}, "unknown_customer"),
        ("get_product", {"product_id": "P-999"}, "unknown_product"),
        ("cancel_order", {"order_id": "A-9999", "reason": "no_longer_needed"}, "unknown_order"),
    ],
)
def test_an_unknown_id_is_refused(shop: httpx2.Client, tool: str, arguments: JsonObject, code: str) -> None:
    assert "there is no" in refused(call(shop, tool, arguments), 422, code)


# Writes: what they do


def test_cancelling_returns_the_payment_and_the_goods(shop: httpx2.Client) -> None:
    def stock() -> int:
        product = call(shop, "get_product", {"product_id": "P-106"}).json()["product"]
        return int(product["variants"][0]["in_stock"])

    before = stock()
    answer = call(shop, "cancel_order", {"order_id": "A-1052", "reason": "ordered_by_mistake"}).json()
    assert answer["cancellation"] == {
        "reason": "ordered_by_mistake",
        "refunded": "79.00",
        "payment_method": "Mastercard ending 3308",
    }
    assert order(shop, "A-1052") == answer["order"]
    assert answer["order"]["status"] == "cancelled"
    assert answer["order"]["payment"]["refunded"] == "79.00"
    assert stock() == before + 1


def test_a_new_address_is_for_this_order_only(shop: httpx2.Client) -> None:
    example = FACTS["modify_order_address"].example
    answer = call(shop, "modify_order_address", example).json()
    assert answer["order"]["address"] == {name: example[name] for name in example if name != "order_id"}
    assert answer["previous_address"]["city"] == "Sacramento"
    assert order(shop, "A-1051")["address"]["city"] == "Davis"
    customer = call(shop, "get_customer", {"customer_id": "C-02"}).json()["customer"]
    assert customer["address"]["city"] == "Sacramento"


def test_a_return_says_what_will_be_refunded_and_moves_no_money(shop: httpx2.Client) -> None:
    answer = call(shop, "return_items", FACTS["return_items"].example).json()
    assert answer["return"]["expected_refund"] == "29.80"
    assert answer["order"]["status"] == "return_requested"
    assert answer["order"]["payment"]["refunded"] == "0.00"


def test_an_exchange_sends_the_new_variant_and_tells_the_difference(shop: httpx2.Client) -> None:
    items = [{"sku": "LAMP-WHITE", "new_sku": "LAMP-BRASS", "quantity": 2}]
    answer = call(shop, "exchange_items", {"order_id": "A-1039", "items": items}).json()
    assert answer["exchange"]["price_difference"] == "38.00"
    product = call(shop, "get_product", {"product_id": "P-106"}).json()["product"]
    assert product["variants"][1]["in_stock"] == 2


def test_refunds_add_up_to_the_payment_and_no_further(shop: httpx2.Client) -> None:
    def refund(amount: str) -> httpx2.Response:
        return call(shop, "refund_payment", {"order_id": "A-1042", "amount": amount, "reason": "damaged"})

    assert refund("129.90").json()["refund"]["payment_method"] == "Visa ending 9212"
    assert refund("29.80").json()["order"]["payment"]["refunded"] == "159.70"
    assert "0.00 USD left" in refused(refund("0.01"), 409, "refund_exceeds_payment")


# Writes: what is refused


@pytest.mark.parametrize(
    ("tool", "arguments", "status", "code"),
    [
        ("cancel_order", {"order_id": "A-1046", "reason": "no_longer_needed"}, 409, "order_not_pending"),
        ("cancel_order", {"order_id": "A-1033", "reason": "no_longer_needed"}, 409, "order_not_pending"),
        (
            "modify_order_address",
            {**FACTS["modify_order_address"].example, "order_id": "A-1046"},
            409,
            "order_not_pending",
        ),
        (
            "return_items",
            {
                "order_id": "A-1051",
                "items": [{"sku": "BLANKET-GREY", "quantity": 1}],
                "reason": "damaged",
            },
            409,
            "order_not_delivered",
        ),
        (
            "return_items",
            {"order_id": "A-1043", "items": [{"sku": "MUG-SAND", "quantity": 7}], "reason": "damaged"},
            422,
            "item_not_in_order",
        ),
        (
            "return_items",
            {"order_id": "A-1043", "items": [{"sku": "PAN-24", "quantity": 1}], "reason": "damaged"},
            422,
            "item_not_in_order",
        ),
        (
            "return_items",
            {"order_id": "A-1043", "items": [{"sku": "MUG-SAND", "quantity": 4}] * 2, "reason": "damaged"},
            422,
            "item_named_twice",
        ),
        (
            "exchange_items",
            {"order_id": "A-1038", "items": [{"sku": "JACKET-M", "new_sku": "PAN-24", "quantity": 1}]},
            422,
            "not_a_variant",
        ),
        (
            "exchange_items",
            {
                "order_id": "A-1032",
                "items": [{"sku": "KEYBOARD-QUIET", "new_sku": "KEYBOARD-CLICKY", "quantity": 1}],
            },
            409,
            "out_of_stock",
        ),
        (
            "refund_payment",
            {"order_id": "A-1051", "amount": "5.00", "reason": "goodwill"},
            409,
            "order_pending",
        ),
        (
            "refund_payment",
            {"order_id": "A-1036", "amount": "39.91", "reason": "goodwill"},
            409,
            "refund_exceeds_payment",
        ),
        (
            "refund_payment",
            {"order_id": "A-1033", "amount": "0.01", "reason": "goodwill"},
            409,
            "refund_exceeds_payment",
        ),
        (
            "refund_payment",
            {"order_id": "A-1042", "amount": "0.00", "reason": "damaged"},
            422,
            "nothing_to_refund",
        ),
    ],
)
def test_the_shop_refuses(
    shop: httpx2.Client, tool: str, arguments: JsonObject, status: int, code: str
) -> None:
    before = order(shop, arguments["order_id"])
    refused(call(shop, tool, arguments, idempotency_key="refused"), status, code)
    assert order(shop, arguments["order_id"]) == before
    assert shop.get("/effects/refused").status_code == 404


def test_a_return_is_asked_for_once(shop: httpx2.Client) -> None:
    call(shop, "return_items", FACTS["return_items"].example)
    refused(call(shop, "return_items", FACTS["return_items"].example), 409, "order_not_delivered")


def test_a_refused_exchange_leaves_the_stock_of_its_other_items_alone(shop: httpx2.Client) -> None:
    items = [
        {"sku": "NOTEBOOK-A5", "new_sku": "NOTEBOOK-A4", "quantity": 4},
        {"sku": "KEYBOARD-QUIET", "new_sku": "KEYBOARD-CLICKY", "quantity": 1},
    ]
    refused(call(shop, "exchange_items", {"order_id": "A-1032", "items": items}), 409, "out_of_stock")
    notebook = call(shop, "get_product", {"product_id": "P-115"}).json()["product"]
    assert notebook["variants"][1]["in_stock"] == 120


# Idempotency


REFUND: JsonObject = {"order_id": "A-1042", "amount": "50.00", "reason": "damaged"}


def test_the_same_key_replays_the_stored_answer(shop: httpx2.Client) -> None:
    first = call(shop, "refund_payment", REFUND, idempotency_key="run-1:3:refund")
    second = call(shop, "refund_payment", REFUND, idempotency_key='"run-1:3:refund"')
    assert first.json() == second.json()
    assert "idempotent-replay" not in first.headers
    assert second.headers["idempotent-replay"] == "true"
    assert order(shop, "A-1042")["payment"]["refunded"] == "50.00"
    assert shop.get("/effects/run-1:3:refund").json() == first.json()


def test_without_a_key_every_call_is_a_new_effect(shop: httpx2.Client) -> None:
    call(shop, "refund_payment", REFUND)
    call(shop, "refund_payment", REFUND)
    assert order(shop, "A-1042")["payment"]["refunded"] == "100.00"
    assert [each["key"] for each in shop.get("/effects").json()["effects"]] == [None, None]


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("refund_payment", {**REFUND, "amount": "50.01"}),
        ("cancel_order", {"order_id": "A-1052", "reason": "ordered_by_mistake"}),
    ],
)
def test_a_key_used_for_another_call_is_refused(
    shop: httpx2.Client, tool: str, arguments: JsonObject
) -> None:
    call(shop, "refund_payment", REFUND, idempotency_key="k")
    refused(call(shop, tool, arguments, idempotency_key="k"), 422, "idempotency_key_reused")
    assert len(shop.get("/effects").json()["effects"]) == 1


def test_a_key_is_free_again_after_a_refusal(shop: httpx2.Client) -> None:
    too_much = {**REFUND, "amount": "500.00"}
    refused(call(shop, "refund_payment", too_much, idempotency_key="k"), 409, "refund_exceeds_payment")
    assert call(shop, "refund_payment", REFUND, idempotency_key="k").status_code == 200


@pytest.mark.parametrize("key", ["", '""', "k" * 256])
def test_a_key_must_have_a_sensible_length(shop: httpx2.Client, key: str) -> None:
    refused(call(shop, "refund_payment", REFUND, idempotency_key=key), 400, "invalid_idempotency_key")


def test_effects_name_the_end_user_and_the_trace(shop: httpx2.Client) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    call(shop, "refund_payment", REFUND, idempotency_key="k", x_principal="demo|ann", traceparent=trace)
    (effect,) = shop.get("/effects").json()["effects"]
    assert (effect["principal"], effect["traceparent"], effect["key"]) == ("demo|ann", trace, "k")
    assert (effect["tool"], effect["arguments"]) == ("refund_payment", REFUND)


def test_reads_are_no_effects(shop: httpx2.Client) -> None:
    call(shop, "get_order", {"order_id": "A-1042"}, idempotency_key="k")
    assert shop.get("/effects").json() == {"effects": []}


# Bad input


@pytest.mark.parametrize(
    "arguments",
    [
        {"order_id": "A-1042", "amount": 50, "reason": "damaged"},
        {"order_id": "A-1042", "amount": "50", "reason": "damaged"},
        {"order_id": "A-1042", "amount": "-5.00", "reason": "damaged"},
        {"order_id": "A-1042", "amount": "50.00\n", "reason": "damaged"},
        {"order_id": "A-1042", "amount": "50.00", "reason": "because"},
        {"order_id": "A-1042", "amount": "50.00"},
        {"order_id": "A-1042", "amount": "50.00", "reason": "damaged", "to": "me"},
        {"order_id": "#A-1042", "amount": "50.00", "reason": "damaged"},
    ],
)
def test_invalid_arguments_are_refused(shop: httpx2.Client, arguments: JsonObject) -> None:
    refused(call(shop, "refund_payment", arguments), 422, "invalid_arguments")


def test_the_place_of_an_invalid_argument_is_named(shop: httpx2.Client) -> None:
    answer = call(shop, "find_customer", {"email": "not an address"})
    assert refused(answer, 422, "invalid_arguments").startswith("email: ")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'"text"', b'{"a": NaN}', b'{"a": "\\ud800"}', b"\xff", b"[" * 60_000],
    ids=["nothing", "cut", "list", "text", "nan", "surrogate", "not utf-8", "deep"],
)
def test_a_body_that_is_no_json_object_is_400(shop: httpx2.Client, body: bytes) -> None:
    refused(shop.post("/tools/get_order", content=body), 400, "invalid_json")


def test_an_oversized_body_is_413(shop: httpx2.Client) -> None:
    body = b" " * (MAX_BODY_BYTES + 1)
    refused(shop.post("/tools/get_order", content=body), 413, "body_too_large")


def test_unknown_paths_and_methods_are_problems_too(shop: httpx2.Client) -> None:
    refused(call(shop, "delete_customer", {}), 404, "unknown_tool")
    refused(shop.get("/tools/get_order"), 405, "method_not_allowed")
    refused(shop.get("/nowhere"), 404, "not_found")
    refused(shop.get("/effects/never"), 404, "no_such_effect")


# The process


def start_shop(*options: str) -> tuple[subprocess.Popen[str], str]:
    argv = [sys.executable, "-m", "agentops.demo.shop", "--port", "0", *options]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline().split()[-1]


def test_effects_survive_kill_9_with_a_state_file(tmp_path: Path) -> None:
    state = str(tmp_path / "shop.sqlite3")
    process, address = start_shop("--state", state)
    try:
        with httpx2.Client(base_url=address) as client:
            answer = call(client, "refund_payment", REFUND, idempotency_key="k").json()
    finally:
        process.kill()
        process.communicate()
    process, address = start_shop("--state", state)
    try:
        with httpx2.Client(base_url=address) as client:
            replay = call(client, "refund_payment", REFUND, idempotency_key="k")
            assert replay.json() == answer
            assert replay.headers["idempotent-replay"] == "true"
            assert order(client, "A-1042")["payment"]["refunded"] == "50.00"
            assert client.get("/healthz").json() == {"status": "ok"}
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)


@pytest.mark.parametrize("options", [["--port", "70000"], ["--port", "x"]])
def test_a_port_that_is_none_is_refused(options: list[str]) -> None:
    argv = [sys.executable, "-m", "agentops.demo.shop", *options]
    ended = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "is not a port" in ended.stderr


def test_a_state_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database " * 100)
    argv = [sys.executable, "-m", "agentops.demo.shop", "--state", str(path)]
    ended = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "cannot use" in ended.stderr


def test_a_taken_port_is_named() -> None:
    process, address = start_shop()
    try:
        port = address.rsplit(":", 1)[1]
        argv = [sys.executable, "-m", "agentops.demo.shop", "--port", port]
        ended = subprocess.run(argv, capture_output=True, text=True, check=False)
    finally:
        process.kill()
        process.communicate()
    assert ended.returncode == 1
    assert port in ended.stderr

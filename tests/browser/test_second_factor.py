"""The second factor where the demo waives nothing: coming in for the first time, and deciding later."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Open
from tests.browser.platform import LAMP, Demo, Person, decode_secret
from tests.browser.test_story import open_request, request_page
from tests.browser.visitor import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.slow]

AGE_SESSIONS = """
from importlib import import_module
from django.conf import settings
from django.contrib.sessions.models import Session
store = import_module(settings.SESSION_ENGINE).SessionStore
for row in Session.objects.all():
    session = store(row.session_key)
    if "second_factor_at" in session:
        session["second_factor_at"] -= 3600
        session.save()
"""


# A code that was ahead has the device's idea of the time drift along, and that of the present is too old soon after.
FORGIVE = (
    "from django_otp.plugins.otp_totp.models import TOTPDevice as D; "
    "D.objects.update(last_t=-1, drift=0, throttling_failure_count=0, throttling_failure_timestamp=None)"
)
FORGET = "from django_otp_webauthn.models import WebAuthnCredential as K; K.objects.all().delete()"
# No other journey asks for as much.
KEY_FROM = """
from decimal import Decimal
from approvals.governing import Ruling, set_approval_rule
from identities.models import Team, User
from tools.models import Tool
much = Decimal(159)
ruling = Ruling("Much money", ({"needed": 1},), tool=Tool.objects.get(name="refund_payment").pk, min_amount=much,
                currency="USD", factor="key")
ada = User.objects.get(username="ada")
set_approval_rule(actor=ada, team=Team.objects.get(slug="support"), place=50, ruling=ruling)
"""
SIGNED = """
from agentops.ledger.models import Entry
assert "signature" in Entry.objects.filter(kind="approval.decided").latest("at").facts
"""


def test_a_password_alone_does_not_let_in(demo: Demo, visit: Open) -> None:
    window = visit(url=demo.strict_url)
    window.sign_in(demo.people["oscar"])
    window.sees("Enter the code from your authenticator app")


def test_a_newcomer_sets_up_a_device_with_a_one_time_code(demo: Demo, visit: Open) -> None:
    vera = demo.people["vera"]
    demo.manage("addstatictoken", "-t", "newcomer", vera.name)
    window = visit(url=demo.strict_url)
    window.sign_in(vera, code="newcomer")
    window.sees("Scan this picture")
    window.go("/admin/runs/run/")
    window.sees("Scan this picture")
    assert window.page.locator(".qr svg path").count() == 1
    window.page.locator("summary", has_text="No camera").click()
    secret = window.page.locator("details code").inner_text().replace(" ", "")
    window.page.fill("#code", Person(vera.name, "", decode_secret(secret)).code())
    window.page.click("button.primary")
    window.sees("waiting for a decision")


KEY = {
    "protocol": "ctap2", "transport": "usb", "hasUserVerification": True, "isUserVerified": True,
    "automaticPresenceSimulation": True,
}  # fmt: skip


ITEMS_SIGNED = """
from agentops.ledger.models import Entry
facts = Entry.objects.filter(kind="approval.decided").latest("at").facts
assert facts["signature"]["about"].endswith(":approve=1;deny=2")
"""


def sign_items(demo: Demo, window: Visitor) -> None:
    """Decide about a change set with the key, for which the page writes down what is signed."""
    demo.start_run(LAMP, "bruno.costa@example.com", mode="propose")
    row = window.page.locator("#waiting a").first
    for _ in range(60):
        window.go("/admin/runs/changeset/")
        if row.count():
            break
        window.page.wait_for_timeout(500)
    demo.manage("shell", "-c", AGE_SESSIONS)
    row.click()
    window.page.check("[name=item-1][value=approve]")
    window.page.check("[name=item-2][value=deny]")
    window.page.fill("#reason", "The lamp stays.")
    window.page.click("[data-verdict=items]")
    window.sees("You decided about 2 items.")
    demo.manage("shell", "-c", ITEMS_SIGNED)


def test_a_security_key_is_added_signs_in_and_signs_a_decision(demo: Demo, visit: Open) -> None:
    fiona = demo.people["fiona"]
    named = demo.strict_url.replace("127.0.0.1", "localhost")  # browsers know no keys at bare addresses
    window = visit(url=named)
    devtools = window.context.new_cdp_session(window.page)
    devtools.send("WebAuthn.enable")
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": KEY})
    demo.manage("shell", "-c", FORGIVE)
    window.sign_in(fiona, code=fiona.code(ahead=1))
    window.sees("waiting for a decision")
    window.go("/admin/second-factor/")
    window.page.fill("#key-name", "blue key")
    window.page.get_by_role("button", name="Add a key").click()
    window.sees("blue key")

    window.context.clear_cookies()
    window.sign_in(fiona)
    window.page.get_by_role("button", name="Use your security key").click()
    window.sees("waiting for a decision")

    # The window is fresh, and a rule asks for a signature about just this: no earlier proof stands in for it.
    demo.manage("shell", "-c", KEY_FROM)
    run, subject = demo.ask_refund("A-1033")
    asked = request_page(demo.await_request(run))
    keyless = visit("fiona")
    keyless.go(asked)
    keyless.sees("you have none that counts at this address")
    assert keyless.page.locator("[data-verdict=approve]").is_disabled()
    open_request(window, subject)
    window.sees("asks for your security key: it signs just this")
    assert not window.page.locator("#code").count()
    window.page.fill("#reason", "No photo.")
    window.page.click("[data-verdict=deny]")
    window.sees("You denied this")
    demo.manage("shell", "-c", SIGNED)
    sign_items(demo, window)

    window.go("/admin/identities/apikey/add/")
    demo.manage("shell", "-c", AGE_SESSIONS)
    window.page.fill("[name=label]", "laptop")
    window.page.click("button[type=submit].primary")
    window.page.get_by_role("button", name="Use your security key and go on").click()
    window.sees("aok_")
    demo.manage("shell", "-c", f"{FORGIVE}; {FORGET}")


def test_a_refund_is_approved_with_a_fresh_code_in_place(demo: Demo, visit: Open) -> None:
    fiona, before = demo.people["fiona"], len(demo.effects())
    _, subject = demo.ask_refund("A-1035")
    window = visit(url=demo.strict_url)
    demo.manage("shell", "-c", FORGIVE)  # a code counts once, and another test may have used this period's
    window.sign_in(fiona, code=fiona.code())
    window.sees("waiting for a decision")
    demo.manage("shell", "-c", AGE_SESSIONS)
    open_request(window, subject)
    window.page.fill("#reason", "The photo shows it.")
    window.page.fill("#code", "000000")
    window.page.click("[data-verdict=approve]")
    window.sees("That code is not right")
    demo.manage("shell", "-c", FORGIVE)
    assert window.page.input_value("#reason") == "The photo shows it."
    assert len(demo.effects()) == before
    window.page.fill("#code", fiona.code(ahead=1))
    window.page.keyboard.press("Enter")  # nothing was chosen by key: the focus goes to a button, no more
    window.sees("That code is not right")
    window.page.click("[data-verdict=approve]")
    window.sees("You approved this")
    demo.await_effects(before + 1)

"""The demo company: its document applied, its people able to sign in, its application able to call.

Everything secret here is random per installation: passwords are derived from SECRET_KEY, so that loading the
demo twice gives the same ones.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django_otp.plugins.otp_totp.models import TOTPDevice

import agentops.demo
from agentops.runtime.application import SCRIPTED_KEY
from identities.changes import seconded
from identities.models import ApiKey, Application, User
from identities.services import (
    authenticate,
    create_first_superuser,
    create_person,
    issue_api_key,
    revoke_api_key,
    set_password,
)
from runs.planner.prices import Price
from runs.pricing import RATES, set_price
from runs.provisioning.document import apply_document
from runs.provisioning.money import public_price, stated_price
from runs.provisioning.plan import Plan

DOCUMENT = Path(agentops.demo.__file__).with_name("company.yaml")
ADMINISTRATOR, SECOND = "ada", "grace"
ROLES = {
    ADMINISTRATOR: "sets everything up",
    SECOND: "administrator too: activates what ada proposes",
    "fiona": "finance: approves cancellations, returns, exchanges and refunds",
    "oscar": "owns and operates the agent",
    "vera": "audits, changes nothing",
}
DEFAULT_MODEL = "gpt-5-mini"
KEY_LABEL = "demo"


@transaction.atomic
def load_company(environment: Mapping[str, str], known_sign_in: str) -> tuple[Plan, str]:
    """Set the company up; return what changed and how to sign in.

    ``known_sign_in`` is what was returned the last time: the API key in it is kept while it works.
    """
    passwords = {username: derive_password(username) for username in ROLES}
    actor = _administrator(passwords[ADMINISTRATOR])
    second = _second_administrator(actor, passwords[SECOND])
    variables = {f"APPLY_PASSWORD_{name.upper()}": password for name, password in passwords.items()}
    if environment.get("DEMO_SHOP_URL"):
        variables["DEMO_SHOP_URL"] = environment["DEMO_SHOP_URL"]
    model = real_model(environment)
    if model:
        variables["DEMO_MODEL"] = model
        with seconded(second):
            set_price(actor=actor, price=_price(model, environment))
    # Whoever loads the demo is this machine's operator, and stands for both administrators.
    plan = apply_document(actor=actor, second=second, text=DOCUMENT.read_text(), variables=variables)
    created = {
        change.name for change in plan.changes if change.action == "create" and change.kind == "person"
    }
    for username, password in passwords.items():
        if username not in created and password not in known_sign_in:
            _ensure_password(actor, username, password)
    lines = [_person_line(username, password) for username, password in passwords.items()]
    key = _application_key(actor, known_sign_in)
    return plan, _describe(lines, key)


def derive_password(username: str) -> str:
    """Return the password that this installation gives a person of the demo."""
    digest = hmac.new(settings.SECRET_KEY.encode(), f"demo password of {username}".encode(), hashlib.sha256)
    text = base64.b32encode(digest.digest()).decode().lower()
    return "-".join(text[start : start + 4] for start in range(0, 16, 4))


def real_model(environment: Mapping[str, str]) -> str | None:
    """Return the model to ask if there is a key for one; None where the scripted planner plays it."""
    if environment.get("OPENAI_API_KEY", SCRIPTED_KEY) in ("", SCRIPTED_KEY):
        return None
    return environment.get("OPENAI_MODEL") or DEFAULT_MODEL


def _price(model: str, environment: Mapping[str, str]) -> Price:
    """Return the rates that the environment states (a model of one's own), else the public ones."""
    stated = {name: environment.get(f"OPENAI_{name.upper()}", "") for name in RATES}
    if not stated["input_usd_per_mtok"] or not stated["output_usd_per_mtok"]:
        return public_price(model)
    version = hashlib.sha256(repr(sorted(stated.items())).encode()).hexdigest()[:12]
    return stated_price(model, f"environment {version}", stated)


def _administrator(password: str) -> User:
    """Return whoever sets the company up: the demo's administrator, made first in an empty installation."""
    superusers = User.objects.filter(kind="person", is_superuser=True, is_active=True)
    found = superusers.filter(username=ADMINISTRATOR).first() or superusers.order_by("date_joined").first()
    return found or create_first_superuser(username=ADMINISTRATOR, password=password)


def _second_administrator(actor: User, password: str) -> User:
    """Return the second person, without whom the first can set nothing up that loosens."""
    found = User.objects.filter(kind="person", username=SECOND).first()
    return found or create_person(actor=actor, username=SECOND, password=password, superuser=True)


def _ensure_password(actor: User, username: str, password: str) -> None:
    person = User.objects.get(kind="person", username=username)
    if not person.check_password(password):
        set_password(actor=actor, person=person, password=password)


def _person_line(username: str, password: str) -> str:
    person = User.objects.get(kind="person", username=username)
    device = TOTPDevice.objects.filter(user=person, confirmed=True).first()
    if device is None:
        device = TOTPDevice.objects.create(user=person, name="demo authenticator", confirmed=True)
    return f"  {username:<7}{password}   {ROLES[username]}\n         {device.config_url}"


def _application_key(actor: User, known_sign_in: str) -> str:
    application = Application.objects.get(slug="shop-app")
    account = application.service_account
    for candidate in re.findall(r"aok_\w+[\w-]*", known_sign_in):
        known = authenticate(candidate)
        if known is not None and known.user_id == account.pk:
            return str(candidate)
    for old in ApiKey.objects.filter(user=account, label=KEY_LABEL, revoked_at=None):
        revoke_api_key(actor=actor, key=old)
    _, plaintext = issue_api_key(actor=actor, user=account, label=KEY_LABEL)
    return plaintext


def _describe(people: list[str], key: str) -> str:
    lines = [
        "Sign in as (username, password, otpauth address for an authenticator app):",
        *people,
        "On this machine (127.0.0.1) the demo asks for no second factor.",
        "REST API of the shop's website, application shop-app:",
        f"  Authorization: Bearer {key}",
    ]
    return "\n".join(lines) + "\n"

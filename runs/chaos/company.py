"""``python -m runs.chaos.company``: set the campaign's company up and print the key that starts its runs."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import django

DOCUMENT = Path(__file__).with_name("company.yaml")


def set_up_company() -> str:
    """Apply the document (its ``APPLY_…_URL`` come from the environment); return an API key."""
    from identities.models import Application
    from identities.services import create_first_superuser, create_person, issue_api_key
    from runs.provisioning import apply_document

    administrator = create_first_superuser(username="administrator", password=secrets.token_urlsafe(24))
    second = create_person(actor=administrator, username="second", password=None, superuser=True)
    apply_document(actor=administrator, second=second, text=DOCUMENT.read_text())
    application = Application.objects.get(slug="chaos")
    _, key = issue_api_key(actor=administrator, user=application.service_account, label="campaign")
    return key


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    print(set_up_company())

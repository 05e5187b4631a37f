"""Suites of tools with users, documents of strangers, and attackers."""

from tests.attacks.suites import banking, mail

SUITES = (mail.SUITE, banking.SUITE)

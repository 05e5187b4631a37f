"""Six suites of tools with users, documents of strangers, and attackers."""

from tests.attacks.suites import banking, calendar, chat, files, mail, travel

SUITES = (mail.SUITE, calendar.SUITE, files.SUITE, chat.SUITE, banking.SUITE, travel.SUITE)

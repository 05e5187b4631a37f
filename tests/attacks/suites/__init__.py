"""Six suites of tools with users, documents of strangers, and attackers; and two that know no words of the defence."""

from tests.attacks.suites import banking, calendar, chat, files, letting, mail, staff, travel

SUITES = (mail.SUITE, calendar.SUITE, files.SUITE, chat.SUITE, banking.SUITE, travel.SUITE)
STRANGE = (staff.SUITE, letting.SUITE)

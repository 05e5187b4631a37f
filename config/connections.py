"""How every process connects to PostgreSQL: nothing that has vanished, and nobody who rests, is waited for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

# Of a host that vanishes without a word the kernel alone tells after two hours, and whoever waits for an answer
# waits as long. Milliseconds in the last, seconds in the others.
NOTICED = {
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


def connect_options(given: Mapping[str, Any], *, lease_s: float) -> dict[str, Any]:
    """Return libpq's options for a database; what its URL gives wins. Any: numbers and texts, as it takes them.

    The database ends transactions that rest for longer than a lease: their process is frozen or gone, or hangs,
    and the locks are in everybody's way. What takes long, but is at work, is not ended.
    """
    bound = f"-c idle_in_transaction_session_timeout={round(lease_s * 1000)}"
    # Options of a connection hide those of the environment; of two settings the later one counts.
    options = " ".join(filter(None, (bound, os.environ.get("PGOPTIONS"), given.get("options"))))
    return {**NOTICED, **given, "options": options}

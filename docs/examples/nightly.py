"""A cron job: hand last night's open returns to an agent, and wait for it and for the people who approve.

``0 3 * * * AGENTOPS_URL=… AGENTOPS_KEY=… python nightly.py returns.csv``; the columns are number, customer and text.
Started twice in a night it starts no run twice. Exits with 1 if a return was not dealt with.
"""

from __future__ import annotations

import csv
import os
import sys
from datetime import date
from pathlib import Path
from time import monotonic

from agentops.client import Client

PATIENCE_S = float(os.environ.get("PATIENCE_S", 4 * 3600))  # how long people may take to decide


def start(client: Client, row: dict[str, str]) -> str:
    """Start the run of one return, behind everything that is more urgent."""
    run = client.start_run(
        agent="support-desk",
        message=row["text"],
        principal={"issuer": "https://shop.example", "subject": row["customer"]},
        priority="low",
        idempotency_key=f"return-{row['number']}-{date.today()}",
    )
    return run["id"]


def report(client: Client, number: str, run: str, until: float) -> bool:
    """Wait for a run, and print and return how it went."""
    try:
        ended = client.wait(run, timeout_s=max(until - monotonic(), 0))
    except TimeoutError:
        asked = [action["type"] for action in client.get_run(run)["required_actions"]]
        print(f"{number}: still waits for {', '.join(asked) or 'its turn'}")
        return False
    print(f"{number}: {ended['state']}: {ended['answer'] or ended['summary']}")
    return ended["state"] == "completed"


def main() -> int:
    rows = csv.DictReader(Path(sys.argv[1]).read_text().splitlines())
    with Client(os.environ["AGENTOPS_URL"], os.environ["AGENTOPS_KEY"]) as client:
        runs = {row["number"]: start(client, row) for row in rows}
        until = monotonic() + PATIENCE_S
        done = [report(client, number, run, until) for number, run in runs.items()]
    return 0 if all(done) else 1


if __name__ == "__main__":
    sys.exit(main())

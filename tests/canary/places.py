"""Where the platform writes, as texts, and a search in them that sees through the usual disguises."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import redis


def find_hits(canary: str, places: Mapping[str, str]) -> list[str]:
    """Return the places in which a canary stands, in whatever form."""
    forms = forms_of(canary)
    return [name for name, text in places.items() if any(form in text for form in forms)]


def forms_of(canary: str) -> set[str]:
    """Return a canary as it is, percent-encoded, in hexadecimals, and in Base64 wherever it stands in that."""
    raw = canary.encode()
    forms = {canary, quote(canary, safe=""), raw.hex(), raw.hex().upper()}
    for before in range(3):
        digits = base64.b64encode(b"\0" * before + raw).decode().rstrip("=")
        forms.add(digits[4 if before else 0 : -2])
        forms.add(
            base64.urlsafe_b64encode(b"\0" * before + raw).decode().rstrip("=")[4 if before else 0 : -2]
        )
    return forms


def read_valkey(client: redis.Redis) -> str:
    """Return every key with its value, of whatever type that is."""
    return "\n".join(f"{key!r} {client.dump(key)!r}" for key in client.scan_iter(count=1000))


@contextmanager
def overheard(url: str) -> Iterator[list[str]]:
    """Collect every command that Valkey gets, tasks and their arguments among them."""
    commands: list[str] = []
    client = redis.Redis.from_url(url, socket_timeout=None)  # there may be nothing to hear for long
    monitor: Any = client.monitor()  # type: ignore[no-untyped-call]  # Any: redis-py does not type it
    with client, monitor:
        thread = threading.Thread(target=_listen, args=(monitor, commands), daemon=True)
        thread.start()
        yield commands
        client.echo(END)
        thread.join(20)


END = "the end of what is overheard"


def _listen(monitor: Any, commands: list[str]) -> None:  # Any: as above
    for command in monitor.listen():
        commands.append(str(command["command"]))
        if END in commands[-1]:
            return


def read_logs(directory: Path) -> dict[str, str]:
    """Return what each process wrote."""
    return {
        f"log {path.name}": path.read_text(errors="replace") for path in directory.iterdir() if path.is_file()
    }

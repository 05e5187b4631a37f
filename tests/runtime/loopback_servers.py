"""A PostgreSQL and a Valkey that listen on the loopback interface, as servers of one's own do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from agentops.runtime import postgres, valkey
from agentops.runtime.ports import LOOPBACK, accepts, free_ports
from agentops.runtime.services import Stack, temporary_stack


@contextmanager
def loopback_servers() -> Iterator[dict[str, str]]:
    """Run both in a directory that vanishes with them; provide the URLs that an operator would hand over."""
    with temporary_stack(durable=False) as stack:
        database, broker = free_ports(2)
        _start_postgres(stack, database)
        _start_valkey(stack, broker)
        yield {
            "DATABASE_URL": f"postgresql://{postgres.APPLICATION_ROLE}@{LOOPBACK}:{database}/{postgres.DATABASE}",
            "DATABASE_OWNER_URL": f"postgresql://{postgres.OWNER_ROLE}@{LOOPBACK}:{database}/{postgres.DATABASE}",
            "REDIS_URL": f"redis://{LOOPBACK}:{broker}/0",
        }


@contextmanager
def postgres_with_passwords() -> Iterator[tuple[int, str]]:
    """Run one that asks for passwords over TCP; provide its port, and a superuser's URL of its socket."""
    with temporary_stack(durable=False) as stack:
        (port,) = free_ports(1)
        _start_postgres(stack, port, host_method="scram-sha-256")
        url = stack.environment()["DATABASE_URL"].replace(postgres.APPLICATION_ROLE, postgres.SUPERUSER)
        yield port, f"{url}&port={port}"


def _start_postgres(stack: Stack, port: int, host_method: str = "trust") -> None:
    """Start the embedded server where programs of this machine reach it by TCP."""
    rules = stack.data / "pg_hba.conf"
    rules.write_text(f"local all all trust\nhost all all {LOOPBACK}/32 {host_method}\n")
    rules.chmod(0o644)  # PostgreSQL may run as another account
    listening = {"listen_addresses": LOOPBACK, "port": str(port), "hba_file": str(rules)}
    roles_argv = postgres.roles_argv
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(postgres, "OPTIONS", postgres.OPTIONS | listening)
        patch.setattr(postgres, "roles_argv", lambda place: [*roles_argv(place), "-p", str(port)])
        stack.start_postgres()


def _start_valkey(stack: Stack, port: int) -> None:
    options = ("--bind", LOOPBACK, "--port", str(port), "--dir", stack.data, "--save", "")
    process = stack.launch("valkey", [valkey.find_binary(), *options], env={})
    stack.wait_ready(partial(accepts, port), process)

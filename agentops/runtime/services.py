"""The stack: PostgreSQL, Valkey and the processes that use them, started together and gone together."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from agentops.runtime import postgres, valkey
from agentops.runtime.accounts import (
    CURRENT_ACCOUNT,
    Account,
    account_for_postgres,
    reachable_directory,
    socket_directory,
    substitute_directory,
)
from agentops.runtime.leftovers import stop_left_over
from agentops.runtime.local_keys import load_or_create_keys
from agentops.runtime.processes import LineSink, Process, StackError
from agentops.runtime.supervision import Supervisor

# Says where the cluster is when the account that runs PostgreSQL cannot walk to the data directory.
POSTGRES_HOME = "postgres-home"


class Stack(Supervisor):
    """PostgreSQL, Valkey and processes of the application over one data directory.

    ``durable`` keeps PostgreSQL's fsync and Valkey's append-only file on. Start only what you need:
    ``environment()`` names what has been started here, and everything else comes from ``os.environ``.
    Servers write to ``<data>/logs``; the application's processes do so too unless there is an ``output``.
    """

    def __init__(self, data: Path, *, durable: bool, output: LineSink | None = None) -> None:
        super().__init__(data)
        self.durable = durable
        self.variables: dict[str, str] = {}  # further ones, for every process of the application
        self._output = output
        self._postgres: postgres.PostgresPlace | None = None
        self._valkey_socket: Path | None = None
        self._valkey_process: Process | None = None
        self._throw_away: list[Path] = []

    def environment(self) -> dict[str, str]:
        """Return the variables that point Django, Celery and redis-py at what has been started so far."""
        environment = {"DJANGO_SETTINGS_MODULE": "config.settings", **load_or_create_keys(self.data)}
        if self._postgres:
            environment["DATABASE_URL"] = self._postgres.url(postgres.APPLICATION_ROLE)
            environment["DATABASE_OWNER_URL"] = self._postgres.url(postgres.OWNER_ROLE)
        if self._valkey_socket:
            environment["REDIS_URL"] = valkey.redis_url(self._valkey_socket)
            environment["BROKER_URL"] = valkey.broker_url(self._valkey_socket)
        return environment | self.variables

    def superuser_url(self) -> str:
        """Return the URL of the role that made the others; nothing but tests connects as it."""
        return self._started_postgres().url(postgres.SUPERUSER)

    def postgres_binaries(self) -> Path:
        """Return the directory with the programs that belong to the server, ``pg_dump`` and ``psql`` among them."""
        return self._started_postgres().binaries

    def _started_postgres(self) -> postgres.PostgresPlace:
        if self._postgres is None:
            raise StackError("PostgreSQL has not been started")
        return self._postgres

    def start_postgres(self) -> Process:
        """Start PostgreSQL with both roles and the database; create the cluster the first time."""
        place = self._place_postgres()
        if not place.cluster.exists():
            self._create_cluster(place)
        stop_left_over(place.cluster / "postmaster.pid", "postgres", signal.SIGINT)
        process = self.launch(
            "postgres",
            postgres.server_argv(place, durable=self.durable),
            env=_environment_without("PG"),
            # SIGINT is PostgreSQL's fast shutdown; SIGTERM would wait for every client to leave.
            stop_signal=signal.SIGINT,
            grace_s=20,
            account=place.account,
        )
        self.wait_ready(lambda: postgres.is_ready(place, process.pid), process)
        self.finish(self.launch("roles", postgres.roles_argv(place), env=_environment_without("PG")))
        self._postgres = place
        return process

    def start_valkey(self) -> Process:
        """Start Valkey, or start it again on the socket it had."""
        directory = self.data / "valkey"
        directory.mkdir(exist_ok=True)
        if self._valkey_socket is None:
            sockets = self._make_socket_directory(self.data / "valkey-socket", CURRENT_ACCOUNT)
            stop_left_over(directory / "valkey.pid", "valkey-server", signal.SIGTERM)
            self._valkey_socket = sockets / "valkey.sock"
        socket_path = self._valkey_socket
        socket_path.unlink(missing_ok=True)
        process = self.launch(
            "valkey",
            valkey.server_argv(socket_path, directory, durable=self.durable),
            env=_environment_without("REDIS"),
        )
        self.wait_ready(lambda: valkey.is_ready(socket_path), process)
        self._valkey_process = process
        return process

    def restart_valkey(self) -> Process:
        """Kill Valkey with SIGKILL and start it again on the same socket."""
        if self._valkey_process is None:
            raise StackError("Valkey has not been started")
        self.kill(self._valkey_process)
        return self.start_valkey()

    def migrate(self) -> None:
        """Bring the database up to date, as the role that owns it (manage.py sees to that)."""
        self.run("migrate", [sys.executable, "manage.py", "migrate", "--verbosity", "0"])

    def spawn(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        grace_s: float = 10,
    ) -> Process:
        """Start a process of the application, in the checkout, with ``env`` over the stack's variables.

        Call it from a thread that lives as long as the process, see ``processes.launch``.
        """
        variables = {**os.environ, **self.environment(), "PYTHONUNBUFFERED": "1", **(env or {})}
        return self.launch(
            name, argv, env=variables, stop_signal=stop_signal, grace_s=grace_s, output=self._output
        )

    def run(self, name: str, argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None) -> None:
        """Run a process of the application to its end; raise StackError unless it exits with 0."""
        self.finish(self.spawn(name, argv, env=env))

    def close(self) -> None:
        """Stop everything and remove the directories that were only made for this stack."""
        super().close()
        for directory in self._throw_away:
            shutil.rmtree(directory, ignore_errors=True)

    def remove_at_end(self, directory: Path) -> None:
        """Have a directory removed when the stack ends, in whatever way."""
        self._throw_away.append(directory)
        self._guardian.remove_directory(directory)

    def _place_postgres(self) -> postgres.PostgresPlace:
        account = account_for_postgres()
        home = reachable_directory(self.data, account)
        if home != self.data:
            self._adopt_home(home)
        sockets = self._make_socket_directory(home / "pg-socket", account)
        return postgres.PostgresPlace(postgres.find_binaries(account), home / "pg18", sockets, account)

    def _adopt_home(self, home: Path) -> None:
        if self.data in self._throw_away:
            self.remove_at_end(home)
            return
        pointer = self.data / POSTGRES_HOME
        if not pointer.exists():
            # A new data directory: what lies there belonged to one that has been deleted since.
            shutil.rmtree(home)
            substitute_directory(self.data)
            pointer.write_text(f"{home}\n")

    def _create_cluster(self, place: postgres.PostgresPlace) -> None:
        unfinished = postgres.prepare_new_cluster(place)
        argv = postgres.initdb_argv(place, unfinished, durable=self.durable)
        self.finish(self.launch("initdb", argv, env=_environment_without("PG"), account=place.account))
        unfinished.rename(place.cluster)

    def _make_socket_directory(self, wanted: Path, account: Account) -> Path:
        directory = socket_directory(wanted, account)
        if directory != wanted:
            self.remove_at_end(directory)
        return directory


@contextmanager
def temporary_stack(*, durable: bool, output: LineSink | None = None) -> Iterator[Stack]:
    """Provide a stack whose data directory vanishes with it, even when this process is killed."""
    directory = Path(tempfile.mkdtemp(prefix="agentops-"))
    directory.chmod(0o711)  # the account that runs PostgreSQL has to walk through; files in it stay private
    with Stack(directory, durable=durable, output=output) as stack:
        stack.remove_at_end(directory)
        yield stack


def _environment_without(prefix: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(prefix)}

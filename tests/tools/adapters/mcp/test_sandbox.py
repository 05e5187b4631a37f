"""A server in its sandbox, which tries to get out: to files, secrets, the network, other processes, a longer life."""

from __future__ import annotations

import json
import os
import socket
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from agentops.errors import AdapterError
from tests.tools.adapters.mcp.calls import SERVER
from tests.tools.adapters.mcp.test_started import (
    COMMANDS,
    NEEDS_ROOM,
    SHOP,
    call_started,
    change_launcher,
    digests,
    find_processes,
    is_gone,
    place,
    worker_waiting,
)
from tools import sandbox
from tools.adapters.base import AdapterOptions
from tools.adapters.mcp import McpAdapter
from tools.adapters.mcp.config import Target
from tools.adapters.mcp.listing import ask_for_tools
from tools.commands import Command, parse_commands

__all__ = ["digests", "place"]  # fixtures

pytestmark = [pytest.mark.mcp, pytest.mark.slow]

REFUSED = {"FileNotFoundError", "PermissionError", "ProcessLookupError"}


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Provide a folder of ours with a secret in it, which nobody has named to the server."""
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "secret").write_text("canary")
    return folder


class Surroundings:
    """What a server could reach if nothing kept it: files, a port, a socket without a file, a process, a descriptor."""

    def __init__(self, elsewhere: Path) -> None:
        self.secret = elsewhere / "secret"
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.abstract = f"mcp-test-{os.getpid()}"
        self.unnamed = socket.socket(socket.AF_UNIX)
        self.unnamed.bind(f"\0{self.abstract}")
        self.unnamed.listen()
        self.handed_on = os.open(self.secret, os.O_RDONLY)
        os.set_inheritable(self.handed_on, True)
        # Its own pipes have the first three; whatever it opened itself lies below this one.
        self.descriptor = os.dup2(self.handed_on, 700)

    def close(self) -> None:
        for each in (self.listening, self.unnamed):
            each.close()
        for number in (self.handed_on, self.descriptor):
            os.close(number)

    def order(self) -> str:
        """Return what the server is told to try."""
        reads = [
            str(self.secret),
            "/etc/passwd",
            f"/proc/{os.getpid()}/environ",
            __file__,
            "/etc/ssl/certs/../../shadow",
        ]
        writes = [str(self.secret), "/usr/planted", "/planted", "/proc/self/comm", "own"]
        return json.dumps(
            {
                "reads": reads,
                "writes": writes,
                "port": self.listening.getsockname()[1],
                "abstract": self.abstract,
                "pid": os.getpid(),
                "descriptor": self.descriptor,
            }
        )


@pytest.fixture
def around(elsewhere: Path) -> Iterator[Surroundings]:
    made = Surroundings(elsewhere)
    yield made
    made.close()


def explore(digests: dict[str, str], around: Surroundings, told: object) -> dict[str, str]:
    """Let a server that is started like this try everything; return what each attempt came to."""
    adapter = McpAdapter(AdapterOptions(mcp_commands=(("tried", told),)))
    outcome = adapter.invoke(call_started(digests, "explore", around.order(), command="tried"), timeout_s=60)
    adapter.close()
    assert outcome.status == "succeeded", outcome
    value: Any = outcome.value
    return dict(value)


def done(told: Mapping[str, str]) -> set[str]:
    return {deed for deed, came_to in told.items() if came_to == "done"}


@NEEDS_ROOM
def test_a_server_gets_at_nothing_but_its_own_folder(digests: dict[str, str], around: Surroundings) -> None:
    told = explore(digests, around, SHOP)

    assert done(told) == {"write own"}, told
    assert told["kill"] == "ProcessLookupError", "it sees nobody's processes"
    assert around.secret.read_text() == "canary"


@NEEDS_ROOM
def test_a_declaration_opens_what_it_names_and_no_more(digests: dict[str, str], around: Surroundings) -> None:
    secret = str(around.secret)

    assert done(explore(digests, around, {"line": SHOP, "network": True})) == {
        "write own",
        "connect",
        "reach",
    }
    assert done(explore(digests, around, {"line": SHOP, "reads": [secret]})) == {
        "write own",
        f"read {secret}",
    }
    folder = str(around.secret.parent)
    assert done(explore(digests, around, {"line": SHOP, "writes": [folder]})) == {
        "write own", f"read {secret}", f"write {secret}",
    }  # fmt: skip
    around.secret.write_text("canary")


PIVOT = '    _ask("pivot_root", b".", b".")\n    _ask("umount2", b".", DETACH)\n'
NONE_WITHIN = '        Path("/proc/sys/user/max_user_namespaces").write_text("0")\n'
# Each guard taken away on its own: what the server can then do that it could not.
MUTANTS: list[tuple[str, str, str, set[str]]] = [
    ("network", 'flags if room["network"] else flags | NEW_NETWORK', "flags", {"connect", "reach"}),
    ("processes", "NEW_IPC | NEW_PID\n", "NEW_IPC\n", {"kill"}),
    (
        "files",
        '    _ask("pivot_root", b".", b".")\n    _ask("umount2", b".", DETACH)\n',
        "",
        {"read /etc/passwd"},
    ),
    ("programs", "NO_SUID | (READ_ONLY | NO_DEVICES if read_only else 0)", "NO_SUID", {"write /usr/planted"}),
    ("root", "REMOUNT | BIND | READ_ONLY", "REMOUNT | BIND", {"write /planted"}),
    (
        "nested",
        '        Path("/proc/sys/user/max_user_namespaces").write_text("0")\n',
        "        pass\n",
        {"namespaces"},
    ),
]


@NEEDS_ROOM
@pytest.mark.parametrize(
    ("line", "instead", "then"), [each[1:] for each in MUTANTS], ids=[each[0] for each in MUTANTS]
)
def test_each_guard_taken_away_is_seen(
    digests: dict[str, str],
    around: Surroundings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    line: str,
    instead: str,
    then: set[str],
) -> None:
    change_launcher(monkeypatch, tmp_path, line, instead)
    try:
        assert done(explore(digests, around, SHOP)) >= then
    finally:
        Path("/usr/planted").unlink(missing_ok=True)


def test_without_a_sandbox_it_gets_at_what_our_account_does(
    digests: dict[str, str], around: Surroundings
) -> None:
    """The mutant of all: what the tests above look for can be got."""
    told = explore(digests, around, COMMANDS["bare"])
    Path("/usr/planted").unlink(missing_ok=True)
    Path("/planted").unlink(missing_ok=True)
    around.secret.write_text("canary")
    assert done(told) >= {
        f"read {around.secret}",
        "read /etc/passwd",
        f"write {around.secret}",
        "connect",
        "reach",
    }


@NEEDS_ROOM
def test_whatever_it_leaves_behind_ends_with_its_worker(digests: dict[str, str], place: Path) -> None:
    noted = place / "escaped"
    with worker_waiting(digests, noted, "shop", "escape") as worker:
        assert len(find_processes(str(noted))) >= 1
        worker.kill()
        worker.wait()
    assert is_gone(str(noted))
    assert is_gone(f"--of={worker.pid}")


def test_without_a_sandbox_somebody_is_left(digests: dict[str, str], place: Path) -> None:
    noted = place / "at-large"
    with worker_waiting(digests, noted, "bare", "escape") as worker:
        worker.kill()
        worker.wait()
    assert is_gone(f"--of={worker.pid}")
    [left_behind] = find_processes(str(noted))
    os.kill(left_behind, 9)


@NEEDS_ROOM
def test_what_is_named_and_not_there_starts_nothing(digests: dict[str, str]) -> None:
    told = {"line": SHOP, "reads": ["/nowhere/at/all"]}
    adapter = McpAdapter(AdapterOptions(mcp_commands=(("tried", told),)))
    outcome = adapter.invoke(call_started(digests, "die", command="tried"), timeout_s=60)
    assert (outcome.status, outcome.code) == ("failed", "unreachable")


def test_where_the_kernel_refuses_nothing_is_started(
    digests: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kernel that refuses, by the launcher's own probe: it asks for a namespace that there is not."""
    change_launcher(
        monkeypatch,
        tmp_path,
        "NEW_USER, NEW_PID, NEW_NETWORK = 0x10000000",
        "NEW_USER, NEW_PID, NEW_NETWORK = 0x00000001",
    )
    sandbox.probe.cache_clear()
    try:
        tried = McpAdapter(AdapterOptions(mcp_commands=tuple(COMMANDS.items())))
        outcome = tried.invoke(call_started(digests, "die", command="shop"), timeout_s=60)
        assert (outcome.status, outcome.code) == ("failed", "no_sandbox")
        assert "(unshare: " in outcome.detail
        with pytest.raises(AdapterError, match="No sandbox can be made here"):
            ask_for_tools(Target(str(SERVER), command="shop"), [], parse_commands(COMMANDS), within_s=60)
        bare = tried.invoke(call_started(digests, "environment", command="bare"), timeout_s=60)
        assert bare.status == "succeeded", "its operator has said that it needs none"
    finally:
        sandbox.probe.cache_clear()


@pytest.mark.parametrize(
    "told",
    [
        "time", [], {}, {"line": []}, {"line": "time"}, {"line": ["time"], "net": True}, {"line": ["time", 7]},
        {"line": ["time"], "network": "yes"}, {"line": ["time"], "sandbox": 0}, {"line": ["time"], "reads": "/srv"},
        {"line": ["time"], "reads": ["srv"]}, {"line": ["time"], "writes": ["/"]},
        {"line": ["time"], "writes": ["/srv/../etc"]}, {"line": ["time"], "writes": ["/srv/"]}, {"line": ["a\0b"]},
    ],
)  # fmt: skip
def test_what_an_operator_cannot_mean_is_refused(told: object) -> None:
    with pytest.raises(ValueError, match="tried: "):
        parse_commands({"tried": told})


def test_a_sandbox_is_what_an_operator_gets_who_says_nothing() -> None:
    parsed = parse_commands({"short": ["time"], "long": {"line": ["time"]}})
    assert parsed["short"] == parsed["long"] == Command(("time",), network=False, sandbox=True)
    assert tempfile.gettempdir() not in sandbox.SYSTEM

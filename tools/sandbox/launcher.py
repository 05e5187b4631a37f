"""Becomes a server of tools: in a room of its own, and not for longer than who asked for it.

Run as a script by a bare interpreter, so it imports nothing of ours: PARENT ROOM, where ROOM is JSON::

    {"line": ["command", …], "home": "an empty folder", "sandbox": true, "network": false,
     "reads": ["/usr", …], "needs": ["/srv/data"], "writes": ["/srv/repository"]}

In a sandbox there are three processes: this one, which waits outside; the first one of a process namespace, with which
everything in it ends; and the server. Of the file system it sees what `reads`, `needs` and `writes` name, a folder in
memory, and nothing else; `reads` may be missing. Exit code 97: the kernel refused something, and nothing was started.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import select
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

REFUSED = 97
PR_SET_PDEATHSIG = 1  # Linux: sent when the thread that started us ends, hence when its process does
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 24, 38
NEW_MOUNTS, NEW_CGROUP, NEW_UTS, NEW_IPC = 0x00020000, 0x02000000, 0x04000000, 0x08000000
NEW_USER, NEW_PID, NEW_NETWORK = 0x10000000, 0x20000000, 0x40000000
READ_ONLY, NO_SUID, NO_DEVICES, NO_EXEC, BIND, RECURSIVE, PRIVATE = 1, 2, 4, 8, 4096, 16384, 1 << 18
REMOUNT, DETACH = 32, 2
MOUNT_SETATTR = 442  # the call's number, which is the same on every architecture since Linux 5.12
AT_FDCWD, AT_RECURSIVE = -100, 0x8000
OWN = "/tmp"  # noqa: S108  the room's alone
SOMEBODY = 1000  # who the server is inside: nobody's number there that it would mean anything outside
LARGEST_FILE, MOST_MEMORY, MOST_FILES, MOST_PROCESSES = 256 * 2**20, 4 * 2**30, 1024, 256
IN_MEMORY = "mode=0700,size=256m,nr_inodes=65536"

libc = ctypes.CDLL(None, use_errno=True)


def main(parent: str, told: str) -> None:
    """Replace this process by the command."""
    room: dict[str, Any] = json.loads(told)  # Any: JSON
    _die_with_parent()
    if os.getppid() != int(parent):  # it died before it could have told us
        sys.exit(1)
    home = room["home"]
    if room["sandbox"]:
        try:
            home = _enter(room)
        except OSError as error:
            print(f"{error.filename or 'sandbox'}: {error.strerror}", file=sys.stderr)
            sys.exit(REFUSED)
    os.chdir(home)
    if sys.platform == "linux":
        _give_up_rights()
    _set_limits(sandboxed=room["sandbox"])
    os.closerange(3, MOST_FILES)
    path = os.environ.get("PATH", os.defpath)
    environment = {"PATH": path, "HOME": home, "TMPDIR": home, "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"}
    os.execvpe(room["line"][0], room["line"], environment)


def _enter(room: dict[str, Any]) -> str:  # Any: JSON
    """Go into the room, in a process of its own; return the folder that it may write in. Raises OSError."""
    account, group, parent = os.geteuid(), os.getegid(), os.getppid()
    flags = NEW_USER | NEW_MOUNTS | NEW_CGROUP | NEW_UTS | NEW_IPC | NEW_PID
    _ask("unshare", flags if room["network"] else flags | NEW_NETWORK)
    for name, value in (("setgroups", "deny"), ("uid_map", f"{SOMEBODY} {account} 1"),
                        ("gid_map", f"{SOMEBODY} {group} 1")):  # fmt: skip
        Path("/proc/self", name).write_text(value)
    _die_with_parent()  # other rights: the kernel may have forgotten it
    if os.getppid() != parent:
        sys.exit(1)
    _fork_watched()
    _furnish(room)
    _fork_watched()
    return OWN


def _fork_watched() -> None:
    """Go on in a child that ends with this process; this one waits, buries who is left to it, and ends like it."""
    hears, tells = os.pipe()
    child = os.fork()
    if child:
        os.closerange(0, 2)  # the server's pipes end with the server
        os.close(hears)
        _wait_for(child)
    os.close(tells)
    _die_with_parent()
    if select.select([hears], [], [], 0)[
        0
    ]:  # nobody is at its other end: the parent died before the line above
        os._exit(1)
    os.close(hears)


def _wait_for(child: int) -> NoReturn:
    while True:
        ended, status = os.wait()
        if ended == child:
            os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def _furnish(room: dict[str, Any]) -> None:  # Any: JSON
    """Make the only file system that there is inside. Raises OSError."""
    root = room["home"]
    _mount("", "/", "", PRIVATE | RECURSIVE)  # nothing of this is seen outside
    with suppress(
        OSError
    ):  # a container may keep it from being written: a further guard, not the one that counts
        Path("/proc/sys/user/max_user_namespaces").write_text("0")
    _mount("tmpfs", root, "tmpfs", NO_SUID | NO_DEVICES, "mode=0755,size=1m,nr_inodes=4096")
    own = root + OWN
    _make_folder(Path(own))  # before all others: what is named below it is not to be covered by it
    _mount("tmpfs", own, "tmpfs", NO_SUID | NO_DEVICES, IN_MEMORY)
    for path in [*room["reads"], *room["needs"]]:
        if path in room["needs"] or os.path.lexists(path):
            _bring(root, path, read_only=True)
    for path in ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"):
        _bring(root, path, read_only=False)
    for path in room["writes"]:
        _bring(root, path, read_only=False)
    _make_folder(Path(f"{root}/proc"))
    # Read-only: the system's settings in there ask of root nothing but to be root. A container that hides parts of its
    # own refuses another; then there is none.
    with suppress(OSError):
        _mount("proc", f"{root}/proc", "proc", READ_ONLY | NO_SUID | NO_DEVICES | NO_EXEC)
    _mount("", root, "", REMOUNT | BIND | READ_ONLY | NO_SUID | NO_DEVICES)
    os.chdir(root)
    _ask("pivot_root", b".", b".")
    _ask("umount2", b".", DETACH)


def _bring(root: str, path: str, *, read_only: bool) -> None:
    """Have a path of ours in the room, with all that is mounted below it. Raises OSError."""
    named, real, place = Path(path), Path(path).resolve(strict=True), Path(root + path)
    if named.is_symlink() and not os.path.lexists(place):
        _make_folder(place.parent)
        place.symlink_to(real)
        place = Path(f"{root}{real}")
    if not os.path.lexists(place):
        _make_place(place, like=real)
    _mount(str(real), str(place), "", BIND | RECURSIVE)
    _set_attributes(str(place), NO_SUID | (READ_ONLY | NO_DEVICES if read_only else 0))


def _make_place(place: Path, *, like: Path) -> None:
    if like.is_dir():
        _make_folder(place)
        return
    _make_folder(place.parent)
    place.touch()


def _make_folder(place: Path) -> None:
    place.mkdir(mode=0o755, parents=True, exist_ok=True)


def _mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    _ask("mount", source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode())


def _set_attributes(place: str, attributes: int) -> None:
    """Set a mount's attributes and those of all below it: `mount` itself would reach the top one only."""
    told = (ctypes.c_uint64 * 4)(
        attributes, 0, 0, 0
    )  # struct mount_attr: set, clear, propagation, user namespace
    size = ctypes.c_size_t(ctypes.sizeof(told))
    _ask("syscall", ctypes.c_long(MOUNT_SETATTR), AT_FDCWD, place.encode(), AT_RECURSIVE, told, size)


def _ask(name: str, *arguments: Any) -> None:  # Any: as C has it
    """Make a call of the kernel. Raises OSError."""
    if getattr(libc, name)(*arguments) == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), name)


def _die_with_parent() -> None:
    if sys.platform == "linux":
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _give_up_rights() -> None:
    """Have the command get no right that this process lacks, and as root none of root's: it could read our secrets."""
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    capability = 0
    while (
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0
    ):  # refused to whoever has none to drop, and behind the last
        capability += 1


def _set_limits(*, sandboxed: bool) -> None:
    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: LARGEST_FILE,
    }  # a dump would hold what users said
    if sandboxed:  # outside, processes would be counted with all of the account's
        limits |= {resource.RLIMIT_DATA: MOST_MEMORY, resource.RLIMIT_NOFILE: MOST_FILES,
                   resource.RLIMIT_NPROC: MOST_PROCESSES}  # fmt: skip
    for kind, most in limits.items():
        _, hard = resource.getrlimit(kind)
        lowest = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (lowest, lowest))


if __name__ == "__main__":
    main(*sys.argv[1:])

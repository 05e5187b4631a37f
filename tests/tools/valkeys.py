"""A Valkey of a test's own, to be stopped, frozen and killed; the run's shared one must stay well."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agentops.runtime import valkey


class PrivateValkey:
    """A server on a Unix socket, whose address outlives the process."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._socket = directory / "s"  # short: socket paths end at about 100 bytes
        self.url = valkey.redis_url(self._socket)
        self.process = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        argv = valkey.server_argv(self._socket, self._directory, durable=False)
        self.process = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
        while not valkey.is_ready(self._socket):
            if self.process.poll() is not None:
                raise RuntimeError(f"valkey-server ended with {self.process.returncode}")
            time.sleep(0.01)
        return self.process

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def private_valkey() -> Iterator[PrivateValkey]:
    directory = Path(tempfile.mkdtemp(prefix="vk"))
    server = PrivateValkey(directory)
    try:
        yield server
    finally:
        server.kill()
        shutil.rmtree(directory)

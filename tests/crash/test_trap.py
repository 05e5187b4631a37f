"""The trap, at a real tool server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from runs.chaos.effects import EffectFile, read_effects
from runs.chaos.toolserver import ToolServer

pytestmark = pytest.mark.crash


@dataclass
class Bench:
    """A server, the file of its effects, and threads to ask it from."""

    http: httpx2.Client
    file: Path
    threads: ThreadPoolExecutor

    def post(self, key: str) -> Future[httpx2.Response]:
        """Ask for an effect, in the background."""
        headers = {"Idempotency-Key": key}
        return self.threads.submit(self.http.post, "/effects", json={"effect": f"of {key}"}, headers=headers)

    def catch(self, side: str) -> Future[httpx2.Response]:
        """Set the trap and have it wait in the background."""
        waiting = self.threads.submit(self.http.post, "/trap/catch", json={"side": side, "timeout_s": 5})
        while not self.http.get("/trap").json()["is_set"]:
            pass
        return waiting

    def release(self, verdict: str = "go") -> None:
        self.http.post("/trap/release", json={"verdict": verdict})

    def read_back(self, key: str) -> int:
        return self.http.get(f"/effects/{key}").status_code

    def count(self) -> int:
        return len(read_effects(self.file))


OpenBench = Callable[[bool], Bench]


@pytest.fixture
def open_bench(tmp_path: Path) -> Iterator[OpenBench]:
    """Provide a way to start one server, which honours keys or does not."""
    servers: list[ToolServer] = []
    with httpx2.Client(timeout=10) as http, ThreadPoolExecutor() as threads:

        def start(honours_keys: bool) -> Bench:
            server = ToolServer(0, EffectFile(tmp_path / "effects"), honours_keys=honours_keys)
            servers.append(server)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            http.base_url = httpx2.URL(f"http://127.0.0.1:{server.server_port}")
            return Bench(http, tmp_path / "effects", threads)

        yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(("honours_keys", "effects"), [(True, 1), (False, 2)])
def test_a_repeated_key_is_one_effect_only_where_keys_are_honoured(
    open_bench: OpenBench, honours_keys: bool, effects: int
) -> None:
    bench = open_bench(honours_keys)

    answers = [bench.post("a").result() for _ in range(2)]

    assert [answer.json() for answer in answers] == [{"effect": "of a"}] * 2
    assert bench.count() == effects


def test_a_request_held_before_its_effect_is_at_work(open_bench: OpenBench) -> None:
    bench = open_bench(False)
    caught, asked = bench.catch("before"), bench.post("a")
    assert caught.result().json() == {"key": "a"}
    assert (bench.count(), bench.read_back("a"), bench.read_back("b")) == (0, 409, 404)

    bench.release()

    assert asked.result().status_code == 200
    assert (bench.count(), bench.read_back("a")) == (1, 200)


def test_a_request_held_after_its_effect_has_had_it(open_bench: OpenBench) -> None:
    bench = open_bench(False)
    caught, asked = bench.catch("after"), bench.post("a")
    assert caught.result().json() == {"key": "a"}
    assert (bench.count(), bench.read_back("a"), asked.done()) == (1, 200, False)

    bench.release()

    assert asked.result().status_code == 200


def test_a_dropped_request_has_no_effect_and_no_answer(open_bench: OpenBench) -> None:
    bench = open_bench(False)
    caught, asked = bench.catch("before"), bench.post("a")
    caught.result()

    bench.release("drop")

    with pytest.raises(httpx2.RemoteProtocolError):
        asked.result()
    assert (bench.count(), bench.read_back("a")) == (0, 404)


def test_a_repetition_of_a_held_request_is_held_too(open_bench: OpenBench) -> None:
    bench = open_bench(True)
    caught, first = bench.catch("before"), bench.post("a")
    caught.result()
    second, other = bench.post("a"), bench.post("b")
    assert other.result().status_code == 200
    while bench.http.get("/trap").json()["followers"] != 1:
        pass

    bench.release()

    assert first.result().json() == second.result().json() == {"effect": "of a"}
    assert bench.count() == 2


def test_a_trap_that_catches_nothing_is_taken_away(open_bench: OpenBench) -> None:
    bench = open_bench(True)

    assert bench.http.post("/trap/catch", json={"side": "before", "timeout_s": 0.05}).status_code == 204
    assert bench.post("a").result().status_code == 200

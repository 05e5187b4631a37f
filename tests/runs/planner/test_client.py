"""The shared client: one per process and key, and none of it after a fork."""

from __future__ import annotations

import json
import subprocess
import sys

from runs.planner.client import close_clients, shared_client
from runs.planner.openai_chat import OpenAIPlanner
from tests.runs.planner.provider import Provider, completion, reply
from tests.runs.planner.questions import API_KEY, answered, question

FORK = """
import os, sys
from runs.planner.openai_chat import OpenAIPlanner
from runs.planner.client import _lock, shared_client
from tests.runs.planner.questions import API_KEY, answered, question

planner = OpenAIPlanner(base_url=sys.argv[1], api_key=API_KEY)
key = (sys.argv[1], API_KEY, None)
answered(planner.ask(question(model="parent")))
client = shared_client(key)
_lock.acquire()  # as if another thread were just building a client: nobody releases this in the child
child = os.fork()
if child == 0:
    answered(planner.ask(question(model="child")))
    answered(planner.ask(question(model="child")))
    os._exit(0 if shared_client(key) is not client else 3)
_lock.release()
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
answered(planner.ask(question(model="parent")))
os._exit(status if shared_client(key) is client else 4)
"""


def test_a_forked_child_makes_its_own_client_and_leaves_the_parent_s_alone(provider: Provider) -> None:
    provider.play(reply(completion()))
    done = subprocess.run(
        [sys.executable, "-c", FORK, provider.base_url], timeout=60, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    ports: dict[str, set[int]] = {}
    for received in provider.received:
        ports.setdefault(received.body["model"], set()).add(received.client_port)
    # One connection each, reused: the parent's survived the child.
    assert {name: len(used) for name, used in ports.items()} == {"parent": 1, "child": 1}
    assert not ports["parent"] & ports["child"]
    assert len(provider.received) == 4


def test_planners_of_the_same_endpoint_and_key_share_a_client_and_a_connection(provider: Provider) -> None:
    provider.play(reply(completion()))
    for _ in range(3):
        answered(OpenAIPlanner(base_url=provider.base_url, api_key=API_KEY).ask(question()))
    assert len({received.client_port for received in provider.received}) == 1
    key = (provider.base_url, API_KEY, None)
    assert shared_client(key) is shared_client(key)


def test_another_key_has_another_client(provider: Provider) -> None:
    provider.play(reply(completion()))
    for api_key in ("sk-first", "sk-second"):
        answered(OpenAIPlanner(base_url=provider.base_url, api_key=api_key).ask(question()))
    sent = [received.headers["authorization"] for received in provider.received]
    assert sent == ["Bearer sk-first", "Bearer sk-second"]
    assert len({received.client_port for received in provider.received}) == 2


def test_closed_clients_are_made_anew(provider: Provider, planner: OpenAIPlanner) -> None:
    provider.play(reply(completion()))
    answered(planner.ask(question()))
    close_clients()
    answered(planner.ask(question()))
    assert len({received.client_port for received in provider.received}) == 2


def test_the_client_does_not_retry(provider: Provider) -> None:
    assert shared_client((provider.base_url, API_KEY, None)).max_retries == 0


def test_openai_is_loaded_by_the_first_call_only() -> None:
    script = (
        "import json, sys\n"
        "from runs.planner import build_planner\n"
        "build_planner('openai', api_key='sk-1')\n"
        "import runs.planner.prices, runs.planner.estimates\n"
        "print(json.dumps([name for name in ('openai', 'httpx2', 'genai_prices', 'django') "
        "if name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", script], timeout=60, capture_output=True, check=True)
    assert json.loads(done.stdout) == []

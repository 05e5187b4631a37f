from __future__ import annotations

import subprocess
import sys

import pytest

from tests.tools.adapters.strangers import Open
from tools.adapters import get_adapter
from tools.adapters.base import AdapterOptions
from tools.adapters.http import HttpAdapter
from tools.adapters.python import PythonAdapter

STRANGERS = "tests.tools.adapters.strangers"


class EchoAdapter(PythonAdapter):
    """An adapter that an installation brings."""


def test_names_lead_to_adapters_that_are_built_once() -> None:
    assert isinstance(get_adapter("http"), HttpAdapter)
    assert isinstance(get_adapter("python"), PythonAdapter)
    assert get_adapter("http") is get_adapter("http")


def test_options_reach_the_adapter() -> None:
    allowed = get_adapter("python", AdapterOptions(python_modules=("json",)))
    assert allowed.check_config({"function": "json:dumps"}) == []
    assert get_adapter("python").check_config({"function": "json:dumps"}) != []


def test_an_installation_adds_adapters_by_dotted_path() -> None:
    options = AdapterOptions(added=(("echo", f"{__name__}.EchoAdapter"),))
    assert isinstance(get_adapter("echo", options), EchoAdapter)


def test_a_built_in_name_cannot_be_taken() -> None:
    options = AdapterOptions(added=(("http", f"{__name__}.EchoAdapter"),))
    assert isinstance(get_adapter("http", options), HttpAdapter)


def test_an_unknown_name_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(LookupError, match="known are a2a, agent, decision, http, mcp, python"):
        get_adapter("smoke-signals")


@pytest.mark.parametrize(("unfit", "lacking"), [("Eager", "invoke.*not_after"), ("Mute", "read_back")])
def test_a_class_that_cannot_be_called_as_an_adapter_is_refused(unfit: str, lacking: str) -> None:
    options = AdapterOptions(added=(("own", f"{STRANGERS}.{unfit}"),))
    with pytest.raises(LookupError, match=lacking):
        get_adapter("own", options)


def test_a_class_that_takes_anything_is_an_adapter() -> None:
    assert isinstance(get_adapter("own", AdapterOptions(added=(("own", f"{STRANGERS}.Open"),))), Open)


def test_importing_the_adapters_needs_no_settings() -> None:
    program = "import tools.adapters.http, tools.adapters.python, tools.breaker, tools.schemas"
    environment = {"PYTHONPATH": ":".join(path for path in sys.path if path)}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)

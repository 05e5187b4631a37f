"""pytest plugin: one throw-away PostgreSQL and Valkey for the run, a database of its own for each worker.

The controller starts the servers and migrates once; the workers of a parallel run inherit its environment.
DATABASE_URL, DATABASE_OWNER_URL and REDIS_URL together name servers to use instead: the owner role must
be allowed to create databases, and the Redis databases after the named one are emptied.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import ExitStack

import pytest

from agentops.runtime import local_keys, pytest_databases, service_urls
from agentops.runtime.processes import StackError
from agentops.runtime.services import temporary_stack

TEMPLATE = "AGENTOPS_TEST_TEMPLATE"
# What a developer's shell may hold for the demo: no test may reach a real model by accident.
FOREIGN = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "AGENTOPS_DEMO", "DEMO_SHOP_URL", "DEMO_CONSOLE_URL")


# A wrapper runs before pytest-django's own hook, which loads the settings and with them the URLs.
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None]:
    """Put the run's databases into the environment before Django reads it."""
    os.environ["AGENTOPS_ENV"] = "test"
    for name in FOREIGN:
        os.environ.pop(name, None)
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if not runs_tests(early_config):
        os.environ.update({**service_urls.PLACEHOLDERS, **os.environ})
    elif worker:
        enter_worker(worker)
    else:
        start_run(early_config)
        enter_worker("main")
    yield


def runs_tests(config: pytest.Config) -> bool:
    """Whether this invocation is going to run anything."""
    options = config.known_args_namespace
    quiet = ("collectonly", "version", "help", "markers", "showfixtures", "show_fixtures_per_test")
    return not any(getattr(options, name, False) for name in quiet)


def start_run(config: pytest.Config) -> None:
    """Start servers, or take the ones that the environment names, and prepare the migrated template."""
    cleanup = ExitStack()
    config.add_cleanup(cleanup.close)
    external = service_urls.are_given(os.environ)
    template = os.environ[TEMPLATE] = f"agentops_test_{os.getpid()}"
    binaries = None
    try:
        if not external:
            stack = cleanup.enter_context(temporary_stack(durable=False))
            stack.start_postgres()
            stack.start_valkey()
            os.environ.update(stack.environment())
            os.environ[pytest_databases.CLEANER_URL] = stack.superuser_url()
            binaries = stack.postgres_binaries()
        for key in local_keys.NAMES:
            os.environ.setdefault(key, service_urls.PLACEHOLDERS[key])
        owner_url = os.environ["DATABASE_OWNER_URL"]
        if external:
            os.environ[pytest_databases.CLEANER_URL] = owner_url
            urls = {name: os.environ[name] for name in service_urls.NEEDED}
            cleanup.callback(pytest_databases.drop_databases, urls, template)
        pytest_databases.create_migrated_template(owner_url, template, binaries)
    except (RuntimeError, StackError) as error:
        raise pytest.UsageError(str(error)) from error


def enter_worker(worker: str) -> None:
    """Give this process a database and a Redis number that no other process of the run uses."""
    os.environ.update(
        pytest_databases.worker_environment(os.environ, template=os.environ[TEMPLATE], worker=worker)
    )

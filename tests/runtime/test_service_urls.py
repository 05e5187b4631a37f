"""URLs with one part exchanged."""

from __future__ import annotations

import psycopg.conninfo
import pytest
import redis

from agentops.runtime import service_urls


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://app@/agentops?host=%2Ftmp%2Fpg", "postgresql://app@/other?host=%2Ftmp%2Fpg"),
        ("postgresql://app:secret@db:5432/agentops", "postgresql://app:secret@db:5432/other"),
    ],
)
def test_another_database_on_the_same_server(url: str, expected: str) -> None:
    changed = service_urls.with_database(url, "other")

    assert changed == expected
    assert service_urls.database_name(changed) == "other"
    assert psycopg.conninfo.conninfo_to_dict(changed)["dbname"] == "other"


@pytest.mark.parametrize(
    ("url", "number", "expected"),
    [
        ("unix:///tmp/valkey.sock?db=0", 3, "unix:///tmp/valkey.sock?db=3"),
        ("unix:///tmp/valkey.sock", 3, "unix:///tmp/valkey.sock?db=3"),
        ("redis+socket:///tmp/v.sock?virtual_host=1", 4, "redis+socket:///tmp/v.sock?virtual_host=4"),
        ("redis://localhost:6379", 2, "redis://localhost:6379/2"),
        ("redis://:pw@localhost:6379/1?protocol=2", 2, "redis://:pw@localhost:6379/2?protocol=2"),
        ("rediss://localhost/?db=5", 2, "rediss://localhost/2"),
    ],
)
def test_another_redis_database_on_the_same_server(url: str, number: int, expected: str) -> None:
    changed = service_urls.with_redis_database(url, number)

    assert changed == expected
    assert service_urls.redis_database(changed) == number


@pytest.mark.parametrize("url", ["unix:///tmp/valkey.sock?db=0", "redis://localhost:6379/0"])
def test_the_client_understands_what_is_made(url: str) -> None:
    with redis.Redis.from_url(service_urls.with_redis_database(url, 7)) as client:
        assert client.get_connection_kwargs()["db"] == 7


@pytest.mark.parametrize("missing", service_urls.NEEDED)
def test_servers_are_given_only_when_all_are(missing: str) -> None:
    environment = dict(service_urls.PLACEHOLDERS)
    assert service_urls.are_given(environment)

    del environment[missing]

    assert not service_urls.are_given(environment)

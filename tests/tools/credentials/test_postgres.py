"""A role for one lease, on a real server: it may do what it inherits, while the lease lasts, and is gone after it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.conf import LazySettings
from django.utils import timezone
from psycopg import sql
from psycopg.conninfo import make_conninfo

from agentops.identifiers import new_id
from agentops.runtime.ports import LOOPBACK
from identities.secret_settings import parse_settings
from tests.cast import Cast
from tests.identities.secrets import make_secret
from tests.runtime.loopback_servers import postgres_with_passwords
from tests.tools.credentials import functions
from tests.tools.credentials.leased import carry_out, leased_call, let_time_pass, states
from tools.credentials import leasing
from tools.credentials.leasing import sweep_leases
from tools.credentials.material import Credential
from tools.credentials.providers import CredentialTrouble, LeaseTerms, OpenSecret, Released
from tools.credentials.providers.postgres import PostgresProvider

PROVIDER = PostgresProvider()
MAKER = "of-the-maker"
SET_UP = """
CREATE ROLE shop_reader;
CREATE ROLE lease_maker LOGIN CREATEROLE PASSWORD 'of-the-maker';
GRANT shop_reader TO lease_maker WITH ADMIN OPTION, INHERIT FALSE, SET FALSE;
"""
TABLES = """
CREATE TABLE orders (id int); INSERT INTO orders VALUES (7); CREATE TABLE salaries (id int);
GRANT SELECT ON orders TO shop_reader; GRANT CREATE, USAGE ON SCHEMA public TO shop_reader;
"""


@dataclass(frozen=True)
class Shop:
    """A database of its own, with a role that may read orders, and who makes roles like it."""

    port: int
    owner: str  # a superuser's URL of it

    @property
    def settings(self) -> dict[str, Any]:
        where = {
            "host": LOOPBACK,
            "port": self.port,
            "database": "shop",
            "sslmode": "disable",
            "allow_private": True,
        }
        return {**where, "user": "lease_maker", "inherits": "shop_reader"}

    @property
    def secret(self) -> OpenSecret:
        return self.secret_with()

    def secret_with(self, value: str = MAKER, **changes: Any) -> OpenSecret:
        return OpenSecret(parse_settings("postgres", {**self.settings, **changes}), value)

    def roles(self) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.owner) as connection:
            return connection.execute(
                "SELECT rolvaliduntil, rolconnlimit, rolsuper, rolcreaterole, rolpassword FROM pg_authid"
                " WHERE rolname LIKE 'agentops_lease_%'"
            ).fetchall()


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with postgres_with_passwords() as (port, url):
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(SET_UP)
            connection.execute("CREATE DATABASE shop")
        owner = make_conninfo(url, dbname="shop")
        with psycopg.connect(owner, autocommit=True) as connection:
            connection.execute(TABLES)
        yield Shop(port, owner)


@pytest.fixture
def lease(shop: Shop) -> Iterator[LeaseTerms]:
    terms = LeaseTerms(new_id(), timezone.now() + timedelta(seconds=60))
    yield terms
    PROVIDER.end(shop.secret, PROVIDER.handle_of(terms.id))


def issue(shop: Shop, lease: LeaseTerms, **changes: Any) -> Released:
    return PROVIDER.issue(shop.secret_with(**changes), lease)


def test_it_signs_in_and_may_do_what_it_inherits_and_no_more(shop: Shop, lease: LeaseTerms) -> None:
    with psycopg.connect(issue(shop, lease).material, autocommit=True) as connection:
        assert connection.execute("SELECT id FROM orders").fetchall() == [(7,)]
        for statement in (
            "SELECT * FROM salaries",
            "CREATE ROLE other",
            "SET ROLE lease_maker",
            "DROP TABLE orders",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)


def test_the_server_knows_its_end_and_not_its_password(shop: Shop, lease: LeaseTerms) -> None:
    released = issue(shop, lease, connection_limit=3)
    ((until, limit, is_super, makes_roles, password),) = shop.roles()

    assert (until, limit, is_super, makes_roles) == (lease.expires_at, 3, False, False)
    assert password.startswith("SCRAM-SHA-256$")
    (given,) = released.parts
    assert given in released.material
    assert given not in password
    assert given not in repr(released)
    assert Credential(released.material, parts=released.parts).conceal(f"no {given}") == "no [credential]"


def test_another_password_and_a_lease_that_is_over_do_not_sign_in(shop: Shop, lease: LeaseTerms) -> None:
    over = LeaseTerms(lease.id, timezone.now() - timedelta(seconds=1))
    material = issue(shop, over).material
    for conninfo in (material, make_conninfo(material, password="another")):
        with pytest.raises(psycopg.OperationalError, match="authentication failed"):
            psycopg.connect(conninfo)


def test_its_connections_are_counted(shop: Shop, lease: LeaseTerms) -> None:
    material = issue(shop, lease).material
    with psycopg.connect(material), pytest.raises(psycopg.OperationalError, match="too many connections"):
        psycopg.connect(material)


def test_after_its_end_it_is_gone_with_its_sessions_and_what_it_owned_is_not(
    shop: Shop, lease: LeaseTerms
) -> None:
    material, handle = issue(shop, lease).material, PROVIDER.handle_of(lease.id)
    with psycopg.connect(material, autocommit=True) as connection:
        connection.execute("CREATE TABLE report (id int)")
        PROVIDER.end(shop.secret, handle)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    assert shop.roles() == []
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(material)
    with psycopg.connect(shop.owner, autocommit=True) as owner:
        assert owner.execute(
            "SELECT tableowner::text FROM pg_tables WHERE tablename = 'report'"
        ).fetchone() == ("lease_maker",)
        owner.execute("DROP TABLE report")


def test_ending_twice_or_what_never_was_is_fine(shop: Shop, lease: LeaseTerms) -> None:
    issue(shop, lease)
    for _ in range(2):
        PROVIDER.end(shop.secret, PROVIDER.handle_of(lease.id))
    PROVIDER.end(shop.secret, PROVIDER.handle_of(new_id()))
    assert shop.roles() == []


def test_a_stop_may_end_it_while_its_call_does(shop: Shop, lease: LeaseTerms) -> None:
    handle = PROVIDER.handle_of(lease.id)
    together = threading.Barrier(4)

    def end(_: int) -> None:
        together.wait()
        PROVIDER.end(shop.secret, handle)

    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            issue(shop, lease)
            list(pool.map(end, range(4)))
    assert shop.roles() == []


@pytest.mark.parametrize(
    "wrong",
    [{"value": "wrong-password"}, {"inherits": "nobody"}, {"inherits": "pg_read_all_data"}, {"port": 1}],
)
def test_what_goes_wrong_is_told_without_the_servers_words(
    shop: Shop, lease: LeaseTerms, wrong: dict[str, Any]
) -> None:
    with pytest.raises(CredentialTrouble) as trouble:
        issue(shop, lease, **wrong)
    assert trouble.value.__cause__ is None
    assert not {"wrong-password", "nobody", MAKER} & set(str(trouble.value).split())
    assert shop.roles() == []


def test_an_end_that_cannot_be_is_told(shop: Shop, lease: LeaseTerms) -> None:
    issue(shop, lease)
    with pytest.raises(CredentialTrouble):
        PROVIDER.end(shop.secret_with(value="wrong-password"), PROVIDER.handle_of(lease.id))
    assert len(shop.roles()) == 1


def test_an_end_that_fails_half_way_leaves_nobody_in(shop: Shop, lease: LeaseTerms) -> None:
    material, handle = issue(shop, lease).material, PROVIDER.handle_of(lease.id)
    with psycopg.connect(make_conninfo(shop.owner, dbname="postgres"), autocommit=True) as elsewhere:
        elsewhere.execute("CREATE TABLE left_over (id int)")
        elsewhere.execute(sql.SQL("ALTER TABLE left_over OWNER TO {}").format(sql.Identifier(handle)))
        with pytest.raises(CredentialTrouble, match="2BP01"):  # it owns something in another database
            PROVIDER.end(shop.secret, handle)
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(material)
        elsewhere.execute("DROP TABLE left_over")


@pytest.mark.django_db(transaction=True)
def test_a_call_reads_by_a_role_of_its_own_which_a_sweep_drops_if_the_worker_cannot(
    cast: Cast, shop: Shop, settings: LazySettings
) -> None:
    settings.TOOLS_PYTHON_MODULES = [functions.__name__]
    secret = make_secret(cast, provider="postgres", settings=shop.settings, value=MAKER)
    call = leased_call(cast, {"function": f"{functions.__name__}:read_orders"}, secret, adapter="python")

    assert (carry_out(call).value, shop.roles(), states()) == ([7], [], ["ended"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(leasing, "end_lease", lambda lease: None)  # as after kill -9
        assert carry_out(replace(call, key="another")).value == [7]
    assert (len(shop.roles()), sweep_leases()) == (1, 0)
    let_time_pass()
    assert (sweep_leases(), shop.roles(), states()) == (1, [], ["ended", "ended"])

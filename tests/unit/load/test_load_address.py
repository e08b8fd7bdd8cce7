"""How a load finds the database: nodes of the inventory, or a connection whose password is in no text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from psycopg.conninfo import conninfo_to_dict

from e2e_ansible.errors import UsageError
from e2e_ansible.load.address import Address, address, parse_connection

SECRET = "p@ss:w\\rd/é"
QUOTED = "p%40ss%3Aw%5Crd%2F%C3%A9"


@pytest.fixture
def hostvars(tmp_path: Path) -> dict[str, dict[str, str]]:
    (tmp_path / "secret").write_text(SECRET + "\n")
    return {
        "n11": {"ansible_host": "10.1.0.11", "e2e_client_password_file": str(tmp_path / "secret")},
        "n12": {"ansible_host": "10.1.0.12"},
        "c11": {},
    }


def texts(found: Address) -> str:
    """All of it that may be shown."""
    return repr([found, found.url, found.variables, found.words])


def test_all_hosts_are_tried_until_one_takes_writes(hostvars: dict[str, Any]) -> None:
    found = address({"hosts": ["n11", "n12"], "name": "load", "user": "e2e", "port": 5432}, hostvars)
    assert found.url == (
        "postgres://e2e@10.1.0.11:5432,10.1.0.12:5432/load?target_session_attrs=read-write&connect_timeout=2"
    )
    assert found.variables == {
        "PGHOST": "10.1.0.11,10.1.0.12",
        "PGPORT": "5432,5432",
        "PGUSER": "e2e",
        "PGDATABASE": "load",
        "PGTARGETSESSIONATTRS": "read-write",
        "PGCONNECT_TIMEOUT": "2",
    }
    assert SECRET not in texts(found)
    assert found.passfile == "*:*:*:*:p@ss\\:w\\\\rd/é\n"


def test_a_host_that_the_inventory_does_not_know_is_an_address(hostvars: dict[str, Any]) -> None:
    found = address({"hosts": ["db.example"], "port": 5000, "name": "load"}, hostvars)
    assert (found.hosts, found.ports, found.password) == (("db.example",), (5000,), SECRET)


@pytest.mark.parametrize(
    ("text", "hosts", "ports", "database"),
    [
        (f"postgresql://bob:{QUOTED}@db:6543/shop?sslmode=require", ("db",), (6543,), "shop"),
        (f"postgres://bob:{QUOTED}@[::1],b/shop?sslmode=require", ("::1", "b"), (5432, 5432), "shop"),
        (f"postgres://db?user=bob&password={QUOTED}&sslmode=require", ("db",), (5432,), "bob"),
        ("host=db user = bob password='p@ss:w\\\\rd/é' sslmode=require", ("db",), (5432,), "bob"),
        (
            "host=a,b port=1,2 dbname=x user=bob password='p@ss:w\\\\rd/é' sslmode=require\n",
            ("a", "b"),
            (1, 2),
            "x",
        ),
    ],
)
def test_a_connection_is_a_url_or_words(
    text: str, hosts: tuple[str, ...], ports: tuple[int, ...], database: str
) -> None:
    found = parse_connection(text)
    assert (found.hosts, found.ports, found.user, found.database) == (hosts, ports, "bob", database)
    assert found.password == SECRET
    assert found.variables["PGSSLMODE"] == "require"
    assert SECRET not in texts(found)
    assert QUOTED not in texts(found)


@pytest.mark.parametrize(
    "text",
    [
        "host=::1,db port=1,2 dbname='it''s' user='a b'".replace("''", "\\'"),
        "host=db dbname='a&b=c/d?e' user='o@x:y' options='-c statement_timeout=5s' application_name='my load+1'",
        "host=/var/run/postgresql dbname=x user=u",
        "postgres://u@%2Fvar%2Frun%2Fpostgresql/x%20y?options=-c%20a%3Db",
    ],
)
def test_an_address_as_a_url_says_the_same_to_libpq(text: str) -> None:
    found = parse_connection(text)
    told = conninfo_to_dict(found.url)
    assert told.pop("host") == ",".join(found.hosts)
    assert told.pop("port") == ",".join(map(str, found.ports))
    assert (told.pop("user"), told.pop("dbname")) == (found.user, found.database)
    assert told == found.options


@pytest.mark.parametrize("name", ["sslpassword"])
def test_a_secret_that_only_an_argument_could_have_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=f"the connection has {name}") as caught:
        parse_connection(f"host=db user=bob {name}=hunter2")
    assert "hunter2" not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "top secret",
        "postgres://:top-secret@/x",
        "host=a",
        "postgres://u:top@h:x/d",
        "user=a host='top",
        "a=b top=1",
    ],
)
def test_what_is_no_connection_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_connection(text)
    assert "top" not in f"{caught.value} {caught.value.hint}"


def test_a_connection_is_read_when_it_is_needed(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgres://bob:x1y2@db/shop\n")
    for wanted, environment in (
        ({"file": str(tmp_path / "url")}, {}),
        ({"env": "U"}, {"U": "host=db user=bob"}),
    ):
        assert address({"connection": wanted}, {}, environment).hosts == ("db",)
    for wanted, words in (({"file": "/no/such"}, "/no/such"), ({"env": "NOPE"}, "NOPE is not set")):
        with pytest.raises(UsageError, match=words):
            address({"connection": wanted}, {}, {})


def test_a_load_without_a_database_is_refused() -> None:
    with pytest.raises(UsageError, match="no database"):
        address({"name": "load"}, {}, {})
    with pytest.raises(UsageError, match="cannot be read"):
        address({"hosts": ["n11"]}, {"n11": {"e2e_client_password_file": "/no/such"}}, {})

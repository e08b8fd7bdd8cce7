"""What the probe makes of what psql prints about the data files; the outputs are those of PostgreSQL 15."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from e2e_ansible.nodes import probe_physical
from e2e_ansible.nodes.physical import Damage, Physical, physical

SERVER: dict[str, Any] = {
    "version": 150018,
    "takes_writes": True,
    "checksums": True,
    "segment_blocks": 131072,
    "databases": ["postgres", "template1"],
    "failures": [],
}
LISTED = [
    [16384, "public.t", "base/5/16384", "heap", False],
    [16389, "public.t_pkey", "base/5/16389", "btree", False],
    [1262, "pg_database", "global/1262", "heap", True],
    [16400, "public.s", "base/5/16400", "", False],
]
BROKEN = (
    'WARNING:  checksum verification failed in file "./{}", block {}: calculated C027 but expected 696C\n'
)
AT_THE_END = "ERROR:  checksum verification failure during base backup\n"


class Psql:
    """Stands for the client: what each kind of script prints, its errors, and whether it ended in time."""

    def __init__(self, **answers: Any) -> None:
        self.answers: dict[str, Any] = {
            "server": SERVER,
            "schema": "pg_catalog",
            "backup": ("over\n", "\n", True),
        }
        self.answers.update(answers)
        self.asked: list[tuple[str, str]] = []

    def __call__(self, sql: str, *_place: object, database: str, **_how: object) -> tuple[str, str, bool]:
        self.asked.append((database, sql))
        if "BASE_BACKUP" in sql:
            if isinstance(self.answers["backup"], Exception):
                raise self.answers["backup"]
            return self.answers["backup"]  # type: ignore[no-any-return]  # a tuple by the table above
        if "'server '" in sql:
            server = self.answers["server"]
            return server if isinstance(server, tuple) else (f"server {json.dumps(server)}\n", "", True)
        if "'relations '" in sql:
            if "list" in self.answers:
                return self.answers["list"]  # type: ignore[no-any-return]
            listed = json.dumps(LISTED).replace("base/5", "base/5" if database == "postgres" else "base/1")
            text = f"amcheck {self.answers['schema']}\nrelations {listed}\n"
            return text, self.answers.get("refused", ""), True
        return self._checks(sql)

    def _checks(self, sql: str) -> tuple[str, str, bool]:
        lines = [line.split() for line in sql.splitlines() if line.startswith("\\echo checked")]
        said = self.answers.get("said", {})
        text = "".join(said.get(int(oid), f"checked {oid} 00000 \n") for _echo, _checked, oid, *_ in lines)
        return text, self.answers.get("errors", ""), bool(self.answers.get("in_time", True))


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch) -> Any:
    def run(client: Psql, seconds: float = 60) -> Physical:
        monkeypatch.setattr(probe_physical, "server_folder", lambda: "/usr/lib/postgresql/15/bin")
        monkeypatch.setattr(probe_physical, "server_socket", lambda: ("/run/postgresql", "5432"))
        monkeypatch.setattr(probe_physical, "psql", client)
        found = physical(probe_physical.physical(seconds))
        assert found is not None
        return found

    return run


def test_a_sound_server(look: Any) -> None:
    client = Psql()
    found = look(client)
    assert (found.relations, found.checked, found.unread, found.damage) == (5, 5, (), ())
    assert (found.checksums, found.read, found.broken, found.error) == (True, True, (), "")
    assert [database for database, sql in client.asked if "create extension" in sql] == [
        "postgres",
        "template1",
    ]
    assert sum(sql.count("1262::oid") for _, sql in client.asked) == 1, "shared relations are looked at once"


def test_a_standby_is_given_no_extension(look: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe_physical, "_EXTENSION_SECONDS", 0.1)
    client = Psql(server={**SERVER, "takes_writes": False}, schema="")
    found = look(client)
    assert not [sql for _, sql in client.asked if "create extension" in sql]
    assert "database postgres has no extension amcheck: it has to come from the primary" in found.unread
    assert found.read


def test_an_extension_that_is_not_installed_is_told(look: Any) -> None:
    found = look(Psql(schema="", refused='ERROR:  extension "amcheck" is not available'))
    assert "is not available" in found.unread[0]


BAD_ROW = 'row [16384, 3, "line pointer redirection to item at offset 0 precedes minimum offset 1"]\n'


@pytest.mark.parametrize(
    ("oid", "said", "damage"),
    [
        (16384, BAD_ROW + "checked 16384 00000 \n", ("public.t", 3)),
        (16384, "checked 16384 XX001 invalid page in block 7 of relation base/5/16384\n", ("public.t", 7)),
        (16389, "checked 16389 XX001 invalid page in block 7 of relation base/5/16384\n", ("public.t", 7)),
        (
            16389,
            'checked 16389 XX002 item order invariant violated for index "t_pkey"\n',
            ("public.t_pkey", None),
        ),
        (16389, 'checked 16389 58P01 could not open file "base/5/16389": No such\n', ("public.t_pkey", None)),
    ],
    ids=["row", "checksum", "the table of an index", "index", "no file"],
)
def test_damage_is_placed(look: Any, oid: int, said: str, damage: tuple[str, int | None]) -> None:
    found = look(Psql(said={oid: said}))
    assert {(each.database, each.relation, each.block) for each in found.damage} >= {("postgres", *damage)}
    assert found.checked == found.relations


def test_what_two_tell_stands_once(look: Any) -> None:
    said = "XX001 invalid page in block 7 of relation base/5/16384\n"
    found = look(
        Psql(
            said={16384: f"checked 16384 {said}", 16389: f"checked 16389 {said}"},
            server={**SERVER, "databases": ["postgres"]},
        )
    )
    assert len(found.damage) == 1


@pytest.mark.parametrize(
    ("said", "checked", "unread"),
    [
        (
            "checked 16384 40001 canceling statement due to conflict with recovery\n",
            3,
            "conflict with recovery",
        ),
        (
            "checked 16384 55P03 canceling statement due to lock timeout\n",
            3,
            "public.t in database postgres: canc",
        ),
        ("checked 16384 XX000 could not open relation with OID 16384\n", 5, ""),
        ("", 3, "amcheck in database postgres broke off: FATAL"),
    ],
    ids=["conflict", "lock", "dropped", "server gone"],
)
def test_what_could_not_be_looked_at_is_no_damage(look: Any, said: str, checked: int, unread: str) -> None:
    found = look(Psql(said={16384: said}, errors="FATAL:  terminating connection"))
    assert (found.damage, found.checked) == ((), checked)
    assert unread in " ".join(found.unread)
    assert bool(found.unread) is bool(unread)


def test_when_the_time_runs_out_it_says_how_far_it_came(look: Any) -> None:
    found = look(Psql(said={1262: ""}, in_time=False), seconds=-1)
    assert found.unread[-1] == "the time for amcheck ran out"
    assert found.checked < found.relations


@pytest.mark.parametrize(
    "error", ["FATAL:  invalid page in block 3 of relation base/5/1259", "FATAL:  the database is off"]
)
def test_a_catalog_that_cannot_be_read(look: Any, error: str) -> None:
    found = look(Psql(list=("", error, True)))
    assert [each.block for each in found.damage] == ([3, 3] if "invalid page" in error else [])
    assert "could not be listed" in found.unread[0]


def test_wrong_checksums_name_the_relation(look: Any) -> None:
    errors = (
        BROKEN.format("base/5/16384", 7)
        + BROKEN.format("base/5/16384.2", 1)
        + BROKEN.format("base/5/16389_fsm", 0)
    )
    found = look(Psql(backup=("over\n", errors + BROKEN.format("base/5/999", 4) + AT_THE_END, True)))
    assert found.read
    assert [(each.relation, each.block) for each in found.broken] == [
        ("public.t", 7),
        ("public.t", 2 * 131072 + 1),
        ("public.t_pkey", 0),
        ("base/5/999", 4),
    ]
    assert str(found.broken[0]).startswith(
        "database postgres, public.t, block 7: checksum verification failed"
    )
    assert str(found.broken[3]).startswith("base/5/999, block 4: ")


@pytest.mark.parametrize(
    ("backup", "says"),
    [
        (("", "ERROR:  canceling statement due to user request", False), "no answer within"),
        (
            ("", "FATAL:  number of requested standby connections exceeds max_wal_senders", True),
            "max_wal_senders",
        ),
        (("", "", True), "psql broke off"),
        (("over\n", "server closed the connection unexpectedly", True), "closed the connection"),
        (subprocess.SubprocessError("no process"), "no process"),
    ],
)
def test_what_was_not_read_is_told(look: Any, backup: Any, says: str) -> None:
    found = look(Psql(backup=backup))
    assert not found.read
    assert says in found.read_error
    assert found.checked == found.relations


def test_without_checksums_nothing_is_read_for_them(look: Any) -> None:
    client = Psql(server={**SERVER, "checksums": False})
    found = look(client)
    assert (found.checksums, found.read) == (False, False)
    assert not [sql for _, sql in client.asked if "BASE_BACKUP" in sql]


@pytest.mark.parametrize(
    ("server", "says"),
    [
        (("", "FATAL:  the database system is starting up", True), "starting up"),
        ({**SERVER, "version": 130000}, "PostgreSQL 14 or later"),
        (("server {", "", True), "JSONDecodeError"),
    ],
)
def test_a_server_that_does_not_answer(look: Any, server: Any, says: str) -> None:
    assert says in look(Psql(server=server)).error


def test_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe_physical, "server_folder", lambda: "/usr/lib/postgresql/15/bin")
    monkeypatch.setattr(probe_physical, "server_socket", lambda: None)
    assert physical(probe_physical.physical(1)) == Physical(error="PostgreSQL does not run")
    assert str(Damage(database="", relation="x", message="y")) == "x: y"

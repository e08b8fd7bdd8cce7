"""Write down what settings a real server has: `python -m e2e_ansible.suite.pg_settings.record CONNECTION`.

The connection is that of a superuser of a server that nobody needs: whether it takes a value is asked with
ALTER SYSTEM, and taken back. Settings of extensions are left out. The file is beside this one, named after the major
version.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

__all__ = ["main", "recorded"]

_SETTINGS = """\
SELECT name, vartype AS type, unit, min_val AS min, max_val AS max, enumvals AS values, context
FROM pg_settings WHERE name !~ '[.]' ORDER BY name COLLATE "C"
"""
#: Values of enumerations that pg_settings does not show, and old names of settings.
_HIDDEN = ("true", "false", "yes", "no", "on", "off", "1", "0", "debug", "archive", "hot_standby", "none")
_OLD_NAMES = {
    "sort_mem": "work_mem",
    "vacuum_mem": "maintenance_work_mem",
    "ssl_ecdh_curve": "ssl_groups",
}
_NUMBERS = ("integer", "real")

_Connection = psycopg.Connection[tuple[Any, ...]]


def main(arguments: list[str]) -> int:
    """Record one server; 2 when the connection is missing."""
    if len(arguments) != 1:
        sys.stderr.write(__doc__ or "")
        return 2
    with psycopg.connect(arguments[0], autocommit=True, client_encoding="utf8") as connection:
        made = recorded(connection)
    major = made["version"].partition(".")[0]
    path = Path(__file__).with_name(f"{major}.json")
    path.write_text(_text(made), encoding="utf-8")
    sys.stdout.write(f"{path}: PostgreSQL {made['version']}, {len(made['settings'])} settings\n")
    return 0


def recorded(connection: _Connection) -> dict[str, Any]:
    """What this server says: its version, its settings by name, and which old names it still takes."""
    version = connection.execute("SHOW server_version").fetchall()[0][0].split()[0]
    found = connection.execute(_SETTINGS)
    names = [column.name for column in found.description or ()]
    rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    settings = {row.pop("name"): row for row in rows}
    words = sorted({*_HIDDEN, *(word for row in rows for word in row["values"] or ())})
    made = {name: _setting(connection, name, row, words) for name, row in settings.items()}
    old = {
        name: new for name, new in _OLD_NAMES.items() if name not in made and _takes_name(connection, name)
    }
    return {"version": version, "old_names": old, "settings": made}


def _setting(connection: _Connection, name: str, row: dict[str, Any], words: list[str]) -> dict[str, Any]:
    """One setting, with what can be said of it only. A setting of which no file can speak is internal, too."""
    made: dict[str, Any] = {"type": row["type"], "context": row["context"]}
    if row["context"] != "internal" and not _can_be_set(connection, name):
        made["context"] = "internal"
    if row["unit"]:
        made["unit"] = row["unit"]
    if row["type"] in _NUMBERS:
        made["min"], made["max"] = float(row["min"]), float(row["max"])
    if row["type"] == "enum":
        hidden = [word for word in words if word not in row["values"] and _takes(connection, name, word)]
        made["values"] = [*row["values"], *hidden]
    return made


def _can_be_set(connection: _Connection, name: str) -> bool:
    """ALTER SYSTEM refuses some of which only a file can speak, and says so in other words."""
    try:
        _alter(connection, name, connection.execute("SELECT current_setting(%s)", [name]).fetchall()[0][0])
    except psycopg.errors.CantChangeRuntimeParam as error:
        return "cannot be changed" not in str(error)
    except psycopg.Error:
        return True  # the value it has, written out, may be none that it takes
    return True


def _takes(connection: _Connection, name: str, value: str) -> bool:
    try:
        _alter(connection, name, value)
    except psycopg.Error:
        return False
    return True


def _alter(connection: _Connection, name: str, value: str) -> None:
    words = {"name": sql.Identifier(name), "value": sql.Literal(value)}
    connection.execute(sql.SQL("ALTER SYSTEM SET {name} = {value}").format(**words))
    connection.execute(sql.SQL("ALTER SYSTEM RESET {name}").format(**words))


def _takes_name(connection: _Connection, name: str) -> bool:
    return connection.execute("SELECT current_setting(%s, true)", [name]).fetchall()[0][0] is not None


def _text(made: dict[str, Any]) -> str:
    """One setting on a line, so that two versions can be compared by eye."""
    return "\n".join(["{", *_lines(made), "}", ""])


def _lines(made: dict[str, Any]) -> Iterator[str]:
    yield f' "version": {json.dumps(made["version"])},'
    yield f' "old_names": {json.dumps(made["old_names"])},'
    yield ' "settings": {'
    each = [f"  {json.dumps(name)}: {json.dumps(row)}" for name, row in made["settings"].items()]
    yield ",\n".join(each)
    yield " }"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

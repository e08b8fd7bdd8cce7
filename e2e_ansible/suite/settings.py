"""Settings of PostgreSQL in a suite, held against what a real server of that version said that it has.

What the server itself would refuse when it starts is told where it is written. Of a version that nobody has recorded,
and of settings of extensions, the server is asked when it is installed.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from e2e_ansible.names import suggestion
from e2e_ansible.suite.quantity import NoQuantity, quantity, written
from e2e_ansible.suite.value import shown

__all__ = ["Wrong", "recorded_versions", "wrong_setting"]

_FOLDER = Path(__file__).with_name("pg_settings")
_OWN = frozenset({"data_directory", "config_file", "hba_file", "ident_file", "external_pid_file", "port"})
_INCLUDE = "include"
#: Patroni gives these to the server itself, whatever it is told.
_OF_PATRONI = frozenset({"cluster_name", "listen_addresses"})
_ON_WITH_PATRONI = frozenset({"hot_standby", "wal_log_hints"})
#: With less than this Patroni silently takes its own default.
_LEAST_OF_PATRONI = {
    "max_connections": 25,
    "max_wal_senders": 3,
    "max_worker_processes": 2,
    "max_locks_per_transaction": 32,
    "max_replication_slots": 4,
}
_TRUE_AND_FALSE = ("true", "false", "yes", "no", "on", "off")
_BEGINS_BOTH = "o"
_LONGEST = 80  # of a name that is compared with others


@dataclass(frozen=True)
class Wrong:
    """What is wrong with a setting; `of_value` tells whether it is the value, or else the name."""

    message: str
    hint: str = ""
    of_value: bool = True


@cache
def recorded_versions() -> tuple[str, ...]:
    """Major versions whose settings are known here, in order."""
    return tuple(sorted((path.stem for path in _FOLDER.glob("*.json")), key=int))


def wrong_setting(version: str, name: str, value: object, *, patroni: bool = False) -> Wrong | None:
    """What is wrong with one setting for a server of this major version; None if it takes it.

    Of a version that is not recorded ('' is one) only what needs no record is known.
    """
    text = _text(value)
    wrong = _wrong_for_anyone(name, text, patroni)
    if wrong or "." in name or version not in recorded_versions():
        return wrong
    known = _record(version)
    setting = known["folded"].get(_new_name(known, name))
    if setting is None:
        message = f"PostgreSQL {version} has no setting {shown(name)}"
        return Wrong(message, _where_it_is(version, name, known), of_value=False)
    if setting["context"] == "internal":
        message = f"PostgreSQL takes {shown(name)} from no configuration"
        return Wrong(message, "it tells how the server was built or made", of_value=False)
    return _wrong_value(name, text, setting) or (_wrong_with_patroni(name, text) if patroni else None)


def _text(value: object) -> str:
    """The value as the configuration has it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)


def _wrong_for_anyone(name: str, text: str, patroni: bool) -> Wrong | None:
    small = name.lower()
    message = f"{shown(name)} is not for a suite to set"
    if small in _OWN or small.startswith(_INCLUDE):
        return Wrong(message, "the role that installs PostgreSQL sets it", of_value=False)
    if patroni and small in _OF_PATRONI:
        return Wrong(message, "Patroni sets it, and takes no other value", of_value=False)
    return Wrong(f"the value of {shown(name)} has more than one line") if "\n" in text else None


@cache
def _record(version: str) -> Mapping[str, Any]:
    """What was recorded of one version, with the names in small letters as well: PostgreSQL takes any."""
    said: dict[str, Any] = json.loads((_FOLDER / f"{version}.json").read_text(encoding="utf-8"))
    return {**said, "folded": {name.lower(): row for name, row in said["settings"].items()}}


def _new_name(known: Mapping[str, Any], name: str) -> str:
    small = name.lower()
    new: str = known["old_names"].get(small, small)
    return new


def _where_it_is(version: str, name: str, known: Mapping[str, Any]) -> str:
    others = [other for other in recorded_versions() if other != version]
    found = [other for other in others if name.lower() in _record(other)["folded"]]
    if found:
        return f"PostgreSQL {' and '.join(found)} has it"
    near = difflib.get_close_matches(name.lower()[:_LONGEST], known["settings"], n=1)
    return f"did you mean {near[0]!r}?" if near else ""


def _wrong_value(name: str, text: str, setting: Mapping[str, Any]) -> Wrong | None:
    match setting["type"]:
        case "bool":
            message = f"{shown(name)} must be on or off, not {shown(text)}"
            return None if _is_bool(text) else Wrong(message)
        case "enum":
            return _wrong_word(name, text, setting["values"])
        case "integer" | "real":
            return _wrong_number(name, text, setting)
        case _:
            return None


def _is_bool(text: str) -> bool:
    """PostgreSQL takes any beginning of these words that can be only one of them."""
    small = text.lower()
    if small in ("0", "1"):
        return True
    return small not in ("", _BEGINS_BOTH) and any(word.startswith(small) for word in _TRUE_AND_FALSE)


def _wrong_word(name: str, text: str, values: list[str]) -> Wrong | None:
    if text.lower() in values:
        return None
    hint = suggestion(text.lower(), values) or f"one of {', '.join(values)}"
    return Wrong(f"{shown(name)} cannot be {shown(text)}", hint)


def _wrong_number(name: str, text: str, setting: Mapping[str, Any]) -> Wrong | None:
    unit, whole = setting.get("unit", ""), setting["type"] == "integer"
    try:
        number = quantity(text, unit, whole=whole)
    except NoQuantity as error:
        return Wrong(f"{shown(name)} cannot be {shown(text)}: {error}", error.hint)
    least, most = setting["min"], setting["max"]
    if least <= number <= most:
        return None
    bounds = " to ".join(written(bound, unit, whole=whole) for bound in (least, most))
    return Wrong(f"{shown(name)} must be from {bounds}, not {shown(text)}")


def _wrong_with_patroni(name: str, text: str) -> Wrong | None:
    small = name.lower()
    if small in _ON_WITH_PATRONI and text.lower() not in ("on", "1", "true", "yes"):
        return Wrong(f"{shown(name)} is always on under Patroni", "leave it out")
    least = _LEAST_OF_PATRONI.get(small)
    if least is None or quantity(text, "", whole=True) >= least:
        return None
    message = f"{shown(name)} must be at least {least} under Patroni, not {shown(text)}"
    return Wrong(message, "with less Patroni takes a value of its own")

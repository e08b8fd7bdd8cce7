"""How a load finds the database when its step runs: hosts, user, database, and a password that only a file holds."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from e2e_ansible.errors import UsageError

__all__ = ["PASSFILE", "Address", "address", "parse_connection"]

PASSFILE = ".pgpass"
"""Name of the password file in the working folder."""

_USER = "e2e"
_PORT = 5432
_CONNECT_SECONDS = 2  # Stroppy has five for all hosts together, and a dead one must leave time for the next
_SECRET_VARIABLE = "e2e_client_password_file"
_OTHER_SECRETS = ("sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key")
#: What libpq takes from its environment, beside the address itself.
_VARIABLES: Mapping[str, str] = {
    "target_session_attrs": "PGTARGETSESSIONATTRS",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "channel_binding": "PGCHANNELBINDING",
    "gssencmode": "PGGSSENCMODE",
    "application_name": "PGAPPNAME",
    "options": "PGOPTIONS",
}


@dataclass(frozen=True)
class Address:
    """Where the database is. `options` are further settings of libpq, by name. `password` is in no text of it."""

    hosts: tuple[str, ...]
    ports: tuple[int, ...]
    user: str
    database: str
    options: Mapping[str, str] = field(default_factory=dict)
    password: str = field(default="", repr=False)

    @property
    def url(self) -> str:
        """As one word, without the password."""
        places = zip(self.hosts, self.ports, strict=True)
        hosts = ",".join(f"{_in_url(host)}:{port}" for host, port in places)
        # libpq takes a plus for a plus.
        more = f"?{urlencode(self.options, quote_via=quote)}" if self.options else ""
        return f"postgres://{quote(self.user, safe='')}@{hosts}/{quote(self.database, safe='')}{more}"

    @property
    def variables(self) -> dict[str, str]:
        """The environment that says it to libpq, and to what reads the same variables; see `passfile`."""
        named = {_VARIABLES[name]: value for name, value in self.options.items() if name in _VARIABLES}
        return {
            "PGHOST": ",".join(self.hosts),
            "PGPORT": ",".join(map(str, self.ports)),
            "PGUSER": self.user,
            "PGDATABASE": self.database,
            **named,
        }

    @property
    def passfile(self) -> str:
        """The text of its password file."""
        escaped = self.password.replace("\\", "\\\\").replace(":", "\\:")
        return f"*:*:*:*:{escaped}\n" if self.password else ""

    @property
    def words(self) -> dict[str, str]:
        """What stands for parts of it in arguments, environment and files, without the password."""
        return {
            "@URL@": self.url,
            "@HOST@": self.hosts[0],
            "@HOSTS@": ",".join(self.hosts),
            "@PORT@": str(self.ports[0]),
            "@USER@": self.user,
            "@DATABASE@": self.database,
        }


def _in_url(host: str) -> str:
    """A number of IPv6 in brackets, and the folder of a socket with its slashes hidden."""
    return f"[{host}]" if ":" in host else quote(host, safe="")


def address(
    wanted: Mapping[str, Any], hostvars: Mapping[str, Any], environment: Mapping[str, str] | None = None
) -> Address:
    """The address that a task asks for.

    `wanted` has either `connection`, `{env: NAME}` or `{file: PATH}` on the controller, or `hosts`, names of the
    inventory or addresses, with `port`, `user` and `name`, the database. `hostvars` are those of the inventory.

    Raises:
        UsageError: it asks for neither, or the connection or the password cannot be read or understood.
    """
    connection = wanted.get("connection")
    if connection:
        return parse_connection(_said(connection, os.environ if environment is None else environment))
    hosts = tuple(map(str, wanted.get("hosts") or ()))
    if not hosts:
        raise UsageError("the load has no database: neither hosts nor a connection")
    port = int(wanted.get("port") or _PORT)
    options = {"target_session_attrs": "read-write", "connect_timeout": str(_CONNECT_SECONDS)}
    return Address(
        hosts=tuple(str(hostvars.get(host, {}).get("ansible_host") or host) for host in hosts),
        ports=(port,) * len(hosts),
        user=str(wanted.get("user") or _USER),
        database=str(wanted.get("name") or "postgres"),
        options=options,
        password=_password(hosts, hostvars),
    )


def parse_connection(text: str) -> Address:
    """The address in a connection string: a URL of PostgreSQL, or `key=value` words.

    Raises:
        UsageError: it is neither. The message never has the string, as it may hold a password.
    """
    from psycopg import ProgrammingError  # libpq itself; most playbooks need none of it
    from psycopg.conninfo import conninfo_to_dict

    try:
        return _of_words({name: str(value) for name, value in conninfo_to_dict(text.strip()).items()})
    except UsageError:
        raise
    except (ProgrammingError, ValueError):
        hint = "postgresql://user:password@host:5432/database, or host=... user=... dbname=..."
        # What libpq says has words of the string.
        raise UsageError(
            "the connection is neither a URL of PostgreSQL nor key=value words", hint=hint
        ) from None


def _said(connection: Mapping[str, Any], environment: Mapping[str, str]) -> str:
    if name := connection.get("env"):
        text = environment.get(str(name), "")
        if not text.strip():
            raise UsageError(
                f"connection: the variable {name} is not set", hint=f"export {name}=postgresql://..."
            )
        return text
    path = Path(str(connection.get("file") or "")).expanduser()
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise UsageError(f"connection: the file {path} cannot be read: {reason}") from None


def _password(hosts: Sequence[str], hostvars: Mapping[str, Any]) -> str:
    """That of the client's user; on nodes that have none it is not needed, or the database says so."""
    named = (hostvars.get(host, {}).get(_SECRET_VARIABLE) for host in (*hosts, *hostvars))
    path = next((str(name) for name in named if name), "")
    if not path:
        return ""
    try:
        return Path(path).read_text(encoding="utf-8").partition("\n")[0]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{_SECRET_VARIABLE}: {path} cannot be read") from error


def _of_words(given: dict[str, str]) -> Address:
    hosts = (given.pop("hostaddr", "") or given.get("host", "")).split(",")
    given.pop("host", None)
    ports = [int(port or _PORT) for port in given.pop("port", "").split(",")]
    return _address(hosts, ports * len(hosts) if len(ports) == 1 else ports, given)


def _address(hosts: Sequence[str], ports: Sequence[int], given: dict[str, str]) -> Address:
    if len(hosts) != len(ports) or not all(hosts) or not all(0 < port < 65_536 for port in ports):
        raise ValueError("no host, or another number of ports")
    if secret := next((name for name in _OTHER_SECRETS if name in given), ""):
        hint = "give a password, or a key that needs none: only a password can be kept out of sight"
        raise UsageError(f"the connection has {secret}, which other users of the node would see", hint=hint)
    user = given.pop("user", "")
    password = given.pop("password", "")
    database = given.pop("dbname", "") or user
    if not user:
        raise ValueError("no user")
    if len(hosts) > 1:
        given.setdefault("target_session_attrs", "read-write")
    return Address(tuple(hosts), tuple(ports), user, database, given, password)

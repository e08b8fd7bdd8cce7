"""One member of a site, on its own node: what Patroni and PostgreSQL say there, and what they are told.

This runs on nodes, joined to one program with the other parts; see `nodes/site_act.py`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time

TYPE_CHECKING = False  # the node need not import this
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "FOLLOWED",
    "PAUSE_SECONDS",
    "UNIT",
    "Member",
    "RefusedError",
    "position",
    "replayed",
    "shown",
    "writes",
]

#: Patroni's own name for whom a cluster follows.
FOLLOWED = "standby_cluster"
UNIT = "patroni.service"
PAUSE_SECONDS = 0.05

_CONFIGURATION = "/etc/patroni/config.yml"
_PACKAGES = "/usr/lib/python3/dist-packages"
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_PRIMARY = ("master", "primary", "leader")
_TROUBLE = ("ERROR", "CRITICAL", "FATAL", "PANIC")


class RefusedError(Exception):
    """It cannot or may not be done; the sentence says why."""


def run(
    command: list[str], seconds: float = 60, text: str = "", environment: dict[str, str] | None = None
) -> str:
    """Output of a command.

    Raises:
        RefusedError: it failed, or did not end in time.
    """
    words = " ".join(command[:2]).rpartition("/")[2]
    try:
        done = subprocess.run(
            command,
            input=text,
            capture_output=True,
            text=True,
            timeout=max(1.0, seconds),
            check=False,
            cwd="/",
            env={"PATH": _PATH, "LC_ALL": "C.UTF-8", "PGCONNECT_TIMEOUT": "5", **(environment or {})},
        )
    except subprocess.TimeoutExpired:
        raise RefusedError(f"{words} did not end within {seconds:.0f} s") from None
    if done.returncode:
        raise RefusedError(f"{words}: {' '.join((done.stderr or done.stdout).split())}")
    return done.stdout


def position(text: str) -> int:
    """A place in the WAL as PostgreSQL writes it, in bytes."""
    high, _, low = text.partition("/")
    return (int(high, 16) << 32) + int(low, 16)


def shown(place: int) -> str:
    """A place in the WAL in PostgreSQL's own writing."""
    return f"{place >> 32:X}/{place & 0xFFFFFFFF:X}"


def writes(told: dict[str, Any]) -> bool:
    """Whether a member says that it takes writes."""
    return told.get("role") in _PRIMARY and told.get("state") == "running"


def replayed(told: dict[str, Any]) -> int:
    """How far in the WAL a member says that it is; 0 when it does not."""
    xlog = told.get("xlog") or {}
    return int(xlog.get("replayed_location") or xlog.get("location") or 0)


def _settings() -> dict[str, Any]:
    if _PACKAGES not in sys.path:
        sys.path.append(_PACKAGES)
    import yaml  # Patroni needs it too, so it is where its settings are

    try:
        with open(_CONFIGURATION, encoding="utf-8") as file:  # noqa: PTH123
            found = yaml.safe_load(file)
    except OSError as error:
        raise RefusedError(f"no member of Patroni is here: {error}") from error
    if not isinstance(found, dict):
        raise RefusedError(f"{_CONFIGURATION} holds no settings")
    return found


class Member:
    """This member. `given` is what was asked for; `said` the parts of the sentence that tells what was proved."""

    def __init__(self, given: dict[str, Any]) -> None:
        """Read the settings of Patroni, which stay on a node that was taken out of service.

        Raises:
            RefusedError: there are none.
        """
        self.given, self.settings = given, _settings()
        self.name, self.site = str(self.settings["name"]), str(given["site"])
        self.data = str(self.settings["postgresql"]["data_dir"])
        self.ends = time.monotonic() + float(given["deadline_seconds"])
        self.changed = False
        self.said: list[str] = []
        self._rest = str(self.settings["restapi"]["listen"]).rpartition(":")[2]

    @property
    def left(self) -> float:
        """Seconds until the deadline."""
        return max(0.0, self.ends - time.monotonic())

    # ---- Patroni

    def read(self, path: str, address: str = "127.0.0.1") -> dict[str, Any]:
        """What a member answers; empty when it does not. A state that is not healthy has an answer too."""
        status, body = self._ask("GET", path, address)
        try:
            found = json.loads(body) if status else {}
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def patch(self, body: dict[str, Any]) -> None:
        """Change settings of the cluster; None takes one away.

        Raises:
            RefusedError: Patroni did not take it.
        """
        status, said = self._ask("PATCH", "config", "127.0.0.1", json.dumps(body))
        if status != 200:
            why = said.decode(errors="replace") or "no answer"
            raise RefusedError(
                f"Patroni on {self.name} did not take the settings of the cluster: {status} {why}"
            )
        self.changed = True

    def _ask(self, method: str, path: str, address: str, body: str | None = None) -> tuple[int, bytes]:
        import base64
        import http.client

        login = self.settings["restapi"].get("authentication") or {}
        secret = f"{login.get('username', '')}:{login.get('password', '')}".encode()
        headers = {"Authorization": "Basic " + base64.b64encode(secret).decode()} if body else {}
        connection = http.client.HTTPConnection(address, int(self._rest), timeout=10 if body else 2)
        try:
            connection.request(method, f"/{path}", body=body, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()

    def others(self) -> dict[str, dict[str, Any]]:
        """What each member of the other site says."""
        return {name: self.read("patroni", address) for name, address in self.given["others"].items()}

    def etcd(self, verb: str, key: str, *words: str, text: str = "") -> str:
        """Ask etcd about a key of this cluster.

        Raises:
            RefusedError: it does not answer.
        """
        namespace = str(self.settings.get("namespace") or "service").strip("/")
        place = f"/{namespace}/{self.settings['scope']}/{key}"
        hosts = ",".join(self.settings["etcd3"]["hosts"])
        command = ["etcdctl", "--endpoints", hosts, verb, *words, place]
        return run(command, text=text, environment={"ETCDCTL_API": "3"})

    def trouble(self) -> str:
        """What Patroni or PostgreSQL said last that sounds like trouble."""
        lines = run(["journalctl", "-u", UNIT, "-n", "300", "-o", "cat", "--no-pager"]).splitlines()
        bad = (line for line in reversed(lines) if any(word in line for word in _TROUBLE))
        return next(bad, "it gives no reason")

    # ---- PostgreSQL

    def server(self, tool: str, *words: str, seconds: float = 10) -> str:
        """Output of one of PostgreSQL's own programs, as its superuser.

        Raises:
            RefusedError: it failed.
        """
        path = f"{self.settings['postgresql']['bin_dir']}/{tool}"
        return run(["runuser", "-u", "postgres", "--", path, *words], seconds=seconds)

    def query(self, statement: str, seconds: float = 10) -> str:
        """The answer of the server, over its socket.

        Raises:
            RefusedError: it gave none.
        """
        port = str(self.settings["postgresql"]["listen"]).rpartition(":")[2]
        place = ["-h", "/var/run/postgresql", "-p", port, "-d", "postgres"]
        words = ["-XAtq", "-v", "ON_ERROR_STOP=1", *place, "-c", statement]
        return self.server("psql", *words, seconds=seconds).strip()

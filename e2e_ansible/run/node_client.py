"""A client that lives on a node, as the run sees it: one ssh connection for each contact, every one with a deadline."""

from __future__ import annotations

import json
import os
import selectors
import shlex
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from e2e_ansible.deadline import Deadline
from e2e_ansible.errors import HarnessError, InfrastructureError, UsageError
from e2e_ansible.run.journal import mend

__all__ = ["FOLDER", "Contact", "NodeClient", "ssh_command"]

FOLDER = "/var/lib/e2e-client"
"""Where the role `oracle_client` puts a client, in a folder of its name."""

_CONTACT_SECONDS = 30
_CONNECT_SECONDS = 5
_PINGS = 3


@dataclass(frozen=True)
class Contact:
    """What one contact found: whether a client answered, and if not, what was said instead.

    `last` is the highest number that was used when the client held still, and `size` the bytes of its history then.
    """

    running: bool
    said: str = ""
    last: int | None = None
    size: int | None = None


class NodeClient:
    """Brings the history of one client on a node, and tells that client the time.

    `variables` are those of the node for Ansible; `history` is the copy on the controller. In a `cycle` of a soak the
    history on the node is one of its own.
    """

    def __init__(
        self, name: str, node: str, variables: Mapping[str, Any], history: Path, cycle: int = 0
    ) -> None:
        self.name = name
        self.node = node
        self._command = ssh_command(node, variables)
        self._sudo = [] if variables.get("ansible_user") in (None, "", "root") else ["sudo", "-n"]
        self.history = history
        self._file = f"history-{cycle}.jsonl" if cycle else "history.jsonl"
        history.touch(mode=0o600)
        mend(history)

    def stop(self, seconds: float = _CONTACT_SECONDS) -> None:
        """End the client for good and bring the rest of its history.

        Raises:
            HarnessError: it had died before.
            InfrastructureError: the node does not answer, so what it noted last is not here.
        """
        place = f"{FOLDER}/{self.name}"
        # A unit that was stopped in order has said so in its history; one that had died says nothing there.
        self._converse(
            f"systemctl disable --now {_unit(self.name)} >&2; echo rc=$?", Deadline(seconds), place
        )
        tail = self.history.read_bytes()[-1000:].rstrip(b"\n").rpartition(b"\n")[2]
        if not tail.startswith(b'{"event":"stop"'):
            raise HarnessError(f"the client {self.name} on {self.node} had died before it was stopped")

    def fetch(self, seconds: float = _CONTACT_SECONDS) -> Contact:
        """Bring what is new of the history, and tell the client the time of the controller.

        Raises:
            InfrastructureError: the node does not answer; what is here is whole up to some line.
        """
        return self._order(seconds, "")

    def pause(self, seconds: float = _CONTACT_SECONDS) -> Contact:
        """As `fetch`, and let the client do no more until `resume`. Raises as `fetch`."""
        return self._order(seconds, "pause")

    def resume(self, seconds: float = _CONTACT_SECONDS) -> Contact:
        """As `fetch`, and let the client go on. Raises as `fetch`."""
        return self._order(seconds, "resume")

    def _order(self, seconds: float, order: str) -> Contact:
        place = f"{FOLDER}/{self.name}"
        relay = f"python3 {place}/client.pyz --relay {place}/socket; rc=$?; echo; echo rc=$rc"
        return self._converse(relay, Deadline(seconds), place, ask=True, order=order)

    def _converse(
        self, script: str, deadline: Deadline, place: str, *, ask: bool = False, order: str = ""
    ) -> Contact:
        """Run a script on the node, and after it print what is new of the history.

        What is fetched is on the disk of the node: after its crash the rest must begin where this ends.
        """
        size = self.history.stat().st_size
        script += f"; sync {place}/{self._file}; exec tail -c +{size + 1} {place}/{self._file}"
        words = [*self._command, shlex.join([*self._sudo, "sh", "-c", script])]
        pipe = subprocess.PIPE
        with subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True) as process:
            try:
                return self._take(process, deadline, ask=ask, order=order)
            except InfrastructureError as error:
                process.kill()
                said = process.stderr.read(2000).decode(errors="replace").strip() if process.stderr else ""
                raise InfrastructureError(f"{error}: {said}" if said else str(error)) from error
            finally:
                process.kill()

    def _take(
        self, process: subprocess.Popen[bytes], deadline: Deadline, *, ask: bool, order: str
    ) -> Contact:
        assert process.stdin and process.stdout and process.stderr
        lines = _Lines(process.stdout, deadline, f"{self.node}, where the client {self.name} lives")
        running = ask and self._set_clock(process.stdin, lines)
        reply = _ask(process.stdin, lines, order) if running and order else None
        running = running and (reply is not None or not order)
        with suppress(OSError):
            process.stdin.close()
        while not lines.next().startswith(b"rc="):
            pass
        data = lines.rest()
        code = process.wait(max(deadline.remaining, 0.1))
        said = process.stderr.read(2000).decode(errors="replace").strip()
        if code != 0 and not data:
            raise InfrastructureError(
                f"the history of {self.name} cannot be fetched from {self.node}: {said}"
            )
        with self.history.open("ab") as file:
            file.write(data[: data.rfind(b"\n") + 1])
        if reply is None or order != "pause":
            return Contact(running, "" if running else said)
        return Contact(running, last=int(reply["last"]), size=int(reply["size"]))

    def _set_clock(self, orders: IO[bytes], lines: _Lines) -> bool:
        """Ask for the client's time; the fastest answer tells it best. False when no client answers."""
        best: tuple[int, int] | None = None
        for _ in range(_PINGS):
            before = time.time_ns()
            reply = _ask(orders, lines, "status")
            if reply is None:
                return False
            after = time.time_ns()
            ahead = (before + after) // 2 - int(reply["wall"])
            best = min((after - before, ahead), best or (after - before, ahead))
        assert best is not None
        return _ask(orders, lines, f"clock {best[1]} {best[0] // 2 + 1}") is not None


def _unit(name: str) -> str:
    return f"e2e-client-{name}.service"


def _ask(orders: IO[bytes], lines: _Lines, order: str) -> dict[str, Any] | None:
    with suppress(BrokenPipeError):
        os.write(orders.fileno(), order.encode() + b"\n")
    line = lines.next()
    if not line.startswith(b"{"):  # the empty line after a relay that found nobody
        return None
    reply: dict[str, Any] = json.loads(line)
    return reply


class _Lines:
    """Lines from a process, none later than a deadline."""

    def __init__(self, stream: IO[bytes], deadline: Deadline, whom: str) -> None:
        self._descriptor = stream.fileno()
        self._deadline = deadline
        self._whom = whom
        self._unread = b""
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._descriptor, selectors.EVENT_READ)

    def next(self) -> bytes:
        """The next line without its end.

        Raises:
            InfrastructureError: none came in time, or the connection ended.
        """
        while b"\n" not in self._unread:
            if not self._more():
                raise InfrastructureError(f"the connection to {self._whom}, ended")
        line, _, self._unread = self._unread.partition(b"\n")
        return line

    def rest(self) -> bytes:
        """All that comes until the end."""
        parts = [self._unread]
        self._unread = b""
        while self._more():
            parts.append(self._unread)
            self._unread = b""
        return b"".join(parts)

    def _more(self) -> bool:
        if not self._selector.select(self._deadline.remaining):
            raise InfrastructureError(f"no answer within {self._deadline.seconds:g} s from {self._whom}")
        data = os.read(self._descriptor, 1 << 20)
        self._unread += data
        return bool(data)


def ssh_command(node: str, variables: Mapping[str, Any]) -> list[str]:
    """The ssh command that reaches a node without a question, from its Ansible variables.

    Raises:
        HarnessError: it is not reached by ssh with a key.
    """
    if str(variables.get("ansible_connection") or "ssh").rpartition(".")[2] not in ("ssh", "smart"):
        raise UsageError(
            f"{node} is not reached by ssh, so no client can live there", hint="use `place: controller`"
        )
    if any(variables.get(name) for name in ("ansible_password", "ansible_ssh_pass")):
        raise UsageError(f"{node} is reached with a password; a client there needs a key")
    host = str(variables.get("ansible_host") or "")
    if not host:
        raise HarnessError(f"the provider names no address of {node}")
    words = ["ssh", "-o", "BatchMode=yes", "-o", f"ConnectTimeout={_CONNECT_SECONDS}", "-T"]
    words += ["-o", "ServerAliveInterval=3", "-o", "ServerAliveCountMax=2"]
    if key := variables.get("ansible_ssh_private_key_file"):
        words += ["-i", str(key)]
    if port := variables.get("ansible_port"):
        words += ["-p", str(port)]
    for name in ("ansible_ssh_common_args", "ansible_ssh_extra_args"):
        words += shlex.split(str(variables.get(name) or ""))
    user = variables.get("ansible_user")
    return [*words, f"{user}@{host}" if user else host]

"""Runs the probe on a node over the connection of an Ansible action, in bounded time, or says why not.

The probe lies on the node from the first look on, and is only named after that; see `nodes/placed.py`.

The bound is a timer signal: a multiplexed ssh hangs for good when the machine behind its master is gone, and
no option of ssh covers that. When it fires, the ssh client is ended too: an interrupt would leave it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from e2e_ansible.nodes import placed, probe
from e2e_ansible.nodes.guard import Identity
from e2e_ansible.nodes.observation import Unreachable
from e2e_ansible.nodes.plain import NO_TERMINAL
from e2e_ansible.nodes.program import program

__all__ = ["Action", "Answer", "Link", "classify", "command", "parse"]

SILENCE_SECONDS = 2.5
"""After so long without an answer the port is tried directly: a dead node need not cost the full bound."""

_PORT_SECONDS = 2.0
_GREETING = b"SSH-2.0-"
_AFTER_PROBE_SECONDS = 1.5
_QUICK_SECONDS = 1.5
_INTERPRETER = "python3"

# The first match counts: a key file with wrong rights also ends in "permission denied".
_SIGNS: tuple[tuple[Unreachable, tuple[str, ...]], ...] = (
    (
        Unreachable.LOCAL,
        (
            "no space left on device",
            "unprotected private key file",
            "bad permissions",
            "bad owner or permissions",
            "no such file or directory",
            "not accessible",
            "could not resolve hostname",
            "too long for unix domain socket",
            "sshpass",
            "error in libcrypto",
            "invalid format",
            "too many open files",
            "cannot allocate memory",
        ),
    ),
    (
        Unreachable.AUTH,
        (
            "permission denied",
            "host key verification failed",
            "host identification has changed",
            "too many authentication failures",
            "no matching host key",
            "invalid/incorrect password",
            "incorrect sudo password",
            "missing sudo password",
            "a password is required",
        ),
    ),
    (Unreachable.REFUSED, ("connection refused",)),
    (
        Unreachable.TIMEOUT,
        (
            "timed out",
            "timeout",
            "no route to host",
            "host is unreachable",
            "host is down",
            "network is unreachable",
        ),
    ),
)


class Answer(BaseModel):
    """What came of one probe. `facts` is empty when the node was reached but the probe did not run there."""

    model_config = ConfigDict(frozen=True)

    reachable: bool
    unreachable: Unreachable | None = None
    reason: str = ""
    identity: Identity | None = None
    facts: dict[str, Any] = {}


class Action(Protocol):
    """The part of Ansible's ActionBase that is used here."""

    _connection: Any
    _play_context: Any

    def _low_level_execute_command(self, cmd: str, *, in_data: bytes) -> dict[str, Any]: ...


class _Bounded(BaseException):  # must pass every `except Exception` of the connection plugin
    """The bound is over, or the port does not answer."""


def classify(text: str) -> Unreachable:
    """Why a connection failed, from what ssh and Ansible said."""
    lowered = text.lower()
    for kind, signs in _SIGNS:
        if any(sign in lowered for sign in signs):
            return kind
    return Unreachable.OTHER


def command(interpreter: str, program: bytes, arguments: Sequence[str], *, sent: bool) -> str:
    """The shell command that runs a program which lies on the node, or which is `sent` to its standard input."""
    starter = Path(placed.__file__).read_text(encoding="utf-8")
    name = f"{hashlib.sha256(program).hexdigest()[:16]}"
    size = str(len(program) if sent else 0)
    words = [interpreter, "-I", "-S", "-c", starter, name, size, *arguments]
    # The directories of the system come first: a shim of a version manager may be found and not work.
    return "PATH=/usr/bin:/bin:/usr/sbin:/sbin:$PATH " + " ".join(shlex.quote(word) for word in words)


def parse(output: str) -> dict[str, Any] | None:
    """What the probe printed, None when it is not there. Login banners and warnings around it do no harm."""
    for line in reversed(output.splitlines()):
        _, marker, body = line.partition(probe.MARKER)
        if marker:
            with suppress(ValueError):
                facts = json.loads(body)
                return facts if isinstance(facts, dict) else None
    return None


class Link:
    """One node as one action of Ansible reaches it."""

    def __init__(self, action: Action, variables: Mapping[str, Any]) -> None:
        self._action = action
        self._variables = variables
        self._source = program()

    @property
    def connection(self) -> str:
        """Name of the connection plugin, such as `ssh` or `local`."""
        named = getattr(self._action._connection, "ansible_name", "") or self._action._connection.transport
        return str(named)

    @property
    def address(self) -> str:
        """What the connection connects to; '' when it does not say."""
        with suppress(Exception):  # connection plugins without this option raise errors of their own
            return str(self._action._connection.get_option("host") or "")
        return str(getattr(self._action._play_context, "remote_addr", "") or "")

    def probe(
        self, *sections: str, seconds: float = probe.DEFAULT_DEADLINE_SECONDS, physical: float = 0.0
    ) -> Answer:
        """Ask the node; a node that is away is no error.

        `seconds` is what the probe itself may take, `physical` what its section `amcheck` may take beside that.
        """
        begin = time.monotonic()
        answer = self._once(sections, seconds, physical)
        quick = time.monotonic() - begin < _QUICK_SECONDS
        if not answer.reachable:
            self.reset()
        if answer.unreachable is Unreachable.OTHER and quick:
            # The master of a node that rebooted breaks on first use; a new connection tells how it really is.
            answer = self._once(sections, seconds, physical)
            if not answer.reachable:
                self.reset()
        return answer

    def probe_anew(self, *sections: str, physical: float = 0.0) -> Answer:
        """As `probe`, over a new connection: the session of an old one lives on when sshd has ended."""
        self.reset()
        return self.probe(*sections, physical=physical)

    def probe_greeted(self, *sections: str, physical: float = 0.0) -> Answer:
        """As `probe`, over an open connection if there is one and sshd still greets; else over a new one."""
        ask = self.probe if self._greets() else self.probe_anew
        return ask(*sections, physical=physical)

    def move(self, address: str) -> None:
        """The node answers at another address from now on. A connection that goes by another name is left as it is."""
        if address and self.connection.rpartition(".")[2] == "ssh" and address != self.address:
            self.reset()
            self._action._connection.set_option("host", address)

    def reset(self) -> None:
        """Drop the ssh master, so that the next try connects anew. Never raises."""
        with suppress(Exception, _Bounded), _bound(_PORT_SECONDS, lambda: True):
            self._action._connection.reset()

    def _once(self, sections: Sequence[str], seconds: float, physical: float) -> Answer:
        arguments = (*sections, f"deadline={seconds:g}", f"physical={physical:g}")
        try:
            with _bound(seconds + physical + _AFTER_PROBE_SECONDS, self._port_answers):
                done = self._execute(arguments, sent=False)
                if done.get("rc") == placed.MISSING:
                    done = self._execute(arguments, sent=True)
        except _Bounded as error:
            return Answer(reachable=False, unreachable=Unreachable.TIMEOUT, reason=str(error))
        except Exception as error:  # whatever a connection plugin raises is an answer here, never a crash
            said = _one_line(str(error))
            return Answer(reachable=False, unreachable=classify(said), reason=said)
        return _answer(done)

    def _execute(self, arguments: Sequence[str], *, sent: bool) -> dict[str, Any]:
        text = command(self._interpreter(), self._source, arguments, sent=sent)
        return self._action._low_level_execute_command(text, in_data=self._source if sent else NO_TERMINAL)

    def _interpreter(self) -> str:
        named = str(self._variables.get("ansible_python_interpreter") or "")
        return named if named.startswith("/") else _INTERPRETER

    def _port_answers(self) -> bool:
        """Whether something listens where ssh connects to; True when that cannot be told from here."""
        return self._at_the_port(lambda port: True, unknown=True)

    def _greets(self) -> bool:
        """Whether an ssh server says who it is there, which one that does not let anybody in does not."""
        return self._at_the_port(lambda port: port.recv(len(_GREETING)) == _GREETING, unknown=False)

    def _at_the_port(self, look: Callable[[socket.socket], bool], *, unknown: bool) -> bool:
        if self.connection.rpartition(".")[2] != "ssh" or self._proxied():
            return unknown
        place = (self.address, int(self._option("port") or 22))
        try:
            with socket.create_connection(place, timeout=_PORT_SECONDS) as port:
                return look(port)
        except socket.gaierror:
            return unknown
        except OSError:
            return False

    def _proxied(self) -> bool:
        options = ("ssh_args", "ssh_common_args", "ssh_extra_args")
        return any("proxy" in str(self._option(name)).lower() for name in options)

    def _option(self, name: str) -> Any:
        with suppress(Exception):
            return self._action._connection.get_option(name)
        return None


def _answer(done: Mapping[str, Any]) -> Answer:
    facts = parse(str(done.get("stdout", "")))
    if facts is None:
        said = _one_line(str(done.get("stderr") or done.get("stdout") or ""))
        if classify(said) is Unreachable.AUTH:
            return Answer(reachable=False, unreachable=Unreachable.AUTH, reason=said)
        return Answer(reachable=True, reason=f"the probe did not run (exit {done.get('rc')}): {said}")
    try:
        identity = Identity.model_validate(facts.pop("identity", None))
    except ValidationError as error:
        return Answer(
            reachable=True, reason=f"the probe gave no identity: {_one_line(str(error))}", facts=facts
        )
    return Answer(reachable=True, identity=identity, facts=facts)


def _one_line(text: str, limit: int = 500) -> str:
    return " ".join(text.split())[:limit]


@contextmanager
def _bound(seconds: float, still_there: Callable[[], bool]) -> Iterator[None]:
    """Raise `_Bounded` in the body after `seconds`, or after a silence when `still_there()` says no."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ends = time.monotonic() + seconds

    def on_alarm(_signal: int, _frame: FrameType | None) -> None:
        left = ends - time.monotonic()
        if left > 0.01 and still_there():
            signal.setitimer(signal.ITIMER_REAL, max(0.05, ends - time.monotonic()))
            return
        _end_ssh_clients()
        raise _Bounded(
            f"no answer within {seconds:g} s"
            if left <= 0.01
            else "the connection hangs and the port is silent"
        )

    handler = signal.signal(signal.SIGALRM, on_alarm)
    outer, _ = signal.setitimer(signal.ITIMER_REAL, min(SILENCE_SECONDS, seconds))
    begin = time.monotonic()
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if outer:
            signal.setitimer(signal.ITIMER_REAL, max(0.01, outer - (time.monotonic() - begin)))


def _end_ssh_clients() -> None:
    """End the ssh clients that this very process started; a master has left it and is not among them."""
    mine = str(os.getpid())
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, IndexError, ValueError):
            head, _, tail = status.read_text().rpartition(")")
            if tail.split()[1] == mine and head.partition("(")[2] in {"ssh", "sshpass"}:
                os.kill(int(status.parent.name), signal.SIGTERM)

"""The program of the warm parent. Run as `python -m e2e_ansible.engine.warm.parent SOCKET`.

It imports Ansible, loads what every playbook loads, and then forks a child for each request: one child is always
forked ahead, and waits for the next request. The parent is single-threaded, in a session of its own, holds no secret,
and ends when its standard input ends, so also when its maker is killed. Every child serves one request only, and
begins where a new `ansible-playbook` would: with the environment, folder and terminal of that request.

A request is one message on the socket: a JSON object with `argv`, `env` and `cwd`, and the descriptors of standard
input, output and error. The answers are lines of JSON: `{"pid": N}`, then `{"status": N}` as `os.wait` gives it.
"""

from __future__ import annotations

import ctypes
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from e2e_ansible.deadline import Deadline
from e2e_ansible.engine.processes import family
from e2e_ansible.engine.warm.boot import boot
from e2e_ansible.engine.warm.child import MOST_BYTES, STREAMS, ForkedChild
from e2e_ansible.engine.warm.pages import Ranges

__all__ = ["main"]

_PR_SET_CHILD_SUBREAPER = 36
_SELF_TEST = """\
- hosts: localhost
  connection: local
  gather_facts: false
  vars: {word: warm}
  tasks:
    - ansible.builtin.debug:
        msg: "{{ word }} {{ 6 * 7 }} {{ lookup('ansible.builtin.env', 'E2E_SELF_TEST') }}"
"""
_GRACE_SECONDS = 2.0


def main() -> None:
    """Boot, say `ready` on standard output, then serve until standard input ends."""
    path = Path(sys.argv[1])
    sys.argv = ["ansible-playbook"]
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    boot()
    pages = _test_itself(path.parent)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        server.bind(str(path))
        path.chmod(0o600)  # the folder is private already
        server.listen()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        _Server(server, path.parent, pages).serve()
    # Whoever made the folder may have been killed.
    shutil.rmtree(path.parent, ignore_errors=True)


def _test_itself(folder: Path) -> Ranges:
    """Run a playbook in a child as any other, and learn what it needs: regular expressions, memory that it writes to.

    Raises:
        SystemExit: it did not print what it must.
    """
    playbook, inventory, learned = (folder / f"self-test.{kind}" for kind in ("yml", "ini", "json"))
    playbook.write_text(_SELF_TEST, encoding="utf-8")
    inventory.write_text("localhost\n", encoding="utf-8")
    argv = ["ansible-playbook", "-i", str(inventory), str(playbook)]
    environment = {**os.environ, "E2E_SELF_TEST": "fork"}
    request = {"argv": argv, "env": environment, "cwd": str(folder), "learn": str(learned)}
    master, slave = pty.openpty()
    child = ForkedChild.fork(leave=lambda: os.close(master))
    child.hand_over(json.dumps(request).encode(), [slave] * STREAMS)
    os.close(slave)
    said = _read_all(master)
    _, status = os.waitpid(child.pid, 0)
    if status != 0 or b"warm 42 fork" not in said:
        raise SystemExit(f"the self-test of the warm parent failed: {said.decode(errors='replace')[-400:]}")
    lesson = json.loads(learned.read_text())
    for pattern, flags in lesson["patterns"]:
        re.compile(pattern, flags)
    return tuple((start, length) for start, length in lesson["pages"])


def _read_all(terminal: int) -> bytes:
    parts = []
    with suppress(OSError):  # EIO is how a terminal ends
        while data := os.read(terminal, 4096):
            parts.append(data)
    os.close(terminal)
    return b"".join(parts)


class _Server:
    """Serves requests one after the other; children run side by side."""

    def __init__(self, server: socket.socket, folder: Path, pages: Ranges) -> None:
        self._server = server
        self._folder = os.fsencode(folder)
        self._pages = pages
        self._clients: dict[int, socket.socket] = {}
        self._woken, self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        self._next: ForkedChild | None = None

    def serve(self) -> None:
        """Until standard input ends; then all that belongs to a playbook is ended."""
        self._fork_ahead()
        while True:
            clients = list(self._clients.values())
            ready, _, _ = select.select([self._server, sys.stdin, self._woken, *clients], [], [])
            if sys.stdin in ready:
                break
            if self._woken in ready:
                os.read(self._woken, 4096)
                self._reap()
            if self._server in ready:
                self._take()
                self._fork_ahead()
            for client in ready:
                if client in clients:
                    self._hang_up(client)
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in self._left():
                _signal(pid, number)
            if Deadline(_GRACE_SECONDS).wait_for(self._alone, interval=0.02):
                return

    def _alone(self) -> bool:
        self._reap()
        return not self._left()

    def _left(self) -> list[int]:
        """Descendants that know our folder, as all playbooks do. A node that one has started does not, and stays."""
        return [pid for pid in family(os.getpid())[1:] if self._folder in _environment(pid)]

    def _fork_ahead(self) -> None:
        if self._next is None:
            with suppress(OSError):  # whoever asks next is told why
                self._next = ForkedChild.fork(self._leave, self._pages)

    def _leave(self) -> None:
        """In a child: let go of what serves."""
        for connection in (self._server, *self._clients.values()):
            connection.close()
        os.close(self._woken)
        os.close(self._wake)

    def _take(self) -> None:
        client, _ = self._server.accept()
        request, streams, flags, _address = socket.recv_fds(client, MOST_BYTES, STREAMS)
        try:
            pid = self._hand_over(request, streams, flags)
            client.send(json.dumps({"pid": pid}).encode())
            self._clients[pid] = client
        except (OSError, ValueError) as error:
            client.send(json.dumps({"error": f"{type(error).__name__}: {error}"}).encode())
            client.close()
        finally:
            for stream in streams:
                os.close(stream)

    def _hand_over(self, request: bytes, streams: list[int], flags: int) -> int:
        if flags & socket.MSG_TRUNC or not request:
            raise ValueError(f"the request is empty or over {MOST_BYTES} bytes")
        child, self._next = self._next, None
        child = child or ForkedChild.fork(self._leave, self._pages)
        child.hand_over(request, streams)
        return child.pid

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if self._next is not None and self._next.pid == pid:
                self._next = None  # it was ended by somebody; the next request gets a new one
            client = self._clients.pop(pid, None)
            if client is not None:  # else it was an orphan of a child
                _send(client, {"status": status})
                client.close()

    def _hang_up(self, client: socket.socket) -> None:
        """A client that goes away does not want its child any more."""
        for pid, known in list(self._clients.items()):
            if known is client:
                _signal(pid, signal.SIGTERM)
                del self._clients[pid]
        client.close()


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:  # it has ended
        return b""


def _send(client: socket.socket, answer: Mapping[str, int]) -> None:
    try:
        client.send(json.dumps(answer).encode())
    except OSError:  # it is gone, and so does not want to know
        return


if __name__ == "__main__":
    main()

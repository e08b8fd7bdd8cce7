"""The way to a warm parent: start it, ask it for children, end it."""

from __future__ import annotations

import json
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from e2e_ansible.errors import HarnessError

__all__ = ["Child", "WarmParent"]

_ANSWER_BYTES = 4096
_ANSWER_SECONDS = 5
_END_SECONDS = 5  # it gives its children 2 + 2


class Child:
    """A forked ansible-playbook. `status` is as `os.wait` gives it."""

    def __init__(self, pid: int, connection: socket.socket) -> None:
        self.pid = pid
        self._connection = connection

    def wait(self, seconds: float) -> int | None:
        """Its wait status once it has ended; None while it runs.

        Raises:
            HarnessError: the parent died, and the child with it.
        """
        if not select.select([self._connection], [], [], seconds)[0]:
            return None
        data = self._connection.recv(_ANSWER_BYTES)
        if not data:
            raise HarnessError("the warm parent died in the middle of a playbook")
        return int(json.loads(data)["status"])

    def close(self) -> None:
        """Hang up; a child that still runs is told to end."""
        self._connection.close()


class WarmParent:
    """The parent process. It is in a session of its own, so that Ctrl-C does not reach it."""

    def __init__(self, process: subprocess.Popen[bytes], path: Path) -> None:
        self._process = process
        self._path = path
        self._ready = False
        self._booting = threading.Lock()

    @classmethod
    def start(cls, folder: Path, environment: Mapping[str, str]) -> WarmParent:
        """Start it; returns at once, long before it is ready. `folder` is private and short.

        Raises:
            OSError: it could not be started.
        """
        path = folder / "warm"
        with (folder / "warm.err").open("wb") as errors:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "e2e_ansible.engine.warm.parent", str(path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=dict(environment),
                start_new_session=True,
            )
        return cls(process, path)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def await_ready(self, seconds: float) -> bool:
        """Whether it serves, or does so within `seconds`."""
        stdout = self._process.stdout
        with self._booting:
            if not self._ready and stdout is not None and select.select([stdout], [], [], seconds)[0]:
                self._ready = stdout.readline() == b"ready\n"
        return self._ready and self.alive

    def said(self) -> str:
        """The end of what it wrote to its error output."""
        errors = self._path.with_name("warm.err")
        return errors.read_text(encoding="utf-8", errors="replace").strip()[-500:] if errors.exists() else ""

    def fork(
        self, argv: Sequence[str], environment: Mapping[str, str], folder: str, streams: Sequence[int]
    ) -> Child:
        """One child.

        Raises:
            HarnessError: there is none, and nothing was run.
        """
        request = json.dumps({"argv": list(argv), "env": dict(environment), "cwd": folder}).encode()
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            return Child(self._ask(connection, request, streams), connection)
        except (OSError, ValueError) as error:
            connection.close()
            raise HarnessError(f"the warm parent cannot fork: {error}") from error

    def _ask(self, connection: socket.socket, request: bytes, streams: Sequence[int]) -> int:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * len(request))
        connection.connect(str(self._path))
        socket.send_fds(connection, [request], list(streams))
        if not select.select([connection], [], [], _ANSWER_SECONDS)[0]:
            raise TimeoutError(f"no answer in {_ANSWER_SECONDS} s")
        answer = json.loads(connection.recv(_ANSWER_BYTES) or b"{}")
        if "pid" not in answer:
            raise ValueError(answer.get("error", "it hung up"))
        return int(answer["pid"])

    def stop(self) -> None:
        """End it. One that serves ends by itself, and its children, when its input ends; another one is killed."""
        if self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_SECONDS if self._ready else 0)
        if self.alive:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

"""Starts the client as a process, gives it orders, and ends it; every wait has a deadline."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from pydantic import BaseModel, ConfigDict, ValidationError

import e2e_ansible
from e2e_ansible.deadline import Deadline
from e2e_ansible.errors import HarnessError
from e2e_ansible.oracle.config import ClientConfig, save

__all__ = ["ClientProcess", "Reply"]

_START_SECONDS = 30
_GRACE_SECONDS = 5


class Reply(BaseModel):
    """What the client says: number of the last pause, highest id tried, how many operations ended how,
    its clock in nanoseconds, and the bytes of its history."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    reply: str
    mark: int
    last: int
    paused: bool
    ok: int
    fail: int
    unknown: int
    wall: int = 0
    size: int = 0


class ClientProcess:
    """A running client. It dies with this process; use it as a context manager, or call `stop`.

    Its error output goes to a file beside the history. No password passes through here: the configuration
    names a file.
    """

    def __init__(self, process: subprocess.Popen[bytes], config: ClientConfig, errors: Path) -> None:
        self._process = process
        self._config = config
        self._errors = errors
        self._unread = b""
        self._last: Reply | None = None

    @classmethod
    def start(cls, config: ClientConfig, *, seconds: float = _START_SECONDS) -> ClientProcess:
        """Start a client; it continues an existing history. Returns when it listens, at most `seconds` later.

        Raises:
            HarnessError: it did not come up; the message holds what it said.
        """
        file = config.history.with_name(config.history.name + ".config")
        errors = config.history.with_name(config.history.name + ".err")
        save(config, file)
        command = [sys.executable, "-P", "-m", "e2e_ansible.oracle.client", "--config", str(file)]
        descriptor = os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            process = subprocess.Popen(
                [*command, "--parent", str(os.getpid())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=descriptor,
                env=_environment(),
                start_new_session=True,
            )
        finally:
            os.close(descriptor)
        client = cls(process, config, errors)
        try:
            client._await("ready", Deadline(seconds))
        except BaseException:
            client.kill()
            raise
        return client

    @property
    def pid(self) -> int:
        """Process id; also the id of its session and process group."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def check(self) -> None:
        """See that it runs.

        Raises:
            HarnessError: it has ended; the message holds what it said.
        """
        if not self.running:
            raise self._gone("anything more")

    def pause(self, seconds: float | None = None) -> Reply:
        """Let what is under way end and do no more until `resume`; judge a look now by `last`.

        Raises:
            HarnessError: it ended or did not answer in time.
        """
        return self._ask("pause", seconds)

    def resume(self, seconds: float | None = None) -> Reply:
        """Go on.

        Raises:
            HarnessError: it ended or did not answer in time.
        """
        return self._ask("resume", seconds)

    def status(self, seconds: float | None = None) -> Reply:
        """How far it is.

        Raises:
            HarnessError: it ended or did not answer in time.
        """
        return self._ask("status", seconds)

    def stop(self, seconds: float | None = None) -> Reply | None:
        """End it: ask, and after `seconds` SIGTERM, then SIGKILL, which adds 10 seconds at most.

        Returns its last words, None if it had none. May be called again.
        """
        deadline = Deadline(self._patience(seconds))
        with suppress(HarnessError):
            self._send("stop")
            self._await("stop", deadline)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(max(deadline.remaining, 0.1))
        self.kill()
        return self._last if self._last and self._last.reply == "stop" else None

    def kill(self) -> None:
        """End it now: SIGTERM, a few seconds, SIGKILL."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.running:
                self._process.send_signal(number)
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(_GRACE_SECONDS)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    def __enter__(self) -> ClientProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _patience(self, seconds: float | None) -> float:
        return self._config.attempt_seconds + _GRACE_SECONDS if seconds is None else seconds

    def _ask(self, order: str, seconds: float | None) -> Reply:
        deadline = Deadline(self._patience(seconds))
        self._send(order)
        return self._await(order, deadline)

    def _send(self, order: str) -> None:
        stdin = self._process.stdin
        if stdin is None or stdin.closed:
            raise HarnessError("the client was stopped")
        try:
            os.write(stdin.fileno(), order.encode() + b"\n")
        except OSError as error:
            raise self._gone(order) from error

    def _await(self, order: str, deadline: Deadline) -> Reply:
        """The next reply to `order`; late replies to earlier orders are passed over."""
        while True:
            line = self._line(order, deadline)
            try:
                reply = Reply.model_validate_json(line)
            except ValidationError as error:
                raise HarnessError(f"the client answered {line[:200]!r} to {order}") from error
            self._last = reply
            if reply.reply == order:
                return reply

    def _line(self, order: str, deadline: Deadline) -> bytes:
        stdout = self._process.stdout
        if stdout is None or stdout.closed:
            raise HarnessError("the client was stopped")
        while b"\n" not in self._unread:
            if not select.select([stdout], [], [], deadline.remaining)[0]:
                raise HarnessError(f"the client did not answer to {order} in {deadline.seconds} s")
            data = os.read(stdout.fileno(), 4096)
            if not data:
                raise self._gone(order)
            self._unread += data
        line, _, self._unread = self._unread.partition(b"\n")
        return line

    def _gone(self, order: str) -> HarnessError:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_GRACE_SECONDS)
        said = self._errors.read_text(encoding="utf-8", errors="replace").strip()[-500:]
        code = self._process.poll()
        return HarnessError(f"the client ended with code {code} before it answered to {order}: {said}")


def _environment() -> dict[str, str]:
    """This environment without libpq's own variables, and with the way to this package."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    here = str(Path(e2e_ansible.__file__).resolve().parent.parent)
    path = kept.get("PYTHONPATH", "")
    return {**kept, "PYTHONPATH": f"{here}{os.pathsep}{path}" if path else here}

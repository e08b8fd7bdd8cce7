"""What ansible-runner holds in place of a process that it started itself: a child of the warm parent on a terminal."""

from __future__ import annotations

import os
import pty
import termios
from collections.abc import Mapping, Sequence
from typing import Any

from pexpect.fdpexpect import fdspawn

from e2e_ansible.engine.warm.link import Child, WarmParent
from e2e_ansible.errors import HarnessError

__all__ = ["WarmSpawn"]

_PATIENCE_SECONDS = 0.05


class WarmSpawn(fdspawn):  # type: ignore[misc]  # pexpect has no types
    """Has of `pexpect.spawn` what ansible-runner uses."""

    def __init__(
        self,
        parent: WarmParent,
        command: str,
        args: Sequence[str],
        *,
        cwd: str,
        env: Mapping[str, str],
        **options: Any,
    ) -> None:
        master, slave = pty.openpty()
        _no_echo(slave)
        try:
            self._child: Child = parent.fork([command, *args], env, cwd, [slave, slave, slave])
        except BaseException:
            os.close(master)
            raise
        finally:
            os.close(slave)
        kept = ("encoding", "codec_errors", "use_poll")
        super().__init__(master, **{key: value for key, value in options.items() if key in kept})
        self.pid = self._child.pid
        self.exitstatus: int | None = None
        self.signalstatus: int | None = None
        self.died: HarnessError | None = None

    def isalive(self) -> bool:
        """Whether the child still runs; waits a moment once its terminal is closed."""
        if self.exitstatus is not None or self.signalstatus is not None or self.died is not None:
            return False
        try:
            status = self._child.wait(_PATIENCE_SECONDS if self.flag_eof else 0)
        except HarnessError as error:
            self.died = error
            return False
        if status is None:
            return True
        if os.WIFEXITED(status):
            self.exitstatus = os.WEXITSTATUS(status)
        else:
            self.signalstatus = os.WTERMSIG(status)
        return False

    def close(self) -> None:
        """Close the terminal and hang up."""
        self._child.close()
        super().close()


def _no_echo(descriptor: int) -> None:
    settings = termios.tcgetattr(descriptor)
    settings[3] &= ~termios.ECHO
    termios.tcsetattr(descriptor, termios.TCSANOW, settings)

"""Runs scripts on one node, as root and in bounded time, over the connection of an Ansible action."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from e2e_ansible.deadline import Deadline
from e2e_ansible.nodes.plain import NO_TERMINAL

__all__ = ["Done", "Hands"]

_AGAIN_SECONDS = 0.3
_KILL_SECONDS = 5


@dataclass(frozen=True)
class Done:
    """One script that was run; `said` is what it printed, in one line."""

    code: int
    said: str


@dataclass(frozen=True)
class Hands:
    """`execute` is `_low_level_execute_command` of an action; `reset` drops its connection."""

    execute: Callable[..., Mapping[str, Any]]
    reset: Callable[[], None]
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def run(self, script: str, seconds: float) -> Done:
        """Run it once. Never raises: a node that cannot be reached is a script that failed."""
        words = ["timeout", "-k", str(_KILL_SECONDS), f"{seconds:g}", "sh", "-c", script]
        try:
            done = self.execute(f"{shlex.join(words)} </dev/null", in_data=NO_TERMINAL)
        except Exception as error:  # whatever a connection plugin raises
            return Done(255, _one_line(str(error)) or type(error).__name__)
        said = _one_line(f"{done.get('stderr', '')}\n{done.get('stdout', '')}")
        return Done(int(done["rc"]), said or f"exit status {done['rc']}")

    def run_until(self, script: str, seconds: float, *, fresh: bool = False) -> Done:
        """Run it, at least once, until it succeeds or the time is over; `fresh` begins with a new login."""
        deadline = Deadline(seconds, clock=self.clock, sleep=self.sleep)
        while True:
            if fresh:
                self.reset()
            done = self.run(script, max(5.0, deadline.remaining))
            if done.code == 0 or deadline.remaining < _AGAIN_SECONDS:
                return done
            deadline.pause(_AGAIN_SECONDS)


def _one_line(text: str, limit: int = 600) -> str:
    lines = [line for line in text.splitlines() if not line.startswith("Shared connection to ")]
    return " ".join(" ".join(lines).split())[:limit]

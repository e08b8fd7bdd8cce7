# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a command over the connection itself: no Python on the target, no terminal, both outputs apart."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from ansible.plugins.action import ActionBase

_KILL_SECONDS = 5
_TIMED_OUT = (124, 137)
#: ssh takes a terminal unless something is to be sent; the command itself reads nothing of it.
_NO_TERMINAL = b"\n"


class ActionModule(ActionBase):
    """Result: as `ansible.builtin.command`; cmd is the list of arguments, delta covers the way there and back."""

    _VALID_ARGS = frozenset(("argv", "chdir", "timeout_seconds"))

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the command and tell what came of it."""
        result = super().run(tmp, task_vars or {})
        _, args = self.validate_argument_spec(
            {
                "argv": {"type": "list", "elements": "str", "required": True},
                "chdir": {"type": "str"},
                "timeout_seconds": {"type": "int", "required": True},
            }
        )
        begin, start = datetime.now(UTC), time.monotonic()
        done = self._low_level_execute_command(
            command(args["argv"], args["timeout_seconds"]), in_data=_NO_TERMINAL, chdir=args["chdir"]
        )
        seconds = time.monotonic() - start
        said = {name: str(done[name]).rstrip("\r\n") for name in ("stdout", "stderr")}
        failure = complaint(done["rc"], seconds, args["timeout_seconds"])
        return {
            **result,
            **said,
            **{f"{name}_lines": text.splitlines() for name, text in said.items()},
            "rc": done["rc"],
            "changed": True,
            "cmd": args["argv"],
            "start": str(begin),
            "end": str(begin + timedelta(seconds=seconds)),
            "delta": str(timedelta(seconds=seconds)),
            **({"failed": True, "msg": failure} if failure else {}),
        }


def command(argv: Sequence[str], timeout_seconds: int) -> str:
    """The shell words: the target itself ends the command, also when nobody waits for it any more."""
    words = ["timeout", "-k", str(_KILL_SECONDS), str(timeout_seconds), *argv]
    return f"{shlex.join(words)} </dev/null"


def complaint(code: int, seconds: float, timeout_seconds: int) -> str:
    """Why this is a failure; empty if it is none."""
    if code in _TIMED_OUT and seconds >= timeout_seconds:
        return f"the command was ended after {timeout_seconds} s"
    return "non-zero return code" if code else ""

"""One plain command on one node: the words that are sent, and what is told of it afterwards."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

__all__ = ["ARGUMENTS", "NO_TERMINAL", "command", "run_plain"]

ARGUMENTS: Mapping[str, Mapping[str, object]] = {
    "argv": {"type": "list", "elements": "str", "required": True},
    "chdir": {"type": "str"},
    "timeout_seconds": {"type": "int", "required": True},
}
_KILL_SECONDS = 5
_TIMED_OUT = (124, 137)
#: ssh takes a terminal unless something is to be sent; the command itself reads nothing of it.
NO_TERMINAL = b"\n"


def run_plain(
    execute: Callable[..., Mapping[str, Any]],
    argv: Sequence[str],
    timeout_seconds: int,
    chdir: str | None = None,
) -> dict[str, Any]:
    """The result, as of `ansible.builtin.command`; `execute` is `_low_level_execute_command` of an action.

    `cmd` is the list of arguments; `delta` covers the way there and back.
    """
    begin, start = datetime.now(UTC), time.monotonic()
    done = execute(command(argv, timeout_seconds), in_data=NO_TERMINAL, chdir=chdir)
    seconds = time.monotonic() - start
    said = {name: str(done[name]).rstrip("\r\n") for name in ("stdout", "stderr")}
    failure = _complaint(done["rc"], seconds, timeout_seconds)
    return {
        **said,
        **{f"{name}_lines": text.splitlines() for name, text in said.items()},
        "rc": done["rc"],
        "changed": True,
        "cmd": list(argv),
        "start": str(begin),
        "end": str(begin + timedelta(seconds=seconds)),
        "delta": str(timedelta(seconds=seconds)),
        **({"failed": True, "msg": failure} if failure else {}),
    }


def command(argv: Sequence[str], timeout_seconds: int) -> str:
    """The shell words: the target itself ends the command, also when nobody waits for it any more."""
    words = ["timeout", "-k", str(_KILL_SECONDS), str(timeout_seconds), *argv]
    return f"{shlex.join(words)} </dev/null"


def _complaint(code: int, seconds: float, timeout_seconds: int) -> str:
    if code in _TIMED_OUT and seconds >= timeout_seconds:
        return f"the command was ended after {timeout_seconds} s"
    return "non-zero return code" if code else ""

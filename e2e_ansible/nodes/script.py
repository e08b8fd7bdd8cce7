"""One script for the shell of one node: sent with the command that runs it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from e2e_ansible.errors import UsageError
from e2e_ansible.nodes.plain import NO_TERMINAL

__all__ = ["ARGUMENTS", "run_script"]

ARGUMENTS: Mapping[str, Mapping[str, object]] = {
    "script": {"type": "str", "required": True},
    "argv": {"type": "list", "elements": "str", "default": []},
}
#: Linux takes no longer argument of a program.
_MOST_BYTES = 128 * 1024 - 1


def run_script(execute: Callable[..., Mapping[str, Any]], path: Path, argv: Sequence[str]) -> dict[str, Any]:
    """The result, as of `ansible.builtin.script`; `execute` is `_low_level_execute_command` of an action.

    Raises:
        UsageError: the script is too long to be sent so.
    """
    text = path.read_text()
    if len(text.encode()) > _MOST_BYTES:
        raise UsageError(f"{path.name} is longer than {_MOST_BYTES} bytes")
    words = ["/bin/sh", "-c", text, path.name, *argv]
    done = execute(f"{shlex.join(words)} </dev/null", in_data=NO_TERMINAL)
    said = {name: str(done[name]).rstrip("\r\n") for name in ("stdout", "stderr")}
    return {
        **said,
        **{f"{name}_lines": output.splitlines() for name, output in said.items()},
        "rc": done["rc"],
        "changed": True,
        **({"failed": True, "msg": "non-zero return code"} if done["rc"] else {}),
    }

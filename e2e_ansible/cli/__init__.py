"""The command line: one module per command, and one place where errors become words and exit codes."""

from __future__ import annotations

import os
import sys

__all__ = ["main"]

_DEBUG = "E2E_DEBUG"


def main() -> None:
    """Run the command line, and exit with the code of what happened (see `errors` and `judge.verdict`)."""
    from e2e_ansible.cli.app import app

    try:
        app(prog_name="e2e-ansible")  # however it was started
    except Exception as error:
        if os.environ.get(_DEBUG) or "--debug" in sys.argv:
            raise
        sys.exit(_tell_bug(error))


def _tell_bug(error: Exception) -> int:
    from e2e_ansible.cli.group import tell
    from e2e_ansible.errors import HarnessError

    hint = f"this is a bug of e2e-ansible; {_DEBUG}=1 shows where it is"
    return tell(HarnessError(f"{type(error).__name__}: {error}", hint=hint))

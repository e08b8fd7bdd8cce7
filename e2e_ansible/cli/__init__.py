"""The command line: one module per command, and one place where errors become words and exit codes."""

from __future__ import annotations

import sys

from e2e_ansible.errors import E2EError

__all__ = ["main"]

_INTERRUPTED = 130
_DEBUG = "--debug"


def main() -> None:
    """Run the command line, and exit with the code of what happened (see `errors` and `judge.verdict`)."""
    from e2e_ansible.cli.app import app

    try:
        app()
    except E2EError as error:
        sys.exit(_tell(error))
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    except Exception as error:
        if _DEBUG in sys.argv:
            raise
        sys.exit(_tell(_as_ours(error)))


def _as_ours(error: Exception) -> E2EError:
    from e2e_ansible.errors import HarnessError, InfrastructureError

    if isinstance(error, OSError):
        return InfrastructureError(str(error))
    hint = f"this is a bug of e2e-ansible; {_DEBUG} shows where it is"
    return HarnessError(f"{type(error).__name__}: {error}", hint=hint)


def _tell(error: E2EError) -> int:
    from rich.console import Console

    from e2e_ansible.report.problems import print_problems

    print_problems(Console(stderr=True), error)
    return error.exit_code

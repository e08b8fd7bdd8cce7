"""All commands together: what they raise on purpose becomes words on standard error, and an exit code."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from e2e_ansible.errors import E2EError, InfrastructureError

__all__ = ["Group", "tell"]

_INTERRUPTED = 130


class Group(TyperGroup):
    """The root of the command line."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was named; only bugs leave as exceptions."""
        try:
            return super().invoke(ctx)
        except E2EError as error:
            code = tell(error)
        except BrokenPipeError:
            raise
        except OSError as error:
            code = tell(InfrastructureError(_words(error)))
        except KeyboardInterrupt:
            code = _INTERRUPTED
        raise typer.Exit(code)


def tell(error: E2EError) -> int:
    """Print an error; returns its exit code."""
    from rich.console import Console

    from e2e_ansible.report.problems import print_problems

    print_problems(Console(stderr=True), error)
    return error.exit_code


def _words(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)

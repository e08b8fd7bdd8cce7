"""All commands together: what they raise on purpose becomes words on standard error, and an exit code."""

from __future__ import annotations

from collections.abc import Callable
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
        except typer.BadParameter as error:
            _say_value(error)
            raise
        except BrokenPipeError:
            raise
        except OSError as error:
            code = tell(InfrastructureError(_words(error)))
        except KeyboardInterrupt:
            code = _INTERRUPTED
        raise typer.Exit(code)


def _say_value(error: typer.BadParameter) -> None:
    """Some versions of Typer tell what an option takes, and not what it was given."""
    tell_all: Callable[[], list[dict[str, Any]]] = getattr(error.__cause__, "errors", list)
    for each in tell_all()[:1]:
        given = repr(each.get("input"))
        if given not in error.message:
            error.message = f"{error.message}, not {given}"


def tell(error: E2EError) -> int:
    """Print an error; returns its exit code."""
    from rich.console import Console

    from e2e_ansible.report.problems import print_problems

    print_problems(Console(stderr=True), error)
    return error.exit_code


def _words(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)

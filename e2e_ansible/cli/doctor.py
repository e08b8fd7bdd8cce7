"""`e2e-ansible doctor`: what this machine lacks, and its installation."""

from __future__ import annotations

import shlex
import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from e2e_ansible.providers.base import Finding

__all__ = ["doctor"]

_MISSING = 4
_MARK = len("missing")


def doctor(
    fix: Annotated[bool, typer.Option("--fix", help="Install the missing packages.")] = False,
    provider: Annotated[
        str, typer.Option("--provider", metavar="NAME", help="For nodes of this provider.")
    ] = "local",
) -> None:
    """Look for what running tests needs on this machine. Each missing thing comes with its remedy."""
    from e2e_ansible import doctor as work

    found = work.findings(provider)
    if fix and _missing(found):
        typer.echo("installing what is missing", err=True)
        found = work.fix(found, provider)
    _print(found)
    missing = _missing(found)
    if missing:
        typer.echo(_advice(missing))
        raise typer.Exit(_MISSING)


def _missing(found: Sequence[Finding]) -> list[Finding]:
    return [finding for finding in found if not finding.ok]


def _print(found: Sequence[Finding]) -> None:
    """One line each; on a terminal no longer than that is wide, but a command is never broken."""
    width = max(len(finding.name) for finding in found)
    indent = " " * (width + _MARK + 4)
    for finding in found:
        mark = "ok" if finding.ok else "missing"
        lines = _wrapped(finding.detail, len(indent))
        typer.echo(f"{mark:<{_MARK}}  {finding.name:<{width}}  {f'{chr(10)}{indent}'.join(lines)}")
        if not finding.ok and finding.remedy:
            typer.echo(f"{'':{_MARK}}  {shlex.join(finding.remedy)}")


def _wrapped(text: str, left: int) -> list[str]:
    if not sys.stdout.isatty():
        return [text]
    room = max(20, shutil.get_terminal_size().columns - left)
    return textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [text]


def _advice(missing: Sequence[Finding]) -> str:
    by_hand = [finding.name for finding in missing if not finding.remedy]
    text = f"\n{len(missing)} missing"
    if len(by_hand) < len(missing):
        text += "; `e2e-ansible doctor --fix` installs packages"
    return text + (f"; for you to do: {', '.join(by_hand)}" if by_hand else "")

"""`e2e-ansible doctor`: what this machine lacks, and its installation."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from e2e_ansible.providers.base import Finding

__all__ = ["doctor"]

_MISSING = 4


def doctor(
    fix: Annotated[bool, typer.Option("--fix", help="Install the missing packages.")] = False,
    provider: Annotated[str, typer.Option("--provider", help="For nodes of this provider.")] = "local",
) -> None:
    """Look at what running tests needs on this machine; each missing thing with its remedy."""
    from e2e_ansible import doctor as work

    found = work.findings(provider)
    if fix and not all(finding.ok for finding in found):
        found = work.fix(found, provider)
    _print(found)
    if not all(finding.ok for finding in found):
        raise typer.Exit(_MISSING)


def _print(found: Sequence[Finding]) -> None:
    width = max(len(finding.name) for finding in found)
    for finding in found:
        mark = "ok     " if finding.ok else "missing"
        typer.echo(f"{mark}  {finding.name:<{width}}  {finding.detail}")
        if not finding.ok and finding.remedy:
            typer.echo(f"{'':{width + 11}}{shlex.join(finding.remedy)}")

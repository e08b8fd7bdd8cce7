"""`e2e-ansible reap`: find what runs have left at the providers, by its tags, and remove it."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from e2e_ansible.providers.base import Provider
    from e2e_ansible.run.reaping import Orphan

__all__ = ["reap"]

_HEADINGS = ("provider", "deployment", "age", "why", "owner", "run", "things")
_AGE, _THINGS = 2, 6
_LEFT, _UNASKED = 6, 4


def reap(
    provider: Annotated[
        list[str] | None,
        typer.Option(
            "--provider", metavar="NAME", help="Ask this provider; may be repeated. Else all that are set up."
        ),
    ] = None,
    older_than: Annotated[
        str | None,
        typer.Option("--older-than", metavar="AGE", help="Also what is older: 90m, 24h, 7d, expired or not."),
    ] = None,
    deployment: Annotated[
        list[str] | None,
        typer.Option("--deployment", metavar="ID", help="Only this deployment, of any age; may be repeated."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Remove without a question.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be removed.")] = False,
) -> None:
    """Find what runs have left at the providers, by its tags and without any run folder, and remove it.

    Without options, that is what has expired. It is shown, and removed after a yes; without a terminal, only with
    --yes. What belongs to a run that is alive on this machine stays.
    """
    from e2e_ansible.cli.durations import seconds_of
    from e2e_ansible.cli.group import tell
    from e2e_ansible.errors import UsageError
    from e2e_ansible.run.reaping import Choice, chosen, deployed

    if yes and dry_run:
        raise UsageError("--yes removes and --dry-run does not", hint="choose one of them")
    age = seconds_of(older_than, "--older-than") if older_than is not None else None
    providers = _asked(provider)
    there, errors = deployed(providers)
    for error in errors:
        tell(error)
    found = chosen(there, Choice(age, tuple(deployment or ())), time.time())
    code = _UNASKED if errors else 0
    _show(found, deployment or (), list(there))
    loose = [orphan for orphan in found if not orphan.alive]
    if loose and _agreed(loose, yes=yes, dry_run=dry_run) and not _removed(loose, providers):
        code = _LEFT
    if code:
        raise typer.Exit(code)


def _asked(names: Sequence[str] | None) -> dict[str, Provider]:
    """The providers that are named, or all that are set up on this machine; which are not is told."""
    from e2e_ansible.providers.registry import get_provider, provider_names

    if names:
        return {name: get_provider(name) for name in dict.fromkeys(names)}
    all_of_them = {name: get_provider(name) for name in provider_names()}
    ready = {name: each for name, each in all_of_them.items() if _is_set_up(each)}
    left_out = [name for name in all_of_them if name not in ready]
    if left_out:
        typer.echo(f"not asked, because they are not set up here: {', '.join(left_out)}", err=True)
    return ready


def _is_set_up(provider: Provider) -> bool:
    """Its own records are always readable; another one is asked when it was used, or could be."""
    from e2e_ansible.providers.cloud.record import CloudStore

    if provider.name == "local" or CloudStore(provider.name).ids():
        return True
    return all(finding.ok for finding in provider.doctor())


def _show(found: Sequence[Orphan], named: Sequence[str], asked: Sequence[str]) -> None:
    from rich.console import Console

    from e2e_ansible.report.table import print_table

    for name in named:
        if name not in [orphan.found.deployment for orphan in found]:
            typer.echo(f"there is nothing of deployment {name}")
    if found:
        print_table(Console(), [_HEADINGS, *map(_row, found)], wraps=_THINGS, right=[_AGE])
    elif not named and asked:
        typer.echo(f"nothing to reap; asked: {', '.join(asked)}")


def _row(orphan: Orphan) -> Sequence[str]:
    found = orphan.found
    return (
        orphan.provider,
        found.deployment,
        _age(found.created),
        f"{orphan.reason}, but {orphan.alive}: stays" if orphan.alive else orphan.reason,
        found.owner or "-",
        found.run or "-",
        ", ".join(found.things),
    )


def _age(created: float) -> str:
    if not created:
        return "?"
    hours = max(0.0, time.time() - created) / 3600
    if hours < 1:
        return f"{hours * 60:.0f}m"
    return f"{hours:.0f}h" if hours < 72 else f"{hours / 24:.0f}d"


def _agreed(loose: Sequence[Orphan], *, yes: bool, dry_run: bool) -> bool:
    if yes:
        return True
    number = f"{len(loose)} deployment{'s' if len(loose) > 1 else ''}"
    if not dry_run and sys.stdin.isatty() and sys.stdout.isatty():
        return typer.confirm(f"remove {number}?")
    typer.echo(f"nothing was removed; --yes removes {number}")
    return False


def _removed(loose: Sequence[Orphan], providers: Mapping[str, Provider]) -> bool:
    """Remove each, whatever becomes of the others; whether all are gone."""
    from e2e_ansible.cli.group import tell
    from e2e_ansible.errors import E2EError
    from e2e_ansible.run.reaping import reap as remove

    left = 0
    for orphan in loose:
        name = f"{orphan.found.deployment} of {orphan.provider}"
        try:
            remove(orphan, providers[orphan.provider])
        except E2EError as error:
            tell(error)
            left += 1
        else:
            typer.echo(f"removed {name}")
    return not left

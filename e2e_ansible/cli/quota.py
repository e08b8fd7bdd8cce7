"""`e2e-ansible quota`: who has nodes on this machine, who waits for some, and what is left."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from e2e_ansible.quota.amounts import Amounts, Budget
    from e2e_ansible.quota.ledger import Held, Waiting

__all__ = ["quota"]

_HEADINGS = ("deployment", "test", "provider", "nodes", "cpus", "memory", "disk", "since", "state")
_RIGHT, _STATE = (3, 4, 5, 6, 7), 8
_GIB = 1024


def quota(
    json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """Show what all runs of this machine have reserved, who waits for their turn, the budget and what is left.

    What a run that died had reserved is given back now, if its nodes are not there any more.
    """
    from e2e_ansible.providers.registry import get_provider
    from e2e_ansible.quota.amounts import total
    from e2e_ansible.quota.budget import machine_budget
    from e2e_ansible.quota.gate import settle
    from e2e_ansible.quota.ledger import Ledger

    ledger, budget = Ledger(), machine_budget()
    settle(ledger, get_provider)
    held, waiting = ledger.state()
    used = total(each.claim.amounts for each in held)
    if json:
        _print_json(held, waiting, budget, used)
    else:
        _print(held, waiting, budget, used)


def _print(held: list[Held], waiting: list[Waiting], budget: Budget, used: Amounts) -> None:
    from rich.console import Console

    from e2e_ansible.report.table import print_table

    rows = [_row(each, _state(each)) for each in held]
    rows += [_row(each, f"waits, number {place}") for place, each in enumerate(waiting, start=1)]
    if rows:
        print_table(Console(), [_HEADINGS, *rows], wraps=_STATE, right=_RIGHT)
    else:
        typer.echo("nothing is reserved, and nobody waits")
    typer.echo(f"budget: {budget}; reserved: {used}; left: {budget.left(used)}")


def _row(each: Held | Waiting, state: str) -> tuple[str, ...]:
    from e2e_ansible.report.words import duration

    claim, amounts = each.claim, each.claim.amounts
    return (
        claim.deployment,
        f"{claim.test} of {claim.run}",
        claim.provider,
        str(amounts.nodes),
        f"{amounts.millicpus / 1000:g}",
        f"{amounts.memory_mb / _GIB:.3g} GiB",
        f"{amounts.disk_mb / _GIB:.3g} GiB",
        duration(max(0.0, time.time() - each.at)),
        state,
    )


def _state(held: Held) -> str:
    from e2e_ansible.quota.holder import pid_of

    if held.alive:
        return f"held by process {pid_of(held.holder)}"
    what = "kept" if held.kept else "left by a run that died"
    return f"{what}: e2e-ansible destroy {held.claim.run}"


def _print_json(held: list[Held], waiting: list[Waiting], budget: Budget, used: Amounts) -> None:
    from dataclasses import asdict
    from json import dumps

    from e2e_ansible.quota.holder import pid_of

    def told(each: Held | Waiting) -> dict[str, Any]:
        return {"at": each.at, "pid": pid_of(each.holder), **asdict(each.claim)}

    made = {
        "held": [{**told(each), "alive": each.alive, "kept": each.kept} for each in held],
        "waiting": [told(each) for each in waiting],
        "budget": asdict(budget),
        "reserved": asdict(used),
        "left": asdict(budget.left(used)),
    }
    typer.echo(dumps(made))

"""`e2e-ansible quota`: who has nodes on this machine, who waits for some, and what is left."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from e2e_ansible.quota.amounts import Amounts, Budget
    from e2e_ansible.quota.reservation import Held, Waiting

__all__ = ["quota"]

_HEADINGS = ("what", "nodes", "cpus", "memory", "disk", "since")
_WHAT, _RIGHT = 0, (1, 2, 3, 4, 5)
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
        print_table(Console(), [_HEADINGS, *rows], wraps=_WHAT, right=_RIGHT)
    else:
        typer.echo("nothing is reserved, and nobody waits")
    left = [each for each in held if not each.alive]
    for command in dict.fromkeys(each.claim.command("destroy") for each in left):  # never broken by a table
        typer.echo(f"give back: {command}")
    typer.echo(f"budget: {budget}; reserved: {used}; left: {budget.left(used)}")


def _row(each: Held | Waiting, state: str) -> tuple[str, ...]:
    from e2e_ansible.report.words import duration

    claim, amounts = each.claim, each.claim.amounts
    return (
        f"{claim.deployment} ({claim.provider}): {claim.test} of {claim.run}, {state}",
        str(amounts.nodes),
        f"{amounts.millicpus / 1000:g}",
        _gib(amounts.memory_mb),
        _gib(amounts.disk_mb),
        duration(max(0.0, time.time() - each.at)),
    )


def _gib(megabytes: int) -> str:
    gib = megabytes / _GIB
    return f"{gib:.0f} GiB" if gib >= 100 else f"{gib:.3g} GiB"


def _state(held: Held) -> str:
    from e2e_ansible.quota.holder import pid_of

    if held.alive:
        return f"held by process {pid_of(held.holder)}"
    return "kept" if held.kept else "left by a run that died"


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

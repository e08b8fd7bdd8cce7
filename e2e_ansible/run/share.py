"""What one test has of the quota of the machine: told when it begins, and given back when its nodes are gone."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict

from e2e_ansible.compile.plan import Plan
from e2e_ansible.errors import InfrastructureError
from e2e_ansible.judge.entry import QuotaReleased, QuotaReserved
from e2e_ansible.run.context import RunContext
from e2e_ansible.run.folder import ManifestTest
from e2e_ansible.run.logbook import Logbook
from e2e_ansible.run.quota import only_reserved

__all__ = ["give_back", "let_go", "tell_reserved"]


def tell_reserved(context: RunContext, log: Logbook, plan: Plan, deployment: str) -> None:
    """Write down what was taken from the quota of the machine.

    Raises:
        OSError: it could not be written.
    """
    got = context.gate.granted(deployment) if context.gate else None
    if got is None:
        return
    waited = round(got.waited, 3)
    log.write(QuotaReserved(at=context.now(), waited=waited, **asdict(got.amounts)))
    log.say(f"reserved {got.amounts}" + (f" after {waited:.0f} s" if waited >= 1 else ""))
    if text := only_reserved(plan):
        log.say(text, level="warning")


def give_back(context: RunContext, log: Logbook, deployment: str) -> None:
    """What was taken goes back when the nodes are gone; else it stays, which is told."""
    done = log.record.clean_up
    if context.gate is None or context.lasting_nodes or context.abandon.is_set:
        return
    gone = done is not None and done.ok and not done.kept
    try:
        held = context.gate.over(deployment, gone=gone)
    except InfrastructureError as error:
        log.say(f"{error}; whoever looks next gives the quota back", level="warning")
        return
    if held is not None and gone:
        log.guarded(lambda: log.write(QuotaReleased(at=context.now())))
    elif held is not None:
        text = f"{held.claim.amounts} stay reserved until {held.claim.command('destroy')}"
        log.say(text, level="warning")


def let_go(context: RunContext, plan: Plan, entry: ManifestTest) -> None:
    """What a test has that never came to its clean-up: as long as this process lives, nobody else gives it back."""
    if context.gate is None or context.gate.granted(entry.deployment) is None or context.lasting_nodes:
        return
    gone = False
    with suppress(Exception):  # then nobody knows
        gone = entry.deployment not in context.provider(plan.provider).deployments()
    with suppress(InfrastructureError):  # then it is entered before the next test asks
        context.gate.over(entry.deployment, gone=gone)

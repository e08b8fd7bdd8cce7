"""What runs have to do with quotas: what tests claim, what is refused at once, and the gate that they go through."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from functools import partial

from e2e_ansible.compile.plan import Plan
from e2e_ansible.providers.base import Provider
from e2e_ansible.providers.local.limits import enforced
from e2e_ansible.quota.amounts import Amounts
from e2e_ansible.quota.budget import VARIABLE, machine_budget, run_budget
from e2e_ansible.quota.cost import cost_of
from e2e_ansible.quota.gate import Gate
from e2e_ansible.quota.ledger import Ledger
from e2e_ansible.quota.reservation import Claim
from e2e_ansible.report.notice import Message
from e2e_ansible.run.context import Megaphone, RunOptions
from e2e_ansible.run.folder import ManifestTest, RunFolder
from e2e_ansible.run.schedule import within_budget
from e2e_ansible.run.together import check_together
from e2e_ansible.suite.hardware import read_hardware
from e2e_ansible.unicode import whole

__all__ = ["claim_of", "only_reserved", "open_gate", "refuse_larger"]


def claim_of(run: RunFolder, plan: Plan, entry: ManifestTest) -> Claim:
    """What a test of a run takes before it begins."""
    return Claim(
        deployment=entry.deployment,
        provider=plan.provider,
        run=run.run_id,
        test=entry.name,
        amounts=cost_of(plan),
        folder=whole(str(run.path.resolve())),
    )


def only_reserved(plan: Plan) -> str:
    """What of its hardware nothing holds the nodes of a plan to, as a sentence; '' if there is nothing of that."""
    if plan.provider != "local":
        return ""
    said = read_hardware(plan.parameters.get("hardware")).values()
    asked = {name for each in said for name, amount in each if amount is not None}
    left = sorted(asked - enforced())
    return (
        f"{' and '.join(left)} of hardware are only reserved here: no container is held to that"
        if left
        else ""
    )


def refuse_larger(plans: Sequence[Plan], options: RunOptions) -> None:
    """Refuse tests that could never begin, and with a run that makes nodes a ledger that cannot be used.

    Raises:
        UsageError: tests are larger than the budget of the run or of the machine; or a budget cannot be read.
        InfrastructureError: the ledger cannot be read or written.
    """
    sizes = [(f"{plan.source}: test {plan.name}", cost_of(plan)) for plan in plans]
    check_together(partial(_refuse_for_run, sizes, options), partial(_refuse_for_machine, sizes))
    if not options.dry_run:
        Ledger().check()


def _refuse_for_run(sizes: Sequence[tuple[str, Amounts]], options: RunOptions) -> None:
    own = run_budget(options.budget, options.max_nodes)
    within_budget(sizes, own, whose="the budget of this run", hint="--budget and --max-nodes are its bounds")


def _refuse_for_machine(sizes: Sequence[tuple[str, Amounts]]) -> None:
    """The machine is only looked at when it matters: on another one suites may be planned too."""
    here = any(amounts != Amounts(amounts.nodes) for _, amounts in sizes)
    if here or os.environ.get(VARIABLE):
        hint = f"{VARIABLE}=memory_gb=16 and the like say what all runs may have; hardware, what a node has"
        within_budget(sizes, machine_budget(), whose="the budget of this machine", hint=hint)


def open_gate(provider: Callable[[str], Provider], tell: Megaphone, *, nested: bool = False) -> Gate:
    """The gate that the tests of a run go through, one after the other."""

    def say(test: str, text: str) -> None:
        tell(Message(at=time.time(), test=test, text=text))

    return Gate(Ledger(), machine_budget(), provider, say, nested)

"""What a timeline shows beside the steps: the groups they hang together in, and the faults. Times are epoch seconds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from e2e_ansible.judge.result import FaultResult, GroupResult, StepResult

if TYPE_CHECKING:
    from e2e_ansible.compile.plan import FlowItem
    from e2e_ansible.faults.ledger import FaultRecord

__all__ = ["fault_results", "group_results", "last_fault", "returned"]


#: Acts whose proof says that a node answers again.
_BACK = ("on", "return", "reboot", "reset")


def fault_results(records: Iterable[FaultRecord]) -> tuple[FaultResult, ...]:
    """The faults of a ledger without what heals them."""
    return tuple(
        FaultResult(
            id=one.id,
            fault=one.fault,
            node=one.node,
            step=one.step,
            name=one.name,
            intended=one.intended,
            injected=one.injected,
            effect=one.effect,
            effect_proved=one.effect_proved,
            healed=one.healed,
            open=one.open,
            message=one.message,
        )
        for one in records
    )


def last_fault(records: Iterable[FaultRecord]) -> tuple[float, str] | None:
    """When the last fault of a ledger was there, in epoch seconds, and which on which node; None without any."""
    there = ((one.effect or one.injected or one.intended, f"{one.fault} on {one.node}") for one in records)
    return max(there, default=None)


def returned(records: Iterable[FaultRecord], steps: Sequence[StepResult]) -> tuple[FaultRecord, ...]:
    """The faults of a ledger; what nobody heals, such as a crash, is over when a step has proved the node's return.

    The act of a role that a fault has used, `ID:crash_node`, is over with the fault `ID`.
    """
    faults = list(records)
    healed = {one.id: one.healed for one in faults if one.healed is not None}
    back = [
        (step.ended, proof.host)
        for step in steps
        for proof in step.proofs
        if step.ended is not None and proof.proved and proof.act in _BACK
    ]
    return tuple(_over(one, [at for at, host in back if host == one.node], healed) for one in faults)


def _over(record: FaultRecord, returns: Sequence[float], healed: Mapping[str, float]) -> FaultRecord:
    ends = [*returns, *(healed[name] for name in [record.id.rpartition(":")[0]] if name in healed)]
    later = [at for at in ends if at >= (record.effect or record.intended)]
    if record.heal is not None or record.healed is not None or not later:
        return record
    return record.model_copy(update={"healed": min(later)})


def group_results(items: Iterable[FlowItem], depth: int = 0) -> Iterator[GroupResult]:
    """All groups, each before those in it."""
    for item in items:
        if item.kind == "group":
            parts = (*item.body, *item.rescue, *item.final)
            yield GroupResult(
                id=item.id,
                name=item.name,
                depth=depth,
                parallel=item.parallel,
                steps=tuple(_steps(parts)),
                rescue=tuple(_steps(item.rescue)),
                final=tuple(_steps(item.final)),
            )
            yield from group_results(parts, depth + 1)


def _steps(items: Iterable[FlowItem]) -> Iterator[str]:
    for item in items:
        if item.kind == "step":
            yield item.step
        elif item.kind == "group":
            yield from _steps((*item.body, *item.rescue, *item.final))

"""What cannot be where steps run at the same time: two at one node, or one at nodes that are not there. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from e2e_ansible.compile.away import Away, conflicts
from e2e_ansible.errors import Problem
from e2e_ansible.steps.base import CompiledStep
from e2e_ansible.suite.model import Step

__all__ = ["missing_nodes", "refusal", "removal_beside", "removal_meanwhile", "same_nodes"]


def refusal(step: Step, text: str, hint: str = "") -> Problem:
    """A problem at the place of a step."""
    source = step.source
    return Problem(source.file, source.line, source.column, text, hint)


def same_nodes(lines: Sequence[Away], nodes: Sequence[str]) -> Iterator[Problem]:
    """Steps of two of these lines take away the same node, or one brings it back meanwhile."""
    for node, first, late in conflicts(lines, nodes):
        text = f"{node} is taken away or brought back by steps that run at the same time"
        yield refusal(late, text, f"the other one is on line {first.source.line}")


def missing_nodes(
    step: Step, compiled: CompiledStep, away: Collection[str], nodes: Collection[str]
) -> Iterator[Problem]:
    """What sets up something on nodes begins when they have been made."""
    sets_up = compiled.judgement.transient_retries and not compiled.brings_back
    if sets_up and not {*nodes}.isdisjoint(compiled.hosts) and {*nodes} <= {*away}:
        hint = "put it behind the step that makes them, and among its 'needs' if it has any"
        yield refusal(step, "the nodes may not be there yet when this step begins", hint)


def removal_beside(step: Step, *, branches: int) -> Iterator[Problem]:
    """A step that removes the nodes stands in a parallel group, of which there are `branches`, or in the background."""
    if branches or step.options.background:
        text = f"step {step.type!r} removes the nodes, so nothing can run at the same time"
        yield refusal(step, text, "put it after the group, and not in the background")


def removal_meanwhile(step: Step, others: str) -> Problem:
    """A step removes the nodes while `others` may still run."""
    text = f"step {step.type!r} removes the nodes while {others} may still run"
    return refusal(step, text, "put it after all of them, without 'needs'")

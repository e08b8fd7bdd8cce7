"""Nodes that may be down when a step begins, and which steps touch which: what lines of steps mean for each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from e2e_ansible.steps.base import CompiledStep
from e2e_ansible.suite.model import Step

__all__ = ["Away", "changed", "conflicts"]


@dataclass
class Away:
    """Nodes that may be down, and which steps of this line touched which: `hit` takes away, `lifted` brings back."""

    away: set[str]
    took: set[str] = field(default_factory=set)
    hit: dict[str, Step] = field(default_factory=dict)
    lifted: dict[str, Step] = field(default_factory=dict)

    def touch(self, step: Step, compiled: CompiledStep) -> None:
        """Note what a step may do to nodes."""
        self.took |= set(compiled.takes_away)
        hit = {*compiled.takes_away, *compiled.judgement.disconnects}
        self.hit |= dict.fromkeys(hit, step)
        self.lifted |= dict.fromkeys(compiled.brings_back, step)

    def join(self, other: Away) -> None:
        """What another one touched was touched here as well."""
        self.took |= other.took
        self.hit |= other.hit
        self.lifted |= other.lifted


def changed(away: Iterable[str], changes: Iterable[tuple[set[str], set[str]]]) -> set[str]:
    """The nodes that may be down after items which brought some back and took some away, in their order."""
    now = set(away)
    for back, gone in changes:
        now = (now - back) | gone
    return now


def conflicts(lines: Sequence[Away], nodes: Iterable[str]) -> Iterator[tuple[str, Step, Step]]:
    """Nodes that two of these lines touch, at least one of them to take it away: with both steps, by their place."""
    for index, one in enumerate(lines):
        for other in lines[index + 1 :]:
            for node in nodes if one.hit or other.hit else ():
                first = one.hit.get(node) or one.lifted.get(node)
                second = other.hit.get(node) or other.lifted.get(node)
                if first and second and (node in one.hit or node in other.hit):
                    early, late = sorted((first, second), key=lambda step: step.source.line)
                    yield node, early, late

"""Before and after: what the nearest looks saw around a step that looks at nothing itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields

from e2e_ansible.judge.result import StepResult
from e2e_ansible.report.axis import end_of
from e2e_ansible.report.sight import Sight, sights

__all__ = ["Around", "Change", "around"]

_LSN = re.compile(r", [0-9A-F]+/[0-9A-F]+")  # it always moves, and says nothing of the node


@dataclass(frozen=True)
class Change:
    """One thing of one node that another look saw otherwise."""

    node: str
    what: str
    before: str
    after: str


@dataclass(frozen=True)
class Around:
    """The last look that ended before a step and the first that began after it, and what differs between them."""

    before: StepResult | None
    after: StepResult | None
    changes: tuple[Change, ...] = ()
    same: tuple[str, ...] = ()
    sights: tuple[Sight, ...] = ()


def around(step: StepResult, looks: Sequence[StepResult]) -> Around | None:
    """The looks around a step, `looks` being the steps with an observation; None when there are none.

    With only one look, its sights are told; with two, the differences.
    """
    if step.started is None or step.observation is not None:
        return None
    end = end_of(step)
    before = max((one for one in looks if _at(one) <= step.started), key=_at, default=None)
    after = min((one for one in looks if _at(one) >= end), key=_at, default=None)
    if before is None and after is None:
        return None
    if before is None or after is None:
        return Around(before, after, sights=_sights(before or after))
    changes, same = _changes(_sights(before), _sights(after))
    return Around(before, after, changes, same)


def _at(step: StepResult) -> float:
    return step.observation.at if step.observation is not None else 0.0


def _sights(step: StepResult | None) -> tuple[Sight, ...]:
    return sights(step.observation) if step is not None and step.observation is not None else ()


def _changes(before: Sequence[Sight], after: Sequence[Sight]) -> tuple[tuple[Change, ...], tuple[str, ...]]:
    old, new = {one.node: one for one in before}, {one.node: one for one in after}
    changes: list[Change] = []
    same: list[str] = []
    for node in dict.fromkeys([*old, *new]):
        found = _differences(node, old.get(node), new.get(node))
        changes += found
        same += [] if found else [node]
    return tuple(changes), tuple(same)


def _differences(node: str, old: Sight | None, new: Sight | None) -> list[Change]:
    if old is None or new is None:
        said = old or new
        there = str(said).partition(": ")[2]
        return [Change(node, "node", there if old else "not there", there if new else "not there")]
    names = [each.name for each in fields(Sight) if each.name != "node"]
    return [
        Change(node, name.replace("_", " "), getattr(old, name), getattr(new, name))
        for name in names
        if _LSN.sub("", getattr(old, name)) != _LSN.sub("", getattr(new, name))
    ]

"""The course of a test as a graph: which step waits for which, in what levels, and the path that takes longest. Pure.

An item of a list waits for all before it, or for those that its `needs` names. A group begins with what it waits for,
and has ended with the last of its steps. For a step in the background only a `wait` waits, also one in a group behind
it, the end of its list, and what removes the nodes.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from e2e_ansible.compile.bounds import in_time, limit_of
from e2e_ansible.compile.plan import FlowGroup, FlowItem, FlowStep, FlowWait, Plan, PlannedStep
from e2e_ansible.errors import HarnessError

__all__ = ["Course", "Node", "course_of", "is_graph", "sinks", "waits"]

_Ids = tuple[str, ...]


@dataclass(frozen=True)
class Node:
    """One step. `after` are the steps whose end it waits for, `level` is 1 where there are none.

    `seconds` is how long it may take. A step that `watches` ends with its group, so it makes no path longer. A step
    of a rescue is `on_failure`: it counts only where it was run. Those `in_time` share what the time class leaves them.
    """

    step: str
    after: _Ids
    level: int
    seconds: float
    on_failure: bool = False
    watches: bool = False
    in_time: bool = False


@dataclass(frozen=True)
class Course:
    """The steps of a test in the order of the text, in which nothing waits for what comes later.

    `limit` are the seconds that the time class leaves for all steps that are `in_time`.
    """

    nodes: tuple[Node, ...]
    limit: float = math.inf

    @property
    def levels(self) -> int:
        """How many levels there are."""
        return max((node.level for node in self.nodes), default=0)

    @property
    def budget(self) -> Mapping[str, float]:
        """Seconds that each step may take, without those that only a failure needs."""
        return {node.step: node.seconds for node in self.nodes if not node.on_failure and not node.watches}

    def longest(self, seconds: Mapping[str, float]) -> tuple[_Ids, float]:
        """The path that takes longest and its seconds, where each step takes so many; others take no part.

        Of paths that take equally long it is the one that comes first in the text.
        """
        ends: dict[str, float] = {}
        before: dict[str, str] = {}
        for node in self.nodes:
            last = max(node.after, key=lambda step: ends[step], default="")
            ends[node.step] = (ends[last] if last else 0.0) + seconds.get(node.step, 0.0)
            before[node.step] = last
        at = max(ends, key=lambda step: ends[step], default="")
        total, path = ends.get(at, 0.0), []
        while at:
            path.append(at)
            at = before[at]
        return tuple(step for step in reversed(path) if step in seconds), total

    def at_most(self) -> tuple[_Ids, float]:
        """The path that may take longest and its seconds, of which the time class leaves no more than its limit."""
        path, seconds = self.longest(self.budget)
        shared = sum(node.seconds for node in self.nodes if node.in_time and node.step in path)
        return path, seconds - max(0.0, shared - self.limit)

    def within(self, steps: Collection[str]) -> Course:
        """The part with these steps only, and the edges between them."""
        inside = frozenset(steps)
        nodes = tuple(
            replace(node, after=tuple(step for step in node.after if step in inside))
            for node in self.nodes
            if node.step in inside
        )
        return replace(self, nodes=nodes)


def is_graph(plan: Plan) -> bool:
    """Whether anything in it runs beside something else, or could; most tests are a list of steps."""
    beside = any(step.background or step.watch for step in plan.steps)
    return beside or any(
        item.needs is not None or (isinstance(item, FlowGroup) and item.parallel and len(item.body) > 1)
        for item in _all(plan.items)
    )


def course_of(plan: Plan) -> Course:
    """The graph of a plan.

    Raises:
        HarnessError: an edge leads to what is not before it, or to a step that is not in the plan.
    """
    walk = _Walk({step.id: step for step in plan.steps})
    walk.sequence(plan.items, ())
    bounded, limit = in_time(plan), limit_of(plan)
    nodes = (walk.nodes[step.id] for step in plan.steps if step.id in walk.nodes)
    return Course(tuple(_bound(node, limit) if node.step in bounded else node for node in nodes), limit)


def _bound(node: Node, limit: float) -> Node:
    return replace(node, seconds=min(node.seconds, limit), in_time=True)


def waits(
    items: Sequence[FlowItem], beside: Collection[str] = (), around: Container[str] = ()
) -> list[tuple[int, ...]]:
    """For each item of a list those that it waits for directly, by their places in the list.

    For the steps in `beside` only a `wait` waits; those in `around` may stand before the list, and have no place in
    it then. What one of the others waits for already is left out.

    Raises:
        HarnessError: an item waits for what is not before it.
    """
    places: dict[str, int] = {}
    above: list[int] = []  # of each item all that it waits for, as bits
    found = []
    loose: list[int] = []  # items for whose end nobody waits yet
    for index, item in enumerate(items):
        named = [_place(name, item, places) for name in _named(item, places, around)]
        if item.needs is None:
            named += [place for place in loose if items[place].id not in beside]
        else:
            named = [place for place in named if items[place].id not in beside]
        found.append(_direct(named, above))
        above.append(_bits(found[index], above))
        covered = (
            0 if item.id in beside else above[index]
        )  # nobody waits for what is before it by waiting for it
        loose = [place for place in loose if not covered >> place & 1] + [index]
        places[item.id] = index
    return found


def sinks(waited: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """The places of items for whose end no other item waits: with the last of them the list has ended."""
    held = {place for direct in waited for place in direct}
    return tuple(place for place in range(len(waited)) if place not in held)


def _named(item: FlowItem, places: Container[str], around: Container[str]) -> _Ids:
    if isinstance(item, FlowWait):
        return tuple(step for step in item.steps if step in places or step not in around)
    return item.needs or ()


def _place(name: str, item: FlowItem, places: Mapping[str, int]) -> int:
    if name not in places:
        text = (
            f"the plan has an edge from {name!r} to {item.id or 'a wait'!r}, before which it does not stand"
        )
        raise HarnessError(text, hint="compile the suite anew")
    return places[name]


def _direct(named: Iterable[int], above: Sequence[int]) -> tuple[int, ...]:
    wanted = sorted({*named})
    implied = 0
    for place in wanted:
        implied |= above[place]
    return tuple(place for place in wanted if not implied >> place & 1)


def _bits(direct: Iterable[int], above: Sequence[int]) -> int:
    bits = 0
    for place in direct:
        bits |= above[place] | 1 << place
    return bits


def _all(items: Iterable[FlowItem]) -> Iterator[FlowItem]:
    for item in items:
        yield item
        if isinstance(item, FlowGroup):
            yield from _all((*item.body, *item.rescue, *item.final))


class _Walk:
    def __init__(self, steps: Mapping[str, PlannedStep]) -> None:
        self.nodes: dict[str, Node] = {}
        self._steps = steps
        self._beside = {step.id for step in steps.values() if step.background or step.watch}
        self._on_failure = False

    def sequence(self, items: Sequence[FlowItem], before: _Ids) -> _Ids:
        """The steps with whose end the list has ended."""
        waited = waits(items, self._beside, frozenset(self.nodes))
        ends: list[_Ids] = []
        for item, direct in zip(items, waited, strict=True):
            ends.append(self._item(item, _union(ends[place] for place in direct) or before))
        return _union(ends[place] for place in sinks(waited)) or before

    def _item(self, item: FlowItem, after: _Ids) -> _Ids:
        if isinstance(item, FlowWait):
            return self._and(after, item.steps)
        if isinstance(item, FlowGroup):
            return self._group(item, after)
        return self._step(item, after)

    def _step(self, item: FlowStep, after: _Ids) -> _Ids:
        step = self._steps.get(item.step)
        if step is None:
            raise HarnessError(f"the flow of the plan has a step {item.step!r}, but its steps do not")
        if step.removes_nodes:
            after = self._and(after, (name for name in self.nodes if name in self._beside))
        course = [each for each in after if self._on_failure or not self.nodes[each].on_failure]
        level = 1 + max((self.nodes[each].level for each in course), default=0)
        self.nodes[step.id] = Node(
            step.id, after, level, step.deadline_seconds, self._on_failure, watches=step.watch
        )
        return (step.id,)

    def _and(self, after: _Ids, more: Iterable[str]) -> _Ids:
        """Also the end of these steps, but for those that something in `after` has waited for."""
        over, left = set[str](), list(after)
        while left:
            name = left.pop()
            if name not in over:
                over.add(name)
                left += self.nodes[name].after
        return _union([after, tuple(name for name in more if name not in over)])

    def _group(self, group: FlowGroup, after: _Ids) -> _Ids:
        if group.parallel:
            ends = _union([self.sequence([item], after) for item in group.body])
        else:
            ends = self.sequence(group.body, after)
        if group.rescue:
            outer, self._on_failure = self._on_failure, True
            ends = _union([ends, self.sequence(group.rescue, ends)])
            self._on_failure = outer
        return self.sequence(group.final, ends) if group.final else ends


def _union(parts: Iterable[_Ids]) -> _Ids:
    return tuple(dict.fromkeys(step for part in parts for step in part))

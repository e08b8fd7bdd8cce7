"""A list of steps in which some say what they need: what is over when each begins, and what may run meanwhile."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence

from e2e_ansible.compile.plan import FlowItem, FlowWait
from e2e_ansible.steps.group import Shape
from e2e_ansible.steps.wait import WaitOptions
from e2e_ansible.suite.model import Step
from e2e_ansible.suite.order import behind, direct

__all__ = ["StepGraph", "first_of", "needs_of"]


class StepGraph:
    """The steps of one list by places. `waits` are the places that each waits for itself, `behind` all of them."""

    def __init__(self, steps: Sequence[Step | Shape]) -> None:
        self._steps = steps
        names = [(step.options.name or "") if isinstance(step, Step) else "" for step in steps]
        # What watches has its first look before anything happens.
        watches = {place for place, step in enumerate(steps) if isinstance(step, Step) and step.watch}
        named = direct(names, [needs_of(step) for step in steps])
        self.waits = tuple(
            its | {each for each in watches if each < place} for place, its in enumerate(named)
        )
        self.behind = behind(self.waits)

    def beside(self, removals: Container[int]) -> Iterator[tuple[int, int]]:
        """Every two places at which steps may run at the same time, the first in the text before the other.

        At `removals` the nodes are removed, and what ran in the background ends before.
        """
        for later in range(len(self._steps)):
            for earlier in range(later):
                if not self._is_over(earlier, later, removals):
                    yield earlier, later

    def _is_over(self, place: int, later: int, removals: Container[int]) -> bool:
        """Whether a step has certainly ended when a later one begins; in the background it does where it is awaited."""
        step = self._steps[place]
        if not isinstance(step, Step) or not (step.options.background or step.watch):
            return place in self.behind[later]
        between = [each for each in (*self.behind[later], later) if each > place]
        return any(each in removals or _awaits(self._steps[each], step.options.name) for each in between)

    def with_needs(self, item: FlowItem, place: int, before: Sequence[FlowItem]) -> FlowItem:
        """The item with the ids of what it needs, if it says that; `before` are the items before it."""
        if isinstance(item, FlowWait) or needs_of(self._steps[place]) is None:
            return item
        return item.model_copy(update={"needs": tuple(before[each].id for each in sorted(self.waits[place]))})

    def told(self, places: Sequence[int]) -> str:
        """The first of these steps as a message names it, and how many more there are."""
        step = self._steps[places[0]]
        first = step if isinstance(step, Step) else first_of(step)
        more = f" and {len(places) - 1} more" if len(places) > 1 else ""
        return f"step {first.options.name or first.type!r} on line {first.source.line}{more}"


def _awaits(step: Step | Shape, name: str | None) -> bool:
    """Whether a step, or one below it, certainly waits for the one of this name: no rescue does, and no `when`."""
    if isinstance(step, Shape):
        return any(_awaits(each, name) for each in (*step.body, *step.final))
    if step.options.when is not None:
        return False
    if isinstance(step.options, WaitOptions):
        return name in step.options.for_
    certain = [part for key, part in step.parts.items() if key != "rescue"]
    return any(_awaits(each, name) for part in certain for each in part)


def needs_of(step: Step | Shape) -> Sequence[str] | None:
    """What a step says that it needs; None if it waits for all before it."""
    return step.options.needs if isinstance(step, Step) else None


def first_of(shape: Shape) -> Step:
    """The first step of a shape."""
    first = shape.body[0]
    return first if isinstance(first, Step) else first_of(first)

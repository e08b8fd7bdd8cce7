"""Which results of steps speak against a test, by how its steps hang together. Pure.

A group fails with what fails in it, and it stays failed when a rescue rolled back, unless its plan says that the test
goes on then. Steps that were left out decide nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from e2e_ansible.compile.plan import FlowGroup, FlowItem, FlowStep
from e2e_ansible.judge.result import StepResult
from e2e_ansible.verdict import Cause, Status, Verdict

__all__ = ["is_forgiven", "missing", "speaking", "steps_of", "verdict_of"]

Results = Mapping[str, StepResult]
_DONE = (Status.COMPLETED, Status.OMITTED)


def speaking(items: Iterable[FlowItem], results: Results) -> list[StepResult]:
    """The steps that speak against these items; the first of them decides.

    That is the worst one: a failure before what is not known, and what an interrupt cut off last. Of equals it is the
    first in the text, and what failed in a body comes before what failed in its rescue or at its end.
    """
    return sorted(_against(items, results), key=_weight)


def missing(items: Iterable[FlowItem], results: Results) -> Iterator[str]:
    """The ids of steps without which the items are not done; what only a failure needs is not among them."""
    for item in items:
        if isinstance(item, FlowStep):
            step = results.get(item.step)
            if step is None or step.status not in _DONE:
                yield item.step
        elif isinstance(item, FlowGroup):
            if not is_forgiven(item, results):
                yield from missing(item.body, results)
            yield from missing(item.final, results)


def verdict_of(items: Sequence[FlowItem], results: Results) -> Verdict:
    """What these items have come to by their steps alone."""
    against = speaking(items, results)
    if against:
        return against[0].verdict or Verdict.UNKNOWN
    return Verdict.UNKNOWN if any(missing(items, results)) else Verdict.PASS


def is_forgiven(group: FlowGroup, results: Results) -> bool:
    """Whether the body failed, all of the rescue was done and passed, and the plan lets the test go on then.

    A rescue of which every step was left out has made nothing good.
    """
    return (
        group.on_rescue == "continue"
        and bool(speaking(group.body, results))
        and not any(missing(group.rescue, results))
        and not speaking(group.rescue, results)
        and any(_passed(results.get(step)) for step in steps_of(group.rescue))
    )


def _passed(step: StepResult | None) -> bool:
    return step is not None and step.verdict is Verdict.PASS


def steps_of(items: Iterable[FlowItem]) -> Iterator[str]:
    """The ids of all steps in these items, in the order of the text."""
    for item in items:
        if isinstance(item, FlowStep):
            yield item.step
        elif isinstance(item, FlowGroup):
            yield from steps_of((*item.body, *item.rescue, *item.final))


def _against(items: Iterable[FlowItem], results: Results) -> Iterator[StepResult]:
    for item in items:
        if isinstance(item, FlowStep):
            step = results.get(item.step)
            if step is not None and step.verdict is not None and step.verdict is not Verdict.PASS:
                yield step
        elif isinstance(item, FlowGroup):
            yield from _against_group(item, results)


def _against_group(group: FlowGroup, results: Results) -> Sequence[StepResult]:
    body = [] if is_forgiven(group, results) else speaking(group.body, results)
    rescue = speaking(group.rescue, results) if body else []
    return [*body, *rescue, *speaking(group.final, results)]


def _weight(step: StepResult) -> tuple[bool, bool]:
    return step.cause is Cause.INTERRUPT, step.verdict is not Verdict.FAIL

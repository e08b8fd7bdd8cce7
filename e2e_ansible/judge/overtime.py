"""A test whose time was over is a failed test: where it was then, and whose time that was. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from e2e_ansible.compile.plan import Plan
from e2e_ansible.judge.entry import TimeUp
from e2e_ansible.judge.result import StepResult
from e2e_ansible.verdict import Cause, Status, Verdict

__all__ = ["over_time"]

_MOST_NAMED = 5


def over_time(
    plan: Plan, up: TimeUp, steps: Sequence[StepResult], error: str | None
) -> tuple[Verdict, Cause, str]:
    """Verdict, cause and error of a test whose class had no time left.

    The cause is that of the step in which the time was over: of one that installs it is not the product's, of one
    that drives the product it is. Between two steps it is that of the step that took longest.
    """
    place = next((step for step in steps if step.id == up.step), None) or _longest(steps)
    cause = _cause(plan, place)
    said = [f"it was to take {up.limit:g} s at most, as a test of class {up.time_class}, {_where(up, place)}"]
    left = [step.id for step in steps if step.status is Status.SKIPPED]
    if left:
        more = f" and {len(left) - _MOST_NAMED} more" if len(left) > _MOST_NAMED else ""
        said.append(f"not begun: {', '.join(left[:_MOST_NAMED])}{more}")
    return Verdict.FAIL, cause, "\n".join(["; ".join(said), *([error] if error else [])])


def _longest(steps: Sequence[StepResult]) -> StepResult | None:
    return max(
        (step for step in steps if step.started is not None), key=lambda one: one.duration, default=None
    )


def _cause(plan: Plan, place: StepResult | None) -> Cause:
    """An interrupt is none: what ended the step was its test's own limit."""
    if place is not None and place.cause not in (None, Cause.INTERRUPT):
        return place.cause
    planned = next((step for step in plan.steps if place is not None and step.id == place.id), None)
    return planned.judgement.timeout_cause if planned else Cause.HARNESS


def _where(up: TimeUp, place: StepResult | None) -> str:
    if place is None:
        return f"and {up.used:.1f} s were over before any step began"
    if up.step:
        return f"and was ended after {up.used:.1f} s in {place.id}, which had taken {place.duration:.1f} s"
    return f"and {up.used:.1f} s were over between two steps; {place.id} took longest, {place.duration:.1f} s"

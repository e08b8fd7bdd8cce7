"""Phases are names on steps: one after the other, none twice, and nothing without a phase between them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from e2e_ansible.suite.findings import Findings
from e2e_ansible.suite.value import Value, shown
from e2e_ansible.suite.workflow import TypedStep, all_steps

__all__ = ["lint_phases"]


def lint_phases(steps: Sequence[TypedStep], findings: Findings) -> None:
    """Note every phase that stands in a group, comes back, or has a step without a phase before it."""
    _lint_inner((part for step in steps for parts in step.parts.values() for part in parts), findings)
    lines: dict[str, int] = {}
    now, gap = "", None
    for step in steps:
        phase = step.value.get("phase")
        if phase is None or not isinstance(phase.data, str):
            gap = gap or (step.value if lines else None)
            continue
        if phase.data != now and phase.data in lines:
            hint = f"its first step is on line {lines[phase.data]}"
            findings.add(phase, f"the steps of phase {shown(phase)} do not follow one another", hint)
        elif gap is not None:
            _complain_gap(gap, findings)
        now, gap = phase.data, None
        lines.setdefault(now, phase.line)


def _complain_gap(step: Value, findings: Findings) -> None:
    hint = "steps before the first phase are done once, and so are those after the last"
    findings.add(step, "this step has no phase and stands between steps that have one", hint)


def _lint_inner(steps: Iterable[TypedStep], findings: Findings) -> None:
    for step in all_steps(steps):
        phase = step.value.get("phase")
        if phase is not None and phase.data is not None:
            findings.add(phase, "a step in a group has the phase of the group", "say it there")

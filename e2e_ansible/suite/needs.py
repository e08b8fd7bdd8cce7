"""What steps say in `needs`: names of steps that come before them in the same list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from e2e_ansible.suite.findings import Findings
from e2e_ansible.suite.order import behind, direct
from e2e_ansible.suite.value import Value, shown
from e2e_ansible.suite.workflow import TypedStep, all_steps

__all__ = ["behind_each", "lint_needs"]

_NAME = "give the step that it needs a 'name'"


def lint_needs(steps: Sequence[TypedStep], findings: Findings) -> None:
    """Note every need of a step that is no earlier step of its list, or that its list cannot wait for by name."""
    linter = _Linter({step.text("name"): step.value.line for step in all_steps(steps)}, findings)
    linter.refuse(
        _from_the_first_phase(steps), "a step of a test with phases cannot say 'needs'", "of its phase"
    )
    linter.list(steps)


def behind_each(steps: Sequence[TypedStep]) -> tuple[frozenset[int], ...] | None:
    """The places of all steps that have begun before each step of a list; None if they run one after the other."""
    needs = [_needs(step) for step in steps]
    if all(its is None for its in needs):
        return None
    return behind(direct([step.text("name") for step in steps], needs))


def _needs(step: TypedStep) -> list[str] | None:
    value = step.value.get("needs")
    if value is None or not isinstance(value.data, list) or step.text("step") == "wait":
        return None  # of a wait that says it the options have complained
    return [item.data for item in value.data if isinstance(item.data, str)]


def _from_the_first_phase(steps: Sequence[TypedStep]) -> Iterator[TypedStep]:
    """A cycle goes from phase to phase, so nothing in it begins before the phase that it stands behind."""
    begun = False
    for step in steps:
        begun = begun or bool(step.text("phase"))
        if begun:
            yield step


@dataclass(frozen=True)
class _Linter:
    everywhere: Mapping[str, int]
    findings: Findings

    def list(self, steps: Sequence[TypedStep]) -> None:
        """One list, and those below it."""
        before: dict[str, TypedStep] = {}
        names = {step.text("name") for step in steps}
        for step in steps:
            value = step.value.get("needs")
            for item in value.data if value is not None and isinstance(value.data, list) else ():
                self._item(item, step, before, names)
            self._below(step)
            if name := step.text("name"):
                before[name] = step

    def refuse(self, steps: Iterator[TypedStep] | Sequence[TypedStep], text: str, where: str) -> None:
        """Steps that cannot say what they need."""
        for step in steps:
            value = step.value.get("needs")
            if value is not None and value.data is not None:
                self.findings.add(
                    value, text, f"put those that hang together in a group {where}: there they can"
                )

    def _below(self, step: TypedStep) -> None:
        for key, part in step.parts.items():
            parallel = step.value.get("parallel")
            if key == "steps" and parallel is not None and parallel.data is True:
                text = "the steps of a parallel group begin at once, so none of them can need another"
                self.refuse(part, text, "without 'parallel'")
                for branch in part:
                    self._below(branch)
            else:
                self.list(part)

    def _item(self, item: Value, step: TypedStep, before: Mapping[str, TypedStep], names: set[str]) -> None:
        name = item.data
        if not isinstance(name, str) or not name or item.broken:
            return  # the options have complained
        found = before.get(name)
        if found is None:
            self._not_before(item, name, step, before, names)
        elif found.says("background"):
            hint = "leave its 'background' out: what does not need it runs beside it none the less"
            self.findings.add(
                item, f"step {shown(name)} runs in the background, so nothing can need it", hint
            )
        elif found.text("step") == "wait":
            hint = "leave 'needs' out here, and 'background' out of what it waits for"
            self.findings.add(item, f"step {shown(name)} is a 'wait', and nothing can need one", hint)

    def _not_before(
        self, item: Value, name: str, step: TypedStep, before: Mapping[str, TypedStep], names: set[str]
    ) -> None:
        if name == step.text("name"):
            self.findings.add(item, f"step {shown(name)} needs itself", "leave the name out")
        elif name in names:
            hint = f"put the step of line {self.everywhere[name]} before this one"
            self.findings.add(item, f"step {shown(name)} comes later, so this one cannot need it", hint)
        elif name in self.everywhere:
            hint = f"the one on line {self.everywhere[name]} is in another list; need the group that it stands in"
            self.findings.add(item, f"no step named {shown(name)} comes before in this list", hint)
        else:
            hint = self.findings.suggest(name, before) or _NAME
            self.findings.add(item, f"no step named {shown(name)} comes before in this list", hint)

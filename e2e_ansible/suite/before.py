"""What has certainly run before a step: only that can it refer to, wait for, or ask how it ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from e2e_ansible.suite.condition import ConditionError, parse_condition
from e2e_ansible.suite.findings import Findings
from e2e_ansible.suite.needs import behind_each
from e2e_ansible.suite.reference import FIELDS, Reference, kept_references, step_reference
from e2e_ansible.suite.value import Value, shown, strings
from e2e_ansible.suite.workflow import TypedStep

__all__ = ["lint_order"]

_ELSEWHERE = "it is in another branch, under a 'when', in a rescue or still in the background"


def lint_order(steps: Sequence[TypedStep], findings: Findings) -> None:
    """Note every reference, `wait` and `when` that needs a step which may not have run before."""
    _Walk(findings).sequence(steps, _Past())


@dataclass
class _Past:
    """What is behind a step: output that is certainly there, steps that may have ended, steps in the background."""

    registers: dict[str, None] = field(default_factory=dict)
    names: dict[str, None] = field(default_factory=dict)
    running: dict[str, TypedStep] = field(default_factory=dict)
    over: frozenset[str] = frozenset()

    def copy(self) -> _Past:
        return _Past(dict(self.registers), dict(self.names), dict(self.running))

    def since(self, other: _Past) -> _Past:
        """What has come to another one, and what has ended of what was running there."""
        return _Past(
            {name: None for name in self.registers if name not in other.registers},
            {name: None for name in self.names if name not in other.names},
            {name: step for name, step in self.running.items() if name not in other.running},
            frozenset(other.running.keys() - self.running.keys()),
        )

    def add(self, more: _Past) -> None:
        """What has come since has happened here as well."""
        self.registers |= more.registers
        self.names |= more.names
        self.running |= more.running
        for name in more.over:
            self.running.pop(name, None)

    def ended(self, step: TypedStep) -> None:
        """The step is over, if it was run at all."""
        name, register = step.text("name"), step.text("register")
        if name:
            self.names[name] = None
        if register and step.value.get("when") is None:
            self.registers[register] = None


@dataclass
class _Walk:
    findings: Findings
    seen: dict[str, None] = field(default_factory=dict)

    def sequence(self, steps: Iterable[TypedStep], past: _Past) -> None:
        """Steps one after the other, or by their needs; at their end nothing that they began still runs."""
        steps, running = list(steps), dict(past.running)
        behind = behind_each(steps)
        if behind is None:
            for step in steps:
                self._step(step, past)
        else:
            self._graph(steps, behind, past)
        for key, step in list(past.running.items()):
            if key not in running:
                del past.running[key]
                past.ended(step)

    def _step(self, step: TypedStep, past: _Past) -> None:
        self._look(step, past)
        if step.parts:
            self._composite(step, past)
        elif step.says("background"):
            past.running[step.text("name") or f"/{id(step)}"] = step
        else:
            past.ended(step)
        if register := step.text("register"):
            self.seen[register] = None

    def _graph(self, steps: Sequence[TypedStep], behind: Sequence[frozenset[int]], past: _Past) -> None:
        """Each step has behind it only what it needs."""
        before, added = past.copy(), list[_Past]()
        for step, its in zip(steps, behind, strict=True):
            own = before.copy()
            for place in sorted(its):
                own.add(added[place])
            known = own.copy()
            self._step(step, own)
            added.append(own.since(known))
            past.add(added[-1])

    def _composite(self, step: TypedStep, past: _Past) -> None:
        inner, body = past.copy(), step.parts.get("steps", ())
        if step.says("parallel"):
            for branch in body:
                alone = past.copy()
                self.sequence([branch], alone)
                inner.registers |= alone.registers
                inner.names |= alone.names
        else:
            self.sequence(body, inner)
        names = dict(inner.names)
        final = past.copy()
        for key in ("rescue", "finally"):  # neither knows how far the steps before it came
            final = _Past(dict(past.registers), dict(names), dict(past.running))
            self.sequence(step.parts.get(key, ()), final)
            names |= final.names
        certain = {} if step.text("on_rescue") == "continue" else inner.registers
        if step.value.get("when") is None:
            past.registers |= certain | final.registers
        past.names |= names
        past.ended(step)

    def _look(self, step: TypedStep, past: _Past) -> None:
        for value, text in _own_strings(step):
            for reference in kept_references(text) if "${steps" in text and not value.broken else ():
                self._reference(reference, value, past)
        self._condition(step, past)
        waits = step.value.get("for")
        if waits is not None and isinstance(waits.data, list) and step.text("step") == "wait":
            for item in waits.data:
                self._wait(item, past)

    def _reference(self, reference: Reference, value: Value, past: _Past) -> None:
        found = step_reference(reference)
        if found is None:
            name, _, field_ = reference.name.rpartition(".")
            fields = f"write ${{steps.NAME.FIELD}}; fields are {', '.join(FIELDS)}"
            hint = self.findings.suggest(field_, FIELDS) if name else fields
            self.findings.add(value, f"{shown(str(reference))} is not a field of a step's result", hint)
        elif found.step in past.registers:
            return
        elif found.step in self.seen:
            text = f"the step with the register {shown(found.step)} may not have run before this one"
            self.findings.add(value, text, _ELSEWHERE)
        else:
            hint = self.findings.suggest(found.step, past.registers)
            hint = hint or "give an earlier custom_command a 'register'"
            self.findings.add(value, f"no earlier step has the register {shown(found.step)}", hint)

    def _condition(self, step: TypedStep, past: _Past) -> None:
        value = step.value.get("when")
        if value is None or not isinstance(value.data, str):
            return
        try:
            condition = parse_condition(value.data)
        except ConditionError:
            return  # the options have said so
        if condition.op in ("passed", "failed") and condition.left not in past.names:
            hint = self.findings.suggest(condition.left, past.names) or "give an earlier step a 'name'"
            self.findings.add(value, f"no step that has ended before is named {shown(condition.left)}", hint)

    def _wait(self, item: Value, past: _Past) -> None:
        name = item.data
        if not isinstance(name, str) or item.broken:
            return
        step = past.running.pop(name, None)
        if step is not None:
            past.ended(step)
        else:
            names = [each for each in past.running if not each.startswith("/")]
            hint = self.findings.suggest(name, names) or "give an earlier step this name and background: true"
            self.findings.add(item, f"no step named {shown(name)} runs in the background here", hint)


def _own_strings(step: TypedStep) -> Iterator[tuple[Value, str]]:
    """The texts of a step without those of the steps below it."""
    data: Any = step.value.data
    for key, item in data.items() if isinstance(data, dict) else ():
        if key not in step.parts:
            yield from strings(item)

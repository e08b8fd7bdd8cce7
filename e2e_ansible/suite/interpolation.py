"""References put into values: each scope has names, and each name a value that takes the place of `${scope.name}`."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from e2e_ansible.names import nearest
from e2e_ansible.suite.condition import ConditionError, parse_condition
from e2e_ansible.suite.findings import Findings
from e2e_ansible.suite.matrix import is_scalar, literal
from e2e_ansible.suite.reference import STEPS, Reference, escape, split_text
from e2e_ansible.suite.value import Value, shown

__all__ = ["CONTEXT", "MOST_VALUES", "Interpolator", "Scope", "broken", "fields_of", "text_of"]

MOST_VALUES = 1_000_000
"""So many values at most may a test be made of."""

CONTEXT = "context"
_FOREACH = "foreach"
_SCOPES = ("matrix", "variables", "parameters", CONTEXT, _FOREACH, STEPS)
_ONE_OF = {
    "matrix": "matrix value",
    "variables": "variable",
    "parameters": "parameter",
    CONTEXT: "context",
    _FOREACH: "value of foreach",
}
_WHEN = "when"

Scope = Mapping[str, Value]


def fields_of(value: Value) -> Mapping[str, Value]:
    """The keys of a mapping with their values; none of anything else."""
    return value.data if isinstance(value.data, dict) else {}


def broken(value: Value) -> Value:
    """Nothing at the same place, of which a problem has been told."""
    return Value(None, value.line, value.column, broken=True)


def text_of(value: Value) -> str:
    """A single value as it stands in a text."""
    return str(value.data).lower() if isinstance(value.data, bool) else str(value.data)


@dataclass(frozen=True)
class Interpolator:
    """Puts references in. `keeps_steps` leaves those to earlier steps where they are."""

    scopes: Mapping[str, Scope]
    findings: Findings
    keeps_steps: bool = False

    def fill(self, value: Value) -> Value:
        """The value with its references put in; itself when there are none."""
        data = value.data
        if isinstance(data, str):
            return self._fill_text(value, data) if "${" in data and not value.broken else value
        if isinstance(data, list):
            items = [self.fill(item) for item in data]
            return value.like(items) if any(a is not b for a, b in zip(items, data, strict=True)) else value
        if isinstance(data, dict):
            return self._fill_mapping(value, data)
        return value

    def _fill_mapping(self, value: Value, data: dict[str, Value]) -> Value:
        for key in data:
            if "${" in key:
                self.findings.add(value.keys[key], f"a key cannot have references: {shown(key)}")
        filled = {key: self._fill_field(key, item, data) for key, item in data.items()}
        return value.like(filled) if any(filled[key] is not data[key] for key in data) else value

    def _fill_field(self, key: str, value: Value, among: Mapping[str, Value]) -> Value:
        if self.keeps_steps and "step" in among:
            if key == _WHEN and isinstance(value.data, str):
                return self._fill_condition(value, value.data)
            if key == "steps" and _FOREACH in among:
                return self._repeat(value, self.fill(among[_FOREACH]), _is_true(among.get("parallel")))
        return self.fill(value)

    def _fill_condition(self, value: Value, text: str) -> Value:
        """Taken apart before anything is put in: whatever a value holds, it stays one text of the condition."""
        try:
            condition = parse_condition(text)
        except ConditionError:
            return value  # told where the options are read
        texts = {part: self.fill(value.like(part)) for part in (condition.left, *condition.right)}
        if any(part.broken for part in texts.values()):
            return broken(value)
        return value.like(str(condition.fill(lambda part: text_of(texts[part]))))

    def _repeat(self, steps: Value, foreach: Value, parallel: bool) -> Value:
        """The steps once for each combination of values; run at once, those of one value are a group."""
        axes = _axes(foreach)
        count = math.prod(map(len, axes.values()))
        if not isinstance(steps.data, list) or not axes or len(axes) < len(fields_of(foreach)):
            return broken(steps) if isinstance(steps.data, list) else self.fill(steps)
        if count * steps.size > MOST_VALUES:
            text = f"foreach makes {count} times {steps.size} values"
            return self._refuse(foreach, text, "that is too much; split it")
        made: list[Value] = []
        for values in itertools.product(*axes.values()):
            scope = {**self.scopes.get(_FOREACH, {}), **dict(zip(axes, values, strict=True))}
            once = replace(self, scopes={**self.scopes, _FOREACH: scope})
            items = [once.fill(item) for item in steps.data]
            made += [_group(steps, items)] if parallel and len(items) > 1 else items
        return steps.like(made)

    def _fill_text(self, value: Value, text: str) -> Value:
        parts = split_text(text)
        lone = len(parts) == 1
        found = [self._find(value, part, lone) if isinstance(part, Reference) else part for part in parts]
        if any(isinstance(part, Value) and part.broken for part in found):
            broken = value.like(text)
            broken.broken = True
            return broken
        alone = found[0]
        if lone and isinstance(alone, Value) and not isinstance(alone.data, str):
            return Value(alone.data, value.line, value.column, alone.keys, alone.size)
        return value.like(escape(_joined(found)))

    def _find(self, value: Value, reference: Reference, lone: bool) -> Value | Reference:
        """What is referred to; the reference itself when it stays; a broken value after noting a problem."""
        if not reference.closed:
            return self._refuse(
                value, f"{shown(str(reference))} has no closing brace", _hint_for_text(reference)
            )
        if reference.scope == STEPS and self.keeps_steps:
            return reference
        scope = self.scopes.get(reference.scope)
        if scope is None:
            return self._unknown_scope(value, reference)
        found = self._look_up(value, reference, scope)
        if found.broken or is_scalar(found) or (lone and reference.scope == "matrix"):
            return found
        if found.data is None:
            return self._refuse(value, f"{shown(str(reference))} has no value in this test")
        text = f"{shown(str(reference))} is {shown(found)}, not a single value"
        return self._refuse(value, text, "put nothing beside it" if reference.scope == "matrix" else "")

    def _look_up(self, value: Value, reference: Reference, scope: Scope) -> Value:
        found = scope.get(reference.name)
        if found is None:
            outer = scope.get(reference.name.partition(".")[0])
            if outer is not None and outer.broken:
                return outer
            what = _ONE_OF[reference.scope]
            hint = self.findings.suggest(reference.name, scope)
            text = f"unknown {what} {shown(reference.name)} in {shown(str(reference))}"
            return self._refuse(value, text, hint)
        return found

    def _unknown_scope(self, value: Value, reference: Reference) -> Value:
        known = [name for name in _SCOPES if name in self.scopes or (name == STEPS and self.keeps_steps)]
        if reference.scope in _SCOPES:
            hint = f"only these can: {', '.join(known)}" if known else "nothing can"
            return self._refuse(value, f"{shown(str(reference))} cannot be used here", hint)
        near = nearest(reference.scope, _SCOPES)
        if near and reference.name:
            meant = shown(str(Reference(f"{near}.{reference.name}")))
            return self._refuse(value, f"unknown reference {shown(str(reference))}", f"did you mean {meant}?")
        return self._refuse(value, f"unknown reference {shown(str(reference))}", _hint_for_text(reference))

    def _refuse(self, value: Value, message: str, hint: str = "") -> Value:
        self.findings.add(value, message, hint)
        return broken(value)


def _is_true(value: Value | None) -> bool:
    return value is not None and value.data is True


def _group(place: Value, steps: list[Value]) -> Value:
    """Steps as one branch of a group."""
    return place.like({"step": place.like("group"), "steps": place.like(steps)})


def _hint_for_text(reference: Reference) -> str:
    return f"write ${shown(str(reference))[1:-1]} if it is text"


def _joined(parts: list[str | Value | Reference]) -> list[str | Reference]:
    """Neighbouring texts as one: a dollar ending one and a brace in the next would look like a reference."""
    joined: list[str | Reference] = []
    for part in parts:
        if isinstance(part, Reference):
            joined.append(part)
            continue
        text = text_of(part) if isinstance(part, Value) else part
        if joined and isinstance(joined[-1], str):
            joined[-1] += text
        else:
            joined.append(text)
    return joined


def _axes(foreach: Value) -> dict[str, list[Value]]:
    """The usable keys whose values are a list; pydantic tells what is wrong with the others."""
    found: dict[str, list[Value]] = {}
    for key, value in fields_of(foreach).items():
        values = value.data
        if isinstance(values, list) and values and all(is_scalar(item) for item in values):
            found[key] = [literal(item) for item in values]
    return found

"""Matrix, variables and parameters put in: one entry of a suite file becomes one or more tests."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from e2e_ansible.names import nearest
from e2e_ansible.suite.condition import ConditionError, parse_condition
from e2e_ansible.suite.findings import Findings
from e2e_ansible.suite.matrix import Axes, Choice, is_scalar, literal, matrix_axes, scope_of
from e2e_ansible.suite.model import Contexts
from e2e_ansible.suite.parameters import Parameters, Scalar
from e2e_ansible.suite.reference import STEPS, Reference, escape, split_text
from e2e_ansible.suite.value import Value, shown

__all__ = ["MOST_TESTS", "Expanded", "expand"]

MOST_TESTS = 1_000
_MOST_EXPANDED_VALUES = 1_000_000
_FOREACH = "foreach"
_CONTEXT = "context"
_SCOPES = ("matrix", "variables", "parameters", _CONTEXT, _FOREACH, STEPS)
_ONE_OF = {
    "matrix": "matrix value",
    "variables": "variable",
    "parameters": "parameter",
    _CONTEXT: "context",
    _FOREACH: "value of foreach",
}
_WHEN = "when"
_STAGES = ("matrix", "variables", "parameters", "workflow")

Scope = Mapping[str, Value]


@dataclass(frozen=True)
class Expanded:
    """One test with all references put in, but for those to earlier steps; `value` is its whole entry.

    `contexts` are its sites, the primary one first.
    """

    name: str
    value: Value
    contexts: Contexts | None = None


def expand(
    name: str,
    entry: Value,
    findings: Findings,
    contexts: Contexts | None = None,
    variables: Mapping[str, Scalar] | None = None,
) -> Iterator[Expanded]:
    """All tests of an entry, the last matrix key varying fastest; problems of references go to `findings`.

    `contexts` are the sites, the primary one first; None takes them in the order in which the parameters name them.
    `variables` take the place of values that the entry gives to variables of these names.
    """
    entry = _with_variables(entry, variables or {}, findings)
    given = entry.get("matrix")
    matrix = _Filler({}, findings).fill(given) if given else None
    axes = matrix_axes(matrix)
    if matrix and _too_much(axes, matrix, entry, findings):
        return
    unusable = {key: _broken(matrix) for key in _fields(matrix) if key not in axes} if matrix else {}
    names: set[str] = set()
    for choices in itertools.product(*axes.values()):
        chosen = dict(zip(axes, choices, strict=True))
        full_name = _full_name(name, chosen)
        if matrix and full_name in names:
            findings.add(
                matrix, f"the matrix makes the test {shown(full_name)} twice", "its values must differ"
            )
        names.add(full_name)
        filled, order = _fill_entry(entry, matrix, {**scope_of(chosen), **unusable}, findings, contexts)
        yield Expanded(full_name, filled, order)


def _too_much(axes: Axes, matrix: Value, entry: Value, findings: Findings) -> bool:
    """Whether the matrix was refused: a mapping may be put in as often as the entry has values."""
    count = math.prod(len(choices) for choices in axes.values())
    largest = max((choice.value.size for choices in axes.values() for choice in choices), default=1)
    if count <= MOST_TESTS and count * entry.size * largest <= _MOST_EXPANDED_VALUES:
        return False
    findings.add(
        matrix, f"the matrix makes {count} tests of {entry.size} values each", "that is too much; split it"
    )
    return True


def _with_variables(entry: Value, given: Mapping[str, Scalar], findings: Findings) -> Value:
    """The entry as if the file gave these values to its variables."""
    value = entry.get("variables")
    known = _fields(value) if value else {}
    for name in given:
        if name not in known:
            hint = findings.suggest(name, known)
            findings.add(value or entry, f"this test has no variable {shown(name)}", hint)
    if value is None or not given:
        return entry
    others = {name: known[name].like(given[name]) for name in given if name in known}
    return entry.like({**_fields(entry), "variables": value.like({**known, **others})})


def _fill_entry(
    entry: Value, matrix: Value | None, chosen: Scope, findings: Findings, contexts: Contexts | None
) -> tuple[Value, Contexts | None]:
    """Stage by stage, as each stage may refer to those before it; with the sites, the primary one first."""
    filled: dict[str, Value] = {} if matrix is None else {"matrix": matrix}
    scopes: dict[str, Scope] = {"matrix": chosen}
    fields = _fields(entry)
    for stage in ("variables", "parameters"):
        value = _Filler(scopes, findings).fill(fields[stage]) if stage in fields else None
        scopes = {**scopes, stage: _scope(value, _defaults() if stage == "parameters" else {})}
        if value is not None:
            filled[stage] = value
    order = _contexts(entry, filled.get("parameters"), findings, contexts)
    if order is not None:
        places = zip(("primary", "secondary"), order, strict=True)
        scopes = {**scopes, _CONTEXT: {role: entry.like(site) for role, site in places}}
    rest = _Filler(scopes, findings)
    for key, value in fields.items():
        if key not in _STAGES:
            filled[key] = rest.fill(value)
    if "workflow" in fields:
        filled["workflow"] = _Filler(scopes, findings, keeps_steps=True).fill(fields["workflow"])
    return entry.like(filled), order


def _contexts(
    entry: Value, parameters: Value | None, findings: Findings, wanted: Contexts | None
) -> Contexts | None:
    """The sites in the order that was asked for; None when there are not two, which pydantic tells."""
    given = parameters.get("sites") if parameters else None
    sites = list(_fields(given)) if given else []
    for site in wanted or ():
        if site not in sites:
            hint = findings.suggest(site, sites) or "only tests with the parameter 'sites' have contexts"
            findings.add(given or entry, f"this test has no context {shown(site)}", hint)
            return None
    if wanted and wanted[0] == wanted[1]:
        findings.add(
            given or entry, f"both contexts are {shown(wanted[0])}", f"the other is one of {', '.join(sites)}"
        )
        return None
    return wanted or ((sites[0], sites[1]) if len(sites) == 2 else None)


def _fields(value: Value) -> Mapping[str, Value]:
    return value.data if isinstance(value.data, dict) else {}


def _axes(matrix: Value | None) -> dict[str, list[Value]]:
    """The usable keys whose values are a list; pydantic tells what is wrong with the others."""
    found: dict[str, list[Value]] = {}
    for key, value in _fields(matrix).items() if matrix else ():
        values = value.data
        if isinstance(values, list) and values and all(is_scalar(item) for item in values):
            found[key] = [literal(item) for item in values]
    return found


def _broken(value: Value) -> Value:
    return Value(None, value.line, value.column, broken=True)


def _full_name(name: str, chosen: Mapping[str, Choice]) -> str:
    if not chosen:
        return name
    return f"{name}[{','.join(f'{key}={_text(choice.name)}' for key, choice in chosen.items())}]"


def _defaults() -> dict[str, Value]:
    return {
        name: Value(data, 1, 1)
        for name, data in Parameters().model_dump().items()
        if not isinstance(data, dict)
    }


def _scope(value: Value | None, defaults: dict[str, Value]) -> Scope:
    """Names to values; what is in a mapping is named with dots."""
    found = dict(defaults)
    for key, item in _fields(value).items() if value else ():
        for inner, below in _fields(item).items():
            found[f"{key}.{inner}"] = literal(below)
        found[key] = literal(item)
    return found


def _text(value: Value) -> str:
    return str(value.data).lower() if isinstance(value.data, bool) else str(value.data)


@dataclass(frozen=True)
class _Filler:
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
            return _broken(value)
        return value.like(str(condition.fill(lambda part: _text(texts[part]))))

    def _repeat(self, steps: Value, foreach: Value, parallel: bool) -> Value:
        """The steps once for each combination of values; run at once, those of one value are a group."""
        axes = _axes(foreach)
        count = math.prod(map(len, axes.values()))
        if not isinstance(steps.data, list) or not axes or len(axes) < len(_fields(foreach)):
            return _broken(steps) if isinstance(steps.data, list) else self.fill(steps)
        if count * steps.size > _MOST_EXPANDED_VALUES:
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
        return _broken(value)


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
        text = _text(part) if isinstance(part, Value) else part
        if joined and isinstance(joined[-1], str):
            joined[-1] += text
        else:
            joined.append(text)
    return joined

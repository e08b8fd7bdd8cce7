"""Matrix, variables and parameters put in: one entry of a suite file becomes one or more tests."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from e2e_ansible.suite.findings import Findings
from e2e_ansible.suite.interpolation import (
    CONTEXT,
    MOST_VALUES,
    Interpolator,
    Scope,
    broken,
    fields_of,
    text_of,
)
from e2e_ansible.suite.matrix import Axes, Choice, literal, matrix_axes, of_two_keys, scope_of
from e2e_ansible.suite.model import Contexts
from e2e_ansible.suite.parameters import Parameters, Scalar
from e2e_ansible.suite.value import Value, shown

__all__ = ["MOST_TESTS", "Expanded", "expand"]

MOST_TESTS = 1_000
_STAGES = ("matrix", "variables", "parameters", "workflow")


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
    matrix = Interpolator({}, findings).fill(given) if given else None
    axes = matrix_axes(matrix)
    if matrix and (_too_much(axes, matrix, entry, findings) or _two_meanings(axes, matrix, findings)):
        return
    unusable = {key: broken(matrix) for key in fields_of(matrix) if key not in axes} if matrix else {}
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
    if count <= MOST_TESTS and count * entry.size * largest <= MOST_VALUES:
        return False
    findings.add(
        matrix, f"the matrix makes {count} tests of {entry.size} values each", "that is too much; split it"
    )
    return True


def _two_meanings(axes: Axes, matrix: Value, findings: Findings) -> bool:
    name = of_two_keys(axes)
    if name:
        text = f"{shown(name)} is a key of the matrix, and in the mapping of another one as well"
        findings.add(matrix.keys.get(name, matrix), text, "a reference could mean either; rename one")
    return bool(name)


def _with_variables(entry: Value, given: Mapping[str, Scalar], findings: Findings) -> Value:
    """The entry as if the file gave these values to its variables."""
    value = entry.get("variables")
    known = fields_of(value) if value else {}
    for name in given:
        if name not in known:
            hint = findings.suggest(name, known)
            findings.add(value or entry, f"this test has no variable {shown(name)}", hint)
    if value is None or not given:
        return entry
    others = {name: known[name].like(given[name]) for name in given if name in known}
    return entry.like({**fields_of(entry), "variables": value.like({**known, **others})})


def _fill_entry(
    entry: Value, matrix: Value | None, chosen: Scope, findings: Findings, contexts: Contexts | None
) -> tuple[Value, Contexts | None]:
    """Stage by stage, as each stage may refer to those before it; with the sites, the primary one first."""
    filled: dict[str, Value] = {} if matrix is None else {"matrix": matrix}
    scopes: dict[str, Scope] = {"matrix": chosen}
    fields = fields_of(entry)
    for stage in ("variables", "parameters"):
        value = Interpolator(scopes, findings).fill(fields[stage]) if stage in fields else None
        scopes = {**scopes, stage: _scope(value, _defaults() if stage == "parameters" else {})}
        if value is not None:
            filled[stage] = value
    order = _contexts(entry, filled.get("parameters"), findings, contexts)
    if order is not None:
        places = zip(("primary", "secondary"), order, strict=True)
        scopes = {**scopes, CONTEXT: {role: entry.like(site) for role, site in places}}
    rest = Interpolator(scopes, findings)
    for key, value in fields.items():
        if key not in _STAGES:
            filled[key] = rest.fill(value)
    if "workflow" in fields:
        filled["workflow"] = Interpolator(scopes, findings, keeps_steps=True).fill(fields["workflow"])
    return entry.like(filled), order


def _contexts(
    entry: Value, parameters: Value | None, findings: Findings, wanted: Contexts | None
) -> Contexts | None:
    """The sites in the order that was asked for; None when there are not two, which pydantic tells."""
    given = parameters.get("sites") if parameters else None
    sites = list(fields_of(given)) if given else []
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


def _full_name(name: str, chosen: Mapping[str, Choice]) -> str:
    if not chosen:
        return name
    return f"{name}[{','.join(f'{key}={text_of(choice.name)}' for key, choice in chosen.items())}]"


def _defaults() -> dict[str, Value]:
    return {
        name: Value(data, 1, 1)
        for name, data in Parameters().model_dump().items()
        if not isinstance(data, dict)
    }


def _scope(value: Value | None, defaults: dict[str, Value]) -> Scope:
    """Names to values; what is in a mapping is named with dots."""
    found = dict(defaults)
    for key, item in fields_of(value).items() if value else ():
        for inner, below in fields_of(item).items():
            found[f"{key}.{inner}"] = literal(below)
        found[key] = literal(item)
    return found

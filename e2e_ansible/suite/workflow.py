"""The steps of one test, typed: each by the options of its step type."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from e2e_ansible.names import suggestion
from e2e_ansible.steps.base import StepType
from e2e_ansible.steps.group import Composition
from e2e_ansible.suite.complaint import Subject, complain
from e2e_ansible.suite.findings import Findings
from e2e_ansible.suite.model import StepOptions
from e2e_ansible.suite.value import Value, plain, shown

__all__ = ["TypedStep", "all_steps", "read_workflow"]


@dataclass(frozen=True)
class TypedStep:
    """A step as written, with its type and options, or what could be read of them; `parts` are the steps below it."""

    value: Value
    type: StepType[Any] | None = None
    options: StepOptions | None = None
    parts: Mapping[str, Sequence[TypedStep]] = field(default_factory=dict)

    def text(self, key: str) -> str:
        """The text of a key; '' where there is none."""
        found = self.value.get(key)
        return found.data if found is not None and isinstance(found.data, str) else ""

    def says(self, key: str) -> bool:
        """Whether a key is true."""
        found = self.value.get(key)
        return found is not None and found.data is True


def all_steps(steps: Iterable[TypedStep]) -> Iterator[TypedStep]:
    """The steps and all below them, in the order of the text."""
    for step in steps:
        yield step
        for part in step.parts.values():
            yield from all_steps(part)


def read_workflow(
    test: str, entry: Value, step_types: Mapping[str, StepType[Any]], findings: Findings
) -> list[TypedStep]:
    """All steps of an entry, in order; those with problems are without some of it."""
    workflow = entry.get("workflow")
    if workflow is None:
        findings.add(entry, f"test {test!r} needs 'workflow'", "a list of steps")
    elif not isinstance(workflow.data, list):
        if not workflow.broken:
            findings.add(workflow, f"'workflow' must be a list of steps, not {shown(workflow)}")
    elif not workflow.data:
        findings.add(workflow, "'workflow' has no steps")
    else:
        return [_read_step(value, step_types, findings) for value in workflow.data]
    return []


def _read_step(value: Value, step_types: Mapping[str, StepType[Any]], findings: Findings) -> TypedStep:
    step_type = _step_type(value, step_types, findings)
    if step_type is None:
        return TypedStep(value)
    parts = dict(_read_parts(value, step_type, step_types, findings))
    try:
        # As JSON: a list of a file may then fill a tuple, and a text an enum, even where options are strict.
        options = step_type.options.model_validate_json(json.dumps(plain(value)))
    except ValidationError as error:
        subject = Subject(f"step {step_type.name!r}", step_type.options)
        complain(error, value, subject, findings)
        return TypedStep(value, step_type, _salvage(error, value, step_type), parts)
    return TypedStep(value, step_type, options, parts)


def _read_parts(
    value: Value, step_type: StepType[Any], step_types: Mapping[str, StepType[Any]], findings: Findings
) -> Iterator[tuple[str, list[TypedStep]]]:
    """The steps below a step, by key; of what is no list the options complain."""
    for key in step_type.parts if isinstance(step_type, Composition) else ():
        part = value.get(key)
        if part is not None and isinstance(part.data, list):
            yield key, [_read_step(item, step_types, findings) for item in part.data]


def _salvage(error: ValidationError, value: Value, step_type: StepType[Any]) -> StepOptions | None:
    """The options without what is wrong, so that more problems of the step can be told at once."""
    wrong = {item["loc"][0] for item in error.errors(include_url=False) if item["loc"]}
    right = {key: item for key, item in plain(value).items() if key not in wrong}
    try:
        return step_type.options.model_validate_json(json.dumps(right))
    except ValidationError:
        return None


def _step_type(
    value: Value, step_types: Mapping[str, StepType[Any]], findings: Findings
) -> StepType[Any] | None:
    if not isinstance(value.data, dict):
        if not value.broken:
            hint = (
                f"write 'step: {value.data}'"
                if isinstance(value.data, str) and value.data in step_types
                else ""
            )
            findings.add(value, f"a step must be a mapping with 'step', not {shown(value)}", hint)
        return None
    name = value.data.get("step")
    if name is None:
        _complain_nameless(value, step_types, findings)
    elif not name.broken:
        if isinstance(name.data, str) and name.data in step_types:
            return step_types[name.data]
        hint = findings.suggest(name.data, step_types) if isinstance(name.data, str) else ""
        findings.add(name, f"unknown step type {shown(name)}", hint)
    return None


def _complain_nameless(value: Value, step_types: Mapping[str, StepType[Any]], findings: Findings) -> None:
    """A frequent slip of those who know Ansible is `- deploy: {}`."""
    for key, mark in value.keys.items():
        if key in step_types:
            findings.add(mark, "this step has no 'step'", f"write 'step: {key}'")
            return
        if suggestion(key, ["step"]).startswith("did"):
            findings.add(mark, f"unknown key {shown(key)} in a step", "did you mean 'step'?")
            return
    findings.add(value, "this step has no 'step'", suggestion("", step_types))

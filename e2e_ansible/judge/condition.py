"""Decides a `when`: on what steps returned and how they ended. Pure; no text is ever evaluated."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from e2e_ansible.errors import HarnessError
from e2e_ansible.suite.condition import Condition
from e2e_ansible.suite.reference import StepReference, split_references
from e2e_ansible.verdict import Verdict

__all__ = ["Outputs", "holds", "told"]

Outputs = Mapping[str, Mapping[str, object]]
_LONGEST = 60


def holds(condition: Condition, outputs: Outputs, ended: Callable[[str], Verdict | None]) -> bool:
    """Whether the condition is true. `ended` gives the verdict of a step or group by id, None if it was not run.

    Raises:
        HarnessError: it asks for what is not there: no output, or output that is no JSON.
    """
    if condition.op == "passed":
        return ended(condition.left) is Verdict.PASS
    if condition.op == "failed":
        return ended(condition.left) not in (None, Verdict.PASS)
    return (_text(condition.left, outputs) in _right(condition, outputs)) is (condition.op in ("==", "in"))


def told(condition: Condition, outputs: Outputs, ended: Callable[[str], Verdict | None]) -> str:
    """Why the condition does not hold, with the values that it was decided on."""
    if condition.op in ("passed", "failed"):
        verdict = ended(condition.left)
        return f"{condition.left} was not run" if verdict is None else f"{condition.left} is {verdict.value}"
    left, right = _text(condition.left, outputs), _right(condition, outputs)
    words = ", ".join(map(_shown, right))
    return (
        f"{_shown(left)} {condition.op} {f'[{words}]' if condition.op.endswith('in') else words} is not true"
    )


def _right(condition: Condition, outputs: Outputs) -> list[str]:
    return [_text(text, outputs) for text in condition.right]


def _text(text: str, outputs: Outputs) -> str:
    parts = split_references(text)
    return "".join(part if isinstance(part, str) else _value(part, outputs) for part in parts)


def _value(reference: StepReference, outputs: Outputs) -> str:
    found = outputs.get(reference.step)
    if found is None:
        raise HarnessError(f"when: there is no output of {reference.step!r}")
    if reference.field != "json":
        return str(found.get(reference.field, ""))
    try:
        return json.dumps(json.loads(str(found.get("stdout", ""))))
    except ValueError as error:
        raise HarnessError(f"when: the output of {reference.step!r} is no JSON: {error}") from error


def _shown(text: str) -> str:
    return repr(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}...")

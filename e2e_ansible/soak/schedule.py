"""A schedule of failures as a file: a JSON list of what is injected into which cycle, for `run --schedule`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from e2e_ansible.errors import UsageError
from e2e_ansible.run.folder import write_private
from e2e_ansible.soak.options import PlannedInjection
from e2e_ansible.soak.scenario import RANDOM, scenario_named
from e2e_ansible.suite.complaint import Subject, complain
from e2e_ansible.suite.document import read_bytes, read_document
from e2e_ansible.suite.findings import Findings
from e2e_ansible.suite.value import Value, plain, shown

__all__ = ["parse_schedule", "read_schedule", "schedule_text", "write_schedule"]

_SUBJECT = Subject("an injection", PlannedInjection)


def read_schedule(path: Path) -> tuple[PlannedInjection, ...]:
    """The schedule of a file, in order of the cycles, its scenarios by the names of their faults.

    Raises:
        SuiteError: there is no such file, or it has problems; each names its line.
    """
    findings = Findings(str(path))
    content = read_bytes(path, findings)
    findings.raise_if_any()
    return parse_schedule(content or b"", str(path))


def parse_schedule(content: bytes, name: str) -> tuple[PlannedInjection, ...]:
    """As `read_schedule`, for content that has been read already; problems name it as `name`."""
    findings = Findings(name)
    root = read_document(content, ".json", findings)
    found = _items(root, findings) if root is not None else []
    findings.raise_if_any()
    return tuple(sorted(found, key=lambda each: each.cycle))


def _items(root: Value, findings: Findings) -> list[PlannedInjection]:
    if not isinstance(root.data, list):
        findings.add(root, f"a schedule is a list of injections, not {shown(root)}", "write [{...}, ...]")
        return []
    found: list[PlannedInjection] = []
    lines: dict[int, int] = {}
    for value in root.data:
        injection = _item(value, findings)
        if injection is None:
            continue
        if injection.cycle in lines:
            text = f"cycle {injection.cycle} has two injections, and a cycle can have one"
            findings.add(value, text, f"the first is on line {lines[injection.cycle]}")
        lines.setdefault(injection.cycle, value.line)
        found.append(injection)
    return found


def _item(value: Value, findings: Findings) -> PlannedInjection | None:
    if not isinstance(value.data, dict):
        findings.add(value, f"an injection is a mapping with cycle, scenario and phase, not {shown(value)}")
        return None
    try:
        made = PlannedInjection.model_validate_json(json.dumps(plain(value)))
    except ValidationError as error:
        complain(error, value, _SUBJECT, findings)
        return None
    try:
        fault = scenario_named(made.scenario)
    except UsageError as error:
        findings.add(value.get("scenario") or value, str(error), error.hint)
        return None
    if fault == RANDOM:
        findings.add(value.get("scenario") or value, "a schedule names what is injected, not 'random'")
        return None
    return made.model_copy(update={"scenario": fault})


def schedule_text(schedule: Sequence[PlannedInjection]) -> str:
    """The text of a file: one injection a line."""
    lines = ",\n".join(json.dumps(each.model_dump(exclude_defaults=True)) for each in schedule)
    return f"[\n{lines}\n]\n" if lines else "[]\n"


def write_schedule(path: Path, schedule: Sequence[PlannedInjection]) -> None:
    """Write a schedule, as a whole or not at all.

    Raises:
        OSError: it could not be written.
    """
    write_private(path, schedule_text(schedule))

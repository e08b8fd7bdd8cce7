"""What is different between the plan of a run and the one that its suite compiles to now."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from e2e_ansible.compile.plan import Plan

__all__ = ["difference"]

_PLACES = frozenset({"suite_file", "suite_digest", "source", "lines", "content_digest"})
_PLAYBOOKS = "playbooks/"
_MOST_LINES = 60


def difference(old: Plan, new: Plan) -> str:
    """Steps, settings and playbooks that differ; '' when both plans do the same.

    Comments, and where in the suite something stands, make no difference.
    """
    lines = [*_steps(old, new), *_settings(_data(old), _data(new)), *_content(old, new)]
    diff = [line for name in sorted({*old.files, *new.files}) for line in _file(name, old.files, new.files)]
    if len(diff) > _MOST_LINES:
        diff = [*diff[:_MOST_LINES], f"and {len(diff) - _MOST_LINES} more lines"]
    return "\n".join([*lines, *diff])


def _steps(old: Plan, new: Plan) -> Iterator[str]:
    before, after = {step.id: step for step in old.steps}, {step.id: step for step in new.steps}
    for step in [*before, *(each for each in after if each not in before)]:
        if step not in after:
            yield f"step {step} is gone"
        elif step not in before:
            yield f"step {step} is new"
        else:
            yield from _changes(f"step {step}", _data(before[step]), _data(after[step]))


def _settings(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    left_out = {"steps", "flow"}
    kept = [{key: value for key, value in each.items() if key not in left_out} for each in (old, new)]
    yield from _changes("setting", *kept)
    if old.get("flow") != new.get("flow"):
        yield "the steps hang together in another way"


def _changes(what: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for key in sorted({*old, *new}):
        before, after = old.get(key), new.get(key)
        if before == after:
            continue
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from _changes(f"{what}, {key}", before, after)
        else:
            yield f"{what}: {key} was {json.dumps(before)} and is {json.dumps(after)}"


def _content(old: Plan, new: Plan) -> Iterator[str]:
    if old.content_digest != new.content_digest:
        yield "the roles or plugins are others"


def _file(name: str, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    before, after = (_without_comments(files.get(name, "")) for files in (old, new))
    if before != after:
        yield from difflib.unified_diff(before, after, f"{name} of the run", f"{name} now", n=2, lineterm="")


def _without_comments(text: str) -> Sequence[str]:
    return [line for line in text.split("\n") if not line.startswith("#")]


def _data(model: Any) -> Any:
    return _placeless(model.model_dump(mode="json"))


def _placeless(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _placeless(item) for key, item in value.items() if key not in _PLACES}
    return [_placeless(item) for item in value] if isinstance(value, list) else value

"""What a task has changed, or would change, in words: the differences that its module tells."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

__all__ = ["change_words"]

_MOST_LINES = 20
_LONGEST = 200


def change_words(result: Mapping[str, Any]) -> str:
    """At most a screen of differences; without one, that the module tells none."""
    lines = [line for each in _parts(result) for line in _difference(each)]
    if not lines:
        return "it changes something, and does not tell what"
    more = [f"and {len(lines) - _MOST_LINES} more lines"] if len(lines) > _MOST_LINES else []
    return "\n".join([*(line[:_LONGEST] for line in lines[:_MOST_LINES]), *more])


def _parts(result: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The differences of a task and, of a loop, of each of its items that changed something."""
    found = result.get("diff")
    yield from (each for each in (found if isinstance(found, list) else [found]) if isinstance(each, Mapping))
    items = result.get("results")
    for item in items if isinstance(items, list) else ():
        if isinstance(item, Mapping) and item.get("changed") is True:
            yield from _parts(item)


def _difference(part: Mapping[str, Any]) -> Sequence[str]:
    prepared = str(part.get("prepared") or "").strip()
    if prepared:
        return prepared.splitlines()
    before, after = _text(part.get("before")), _text(part.get("after"))
    first, second = (str(part.get(f"{key}_header") or key) for key in ("before", "after"))
    return list(
        difflib.unified_diff(before.splitlines(), after.splitlines(), first, second, n=1, lineterm="")
    )


def _text(value: Any) -> str:
    """Text as it is, and of facts such as a mode one line each."""
    if isinstance(value, Mapping):
        return "\n".join(f"{key}: {item}" for key, item in sorted(value.items()))
    return "" if value is None else str(value)

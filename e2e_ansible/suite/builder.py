"""Builds the tree of values from a stream of openings, scalars and closings, within limits."""

from __future__ import annotations

import re
from dataclasses import dataclass

from e2e_ansible.suite.findings import Findings
from e2e_ansible.suite.value import Mark, Place, Value, shown

__all__ = ["DEEPEST", "MOST_VALUES", "Abandoned", "Builder", "mark_of"]

DEEPEST = 64
MOST_VALUES = 200_000
_NO_TEXT = re.compile("[\0\ud800-\udfff]")


class Abandoned(Exception):
    """What follows in the file cannot be read."""


@dataclass(slots=True)
class _Frame:
    value: Value
    keys: dict[str, Mark]
    key: str | None = None
    twice: bool = False


class Builder:
    """Takes values in the order of the file; in a mapping, keys and values by turns."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self.root: Value | None = None
        self._frames: list[_Frame] = []
        self._count = 0

    @property
    def wants_key(self) -> bool:
        """Whether the next value is a key."""
        return (
            bool(self._frames)
            and self._frames[-1].key is None
            and isinstance(self._frames[-1].value.data, dict)
        )

    def open(self, value: Value) -> None:
        """Begin a list or a mapping."""
        if self.wants_key:
            raise self.abandon(value, f"a key must be text, not {shown(value)}")
        if len(self._frames) >= DEEPEST:
            raise self.abandon(value, f"nested more than {DEEPEST} levels deep")
        self._limit(1, value)
        keys: dict[str, Mark] = {}
        value.keys = keys
        self._frames.append(_Frame(value, keys))

    def close(self) -> None:
        """End the list or mapping that was begun last."""
        self._attach(self._frames.pop().value)

    def add(self, value: Value) -> None:
        """A scalar, or a finished value that is used once more."""
        self._limit(value.size, value)
        if isinstance(value.data, str) and _NO_TEXT.search(value.data):
            self.findings.add(value, "text must not contain NUL or half of a surrogate pair")
            value.broken = True
        if self.wants_key:
            self._take_key(value)
        else:
            self._attach(value)

    def abandon(self, place: Place, message: str, hint: str = "") -> Abandoned:
        """Note a problem after which nothing can be read; raise what this returns."""
        self.findings.add(place, message, hint)
        return Abandoned()

    def _limit(self, size: int, place: Place) -> None:
        self._count += size
        if self._count > MOST_VALUES:
            raise self.abandon(place, f"more than {MOST_VALUES} values, counting what aliases repeat")

    def _take_key(self, value: Value) -> None:
        frame = self._frames[-1]
        if isinstance(value.data, (list, dict)):
            raise self.abandon(value, f"a key must be text, not {shown(value)}")
        if not isinstance(value.data, str):
            self.findings.add(value, f"a key must be text, not {shown(value)}", "put it in quotes")
        key = value.data if isinstance(value.data, str) else shown(value)
        frame.key = key
        frame.twice = key in frame.keys
        if frame.twice:
            first = frame.keys[key].line
            self.findings.add(value, f"the key {shown(key)} is here twice", f"first on line {first}")
        else:
            frame.keys[key] = Mark(value.line, value.column)

    def _attach(self, value: Value) -> None:
        if not self._frames:
            self.root = value
            return
        frame = self._frames[-1]
        frame.value.size += value.size
        data = frame.value.data
        if isinstance(data, list):
            data.append(value)
        if isinstance(data, dict) and frame.key is not None and not frame.twice:
            data[frame.key] = value
        frame.key = None


def mark_of(text: str, offset: int) -> Mark:
    """The line and column of a character; both count from 1."""
    start = text.rfind("\n", 0, offset) + 1
    return Mark(text.count("\n", 0, offset) + 1, offset - start + 1)

"""YAML to values, by the core schema of YAML 1.2: `yes`, `on`, `12:30` and `1_000` are text, `010` is ten.

Built from parser events and not from PyYAML's nodes: those are made by recursion, so that depth could not be
limited, and would have to be walked a second time.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import yaml

from e2e_ansible.suite.builder import Builder
from e2e_ansible.suite.findings import START, Findings
from e2e_ansible.suite.value import Mark, Value, shown

__all__ = ["read_yaml"]

# libyaml is about ten times as fast; PyYAML is built without it where its headers are missing.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_STANDARD = "tag:yaml.org,2002:"
_TAGS = frozenset(f"{_STANDARD}{name}" for name in ("str", "map", "seq"))
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_LONGEST_NUMBER = 300
_HINTS = {
    "cannot start any token": "put the text in quotes",
    "mapping values are not allowed": "check the indentation, or put text that contains ': ' in quotes",
    "did not find expected key": "check the indentation and the quotes",
    "did not find expected '-' indicator": "check the indentation",
    "undefined alias": "an anchor (&name) must stand before its alias (*name)",
}


def read_yaml(text: str, findings: Findings) -> Value | None:
    """The one document of a YAML text; None when it is empty or cannot be read.

    Raises:
        Abandoned: it makes no sense to read on; the problem is in `findings`.
    """
    reader = _Reader(findings)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            reader.take(event)
    except yaml.YAMLError as error:
        _complain(error, text, findings)
        return None
    return reader.builder.root


class _Reader:
    def __init__(self, findings: Findings) -> None:
        self.builder = Builder(findings)
        self._findings = findings
        self._anchors: dict[str, Value] = {}
        self._open: list[Value] = []
        self._documents = 0

    def take(self, event: yaml.Event) -> None:
        """One event of the parser."""
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._start(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._open.pop()
            self.builder.close()
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise self.builder.abandon(
                    _mark(event), "a second YAML document begins here", "one file, one suite"
                )

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        mark = _mark(event)
        value = Value(event.value, *mark)
        if event.implicit[0] and event.tag is None:
            self._resolve(value, event.value)
        self._keep(event, value)
        if event.implicit[0] and event.value == "<<" and self.builder.wants_key:
            self._findings.add(mark, "merge keys ('<<') are not supported", "write the keys out")
        self.builder.add(value)

    def _start(self, event: yaml.CollectionStartEvent) -> None:
        value = Value([] if isinstance(event, yaml.SequenceStartEvent) else {}, *_mark(event))
        self._keep(event, value)
        self.builder.open(value)
        self._open.append(value)

    def _keep(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent, value: Value) -> None:
        if event.tag is not None and event.tag not in _TAGS:
            tag = event.tag.replace(_STANDARD, "!!")
            self._findings.add(value, f"YAML tags are not supported: {shown(tag)}", "remove it")
            value.broken = True
        if event.anchor is not None:
            self._anchors[event.anchor] = value

    def _alias(self, event: yaml.AliasEvent) -> None:
        mark = _mark(event)
        target = self._anchors.get(str(event.anchor))
        if target is None:
            raise self.builder.abandon(mark, f"there is no anchor {shown(event.anchor)} before this alias")
        if any(target is value for value in self._open):
            raise self.builder.abandon(mark, f"the alias {shown(event.anchor)} contains itself")
        self.builder.add(Value(target.data, *mark, target.keys, target.size, target.broken))

    def _resolve(self, value: Value, text: str) -> None:
        if text in _WORDS:
            value.data = _WORDS[text]
        elif text[0] not in "+-.0123456789":
            return
        elif len(text) > _LONGEST_NUMBER and _FLOAT.fullmatch(text):
            self._not_a_number(value, "is too long for a number")
        elif _INTEGER.fullmatch(text):
            value.data = int(text)
        elif _BASED.fullmatch(text):
            value.data = int(text, 0)
        elif _FLOAT.fullmatch(text):
            self._float(value, text)
        elif _NOT_FINITE.fullmatch(text):
            self._not_a_number(value, "is not a finite number")

    def _float(self, value: Value, text: str) -> None:
        number = float(text)
        if math.isinf(number):
            self._not_a_number(value, "is too big for a number")
        else:
            value.data = number

    def _not_a_number(self, value: Value, why: str) -> None:
        self._findings.add(value, f"{shown(value)} {why}", "put it in quotes if it is text")
        value.broken = True


def _mark(event: yaml.Event) -> Mark:
    mark: Any = event.start_mark
    return Mark(mark.line + 1, mark.column + 1)


def _complain(error: yaml.YAMLError, text: str, findings: Findings) -> None:
    mark = getattr(error, "problem_mark", None)
    problem = str(getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be read")
    begun = getattr(error, "context_mark", None)
    hint = next((hint for part, hint in _HINTS.items() if part in problem), "")
    lines = text.rstrip("\n").split("\n")
    place = _place(mark, lines) if mark else START
    if lines[place.line - 1][place.column - 1 : place.column] == "\t":
        hint = "indent with spaces, not with tabs"
    if not hint and mark and begun and begun.line < mark.line:
        hint = f"{error.context}, that begins on line {begun.line + 1}"  # type: ignore[attr-defined]
    findings.add(place, f"not valid YAML: {problem}", hint)


def _place(mark: yaml.Mark, lines: Sequence[str]) -> Mark:
    """Where a mark of PyYAML points; at the end of a file libyaml points at a line that is not there."""
    if mark.line < len(lines):
        return Mark(mark.line + 1, min(mark.column, len(lines[mark.line])) + 1)
    return Mark(len(lines), len(lines[-1]) + 1)

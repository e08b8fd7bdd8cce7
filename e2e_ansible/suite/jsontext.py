"""Strict JSON to values: no comments, no trailing commas, no NaN, no key twice."""

from __future__ import annotations

import json
import math
import re
from bisect import bisect_right

from e2e_ansible.suite.builder import DEEPEST, Builder, mark_of
from e2e_ansible.suite.findings import Findings
from e2e_ansible.suite.value import Mark, Value, shown

__all__ = ["read_json"]

_STRING = r'"[^"\\]*(?:\\.[^"\\]*)*"'
_BRACKET = re.compile(rf"{_STRING}|([\[{{])|([\]}}])", re.DOTALL)
_TOKEN = re.compile(rf"{_STRING}|[\[\]{{}}]|[^\s\[\]{{}},:]+", re.DOTALL)
_LONGEST_NUMBER = 300
_WORDS = {"true": True, "false": False, "null": None}


def read_json(text: str, findings: Findings) -> Value | None:
    """The value of a JSON text; None when it cannot be read.

    Raises:
        Abandoned: it makes no sense to read on; the problem is in `findings`.
    """
    builder = Builder(findings)
    # Ahead of the json module, which can only say that it is too deep, not where.
    _refuse_depth(text, builder)
    try:
        # Whether it is JSON at all is the json module's word; where each value stands is read again below.
        json.loads(text, parse_int=_nothing, parse_float=_nothing, parse_constant=_nothing)
    except json.JSONDecodeError as error:
        offset, message, hint = _told(text, error)
        findings.add(mark_of(text, offset), f"not valid JSON: {message}", hint)
        return None
    _build(text, builder)
    return builder.root


def _nothing(_text: str) -> None:
    return None


def _refuse_depth(text: str, builder: Builder) -> None:
    depth = 0
    for match in _BRACKET.finditer(text):
        if match[1]:
            depth += 1
        elif match[2]:
            depth -= 1
        if depth > DEEPEST:
            raise builder.abandon(mark_of(text, match.start()), f"nested more than {DEEPEST} levels deep")


def _told(text: str, error: json.JSONDecodeError) -> tuple[int, str, str]:
    """Where, what, and what to do. Of a comma too many, each Python says something else at another place."""
    before, rest = text[: error.pos].rstrip(), text[error.pos :].lstrip()
    if rest.startswith(("}", "]")) and before.endswith(","):
        return len(before) - 1, "a comma before the end", "remove the comma"
    if rest.startswith(",") and rest[1:].lstrip()[:1] in {"}", "]"}:
        return error.pos, "a comma before the end", "remove the comma"
    return error.pos, error.msg[0].lower() + error.msg[1:], _hint(text, error.pos)


def _hint(text: str, offset: int) -> str:
    before, rest = text[:offset].rstrip(), text[offset:].lstrip()
    if rest.startswith(("#", "//", "/*")):
        return "JSON has no comments; YAML has"
    if rest.startswith("'"):
        return "JSON wants double quotes"
    if not rest:
        return "the file ends too early"
    return "a comma is missing before it" if rest.startswith('"') and before.endswith(('"', "}", "]")) else ""


def _build(text: str, builder: Builder) -> None:
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    for match in _TOKEN.finditer(text):
        token, offset = match[0], match.start()
        line = bisect_right(starts, offset)
        mark = Mark(line, offset - starts[line - 1] + 1)
        if token in ("]", "}"):
            builder.close()
        elif token == "[":
            builder.open(Value([], *mark))
        elif token == "{":
            builder.open(Value({}, *mark))
        else:
            builder.add(_scalar(token, mark, builder.findings))


def _scalar(token: str, mark: Mark, findings: Findings) -> Value:
    value = Value(None, *mark)
    if token[0] == '"':
        value.data = json.loads(token)
    elif token in _WORDS:
        value.data = _WORDS[token]
    elif not (token[0].isdigit() or token[1:2].isdigit()):
        _refuse(value, f"{token} is not a finite number", findings)
    elif len(token) > _LONGEST_NUMBER:
        _refuse(value, f"{shown(token)} is too long for a number", findings)
    else:
        _number(value, token, findings)
    return value


def _number(value: Value, token: str, findings: Findings) -> None:
    number = float(token) if set(token) & set(".eE") else int(token)
    if isinstance(number, float) and math.isinf(number):
        _refuse(value, f"{token} is too big for a number", findings)
    else:
        value.data = number


def _refuse(value: Value, message: str, findings: Findings) -> None:
    findings.add(value, message, "put it in quotes if it is text")
    value.broken = True

"""Plays to YAML text: the block style ansible-lint asks for, the same bytes for the same input, and fast.

Text of users is written as `!unsafe`, so that Ansible never takes it for a template. A reference to the output of
an earlier step becomes the one template expression that is meant; the text around it stays literal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from e2e_ansible.steps.base import Play, Unsafe
from e2e_ansible.suite.reference import StepReference, split_references

__all__ = ["REGISTERED", "comment", "playbook_text", "to_yaml", "uses_registered"]

REGISTERED = "e2e_registered"
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./()-]*(?: [A-Za-z0-9_./()-]+)*")
_RESERVED = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
_NOT_IN_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]")
_LITERAL_IN_TEMPLATE = str.maketrans({"{": r"\x7b", "}": r"\x7d", "%": r"\x25", "#": r"\x23", "'": r"\x27"})


def playbook_text(header: Sequence[str], plays: Sequence[Play]) -> str:
    """A whole playbook; `header` are the comment lines at its top."""
    lines = [*(comment(line) for line in header), "---"]
    for index, made in enumerate(plays):
        if index:
            lines.append("")
        lines.extend(_sequence([made], 0))
    return "\n".join(lines) + "\n"


def comment(text: str) -> str:
    """One comment line; line breaks and control characters of user text become spaces."""
    return "# " + "".join(char if char.isprintable() else " " for char in text).strip()


def to_yaml(value: Mapping[str, Any]) -> str:
    """A mapping as a YAML document without header."""
    return "\n".join(_mapping(value, 0)) + "\n"


def uses_registered(value: object) -> bool:
    """Whether any user text in a play refers to the output of an earlier step."""
    if isinstance(value, Unsafe):
        return any(isinstance(part, StepReference) for part in split_references(value))
    if isinstance(value, Mapping):
        return any(map(uses_registered, value.keys())) or any(map(uses_registered, value.values()))
    if isinstance(value, (list, tuple)):
        return any(map(uses_registered, value))
    return False


def _mapping(value: Mapping[str, Any], depth: int) -> Iterator[str]:
    pad = "  " * depth
    for key, item in value.items():
        label = _scalar(str(key))
        if isinstance(item, Mapping) and item:
            yield f"{pad}{label}:"
            yield from _mapping(item, depth + 1)
        elif isinstance(item, (list, tuple)) and item:
            yield f"{pad}{label}:"
            yield from _sequence(item, depth + 1)
        else:
            yield f"{pad}{label}: {_scalar(item)}"


def _sequence(value: Sequence[Any], depth: int) -> Iterator[str]:
    pad = "  " * depth
    for item in value:
        if isinstance(item, Mapping) and item:
            lines = _mapping(item, depth + 1)
            first = next(lines)
            yield f"{pad}- {first.lstrip()}"
            yield from lines
        elif isinstance(item, (list, tuple)) and item:
            yield f"{pad}-"
            yield from _sequence(item, depth + 1)
        else:
            yield f"{pad}- {_scalar(item)}"


def _scalar(value: object) -> str:
    if isinstance(value, Unsafe):
        return _user_text(value)
    if isinstance(value, str):
        plain = _PLAIN.fullmatch(value) and value.lower() not in _RESERVED
        return value if plain else _quoted(value)
    if value is None or isinstance(value, (bool, int, float)):
        return json.dumps(value)
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, (list, tuple)):
        return "[]"
    raise TypeError(f"a play cannot contain {value!r}")


def _quoted(text: str) -> str:
    escaped = json.dumps(text, ensure_ascii=False)
    return _NOT_IN_YAML.sub(lambda match: f"\\u{ord(match.group()):04x}", escaped)


def _user_text(text: str) -> str:
    parts = split_references(text)
    if not any(isinstance(part, StepReference) for part in parts):
        return f"!unsafe {_quoted(''.join(str(part) for part in parts))}"
    return _quoted("".join(_expression(part) for part in parts))


def _expression(part: str | StepReference) -> str:
    if isinstance(part, StepReference):
        return "{{ " + f"{REGISTERED}['{part.step}']['{part.field}']" + " }}"
    literal = part.replace("\\", "\\\\").translate(_LITERAL_IN_TEMPLATE)
    return "{{ '" + literal.replace("\n", "\\n") + "' }}" if literal != part or "\n" in part else part

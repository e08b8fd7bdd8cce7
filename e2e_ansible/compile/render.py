"""Plays to YAML text: the block style ansible-lint asks for, the same bytes for the same input, and fast.

Text of users is written as `!unsafe`, so that Ansible never takes it for a template. A reference to the output of
an earlier step becomes the one template expression that is meant; the text around it stays literal. What looks like
a number or another value of YAML is only quoted: Ansible makes that value of it behind `!unsafe`, quotes or not.
"""

from __future__ import annotations

import json
import math
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from yaml.resolver import Resolver

from e2e_ansible.steps.base import Play, Unsafe
from e2e_ansible.suite.reference import StepReference, split_references

__all__ = ["REGISTERED", "comment", "entry", "playbook_text", "to_yaml", "used_registers"]

REGISTERED = "e2e_registered"
_WIDTH = 100
_WORD = r"[A-Za-z0-9_./()=+@-]"
_PLAIN = re.compile(rf"(?:\.{{0,2}}/|--?)?[A-Za-z]{_WORD}*(?: {_WORD}+)*")
_RESERVED = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
_NOT_IN_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]")
_TOKEN = r"(?:\\u[0-9a-f]{4}|\\[^u]|[^\\])"
_CHUNK = re.compile(rf"(?:(?!\\n){_TOKEN}){{0,99}}\\n|{_TOKEN}{{40,100}}(?<= )|{_TOKEN}{{1,100}}")
_BLANK_LINES = "\n\n\n"
_VALUES: Mapping[str, Sequence[tuple[str, re.Pattern[str]]]] = Resolver.yaml_implicit_resolvers
_TEMPLATE_MARKS = re.compile(r"\{{2,}[%#]?|\{[%#]|\{(?=\r|\Z)|\A#|\r")
_wrapper = textwrap.TextWrapper(_WIDTH, initial_indent="# ", subsequent_indent="#   ", break_on_hyphens=False)
_NON_FINITE = {"inf": ".inf", "-inf": "-.inf", "nan": ".nan"}
_FIELDS = {
    "stdout": "{}['stdout']",
    "stderr": "{}['stderr']",
    "rc": "{}['rc'] | string",
    "json": "{}['stdout'] | from_json | to_json",
}


def playbook_text(header: Iterable[str], command: str, plays: Sequence[Play]) -> str:
    """A whole playbook; `header` are the comments at its top, `command` is how to run it by hand."""
    lines = [*map(comment, header), "# By hand, in the plan folder:", f"#   {command}", "---"]
    for index, made in enumerate(plays):
        if index:
            lines.append("")
        lines.extend(_sequence([made], 0))
    return "\n".join(lines) + "\n"


def comment(text: str) -> str:
    """One comment, wrapped; line breaks and control characters of user text become spaces."""
    shown = "".join(char if char.isprintable() else " " for char in text).strip()
    if len(shown) <= _WIDTH:
        return f"# {shown}".rstrip()
    return "\n".join(_wrapper.wrap(shown))


def to_yaml(value: Mapping[str, Any]) -> str:
    """A mapping as a YAML document without header."""
    return "\n".join(_mapping(value, 0)) + "\n"


def entry(key: str, value: str) -> str:
    """The first line of a list item that begins with this key."""
    return f"- {key}: {_scalar(value, 1)}"


def used_registers(value: object) -> frozenset[str]:
    """The registers of earlier steps that user text anywhere in a play refers to."""
    if isinstance(value, Unsafe):
        return frozenset(part.step for part in split_references(value) if isinstance(part, StepReference))
    if isinstance(value, Mapping):
        return frozenset().union(*map(used_registers, value.values()))
    if isinstance(value, (list, tuple)):
        return frozenset().union(*map(used_registers, value))
    return frozenset()


def _mapping(value: Mapping[str, Any], depth: int) -> Iterator[str]:
    pad = "  " * depth
    for key, item in value.items():
        label = _label(str(key), pad)
        if isinstance(item, Mapping) and item:
            yield label
            yield from _mapping(item, depth + 1)
        elif isinstance(item, (list, tuple)) and item:
            flow = _flow(item, len(label))
            yield f"{label}{flow}"
            if not flow:
                yield from _sequence(item, depth + 1)
        else:
            yield f"{label} {_scalar(item, depth + 1)}"


def _label(key: str, pad: str) -> str:
    text = _plain(key) or _quoted(key)
    # A parser need not look further than 1024 characters for the colon of a key.
    return f"{pad}{text}:" if len(text) <= _WIDTH else f"{pad}? {text}\n{pad}:"


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
            yield f"{pad}- {_scalar(item, depth + 1)}"


def _flow(value: Sequence[Any], used: int) -> str:
    """A list of a few plain words as one reads it best, in one line; else nothing."""
    words = [_plain(item) if type(item) is str else "" for item in value]
    text = f" [{', '.join(words)}]"
    return text if all(words) and used + len(text) <= _WIDTH else ""


def _scalar(value: object, depth: int) -> str:
    if isinstance(value, Unsafe):
        return _user_text(value, depth)
    if isinstance(value, str):
        return _text(value, depth)
    if isinstance(value, float):
        return _number(value)
    if value is None or isinstance(value, (bool, int)):
        return json.dumps(value)
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, (list, tuple)):
        return "[]"
    raise TypeError(f"a play cannot contain {value!r}")


def _number(value: float) -> str:
    """YAML takes `1e+16` for text, `1.0e+16` for a number."""
    if not math.isfinite(value):
        return _NON_FINITE[str(value)]
    text = repr(value)
    return text if "." in text else text.replace("e", ".0e")


def _text(text: str, depth: int) -> str:
    if "\n" in text:
        return _block(text, depth) or _quoted(text, depth)
    return _plain(text) or _quoted(text, depth)


def _plain(text: str) -> str:
    """The text without quotes where YAML takes it for the same text; else nothing."""
    plain = len(text) <= _WIDTH and _PLAIN.fullmatch(text) and text.lower() not in _RESERVED
    return text if plain else ""


def _block(text: str, depth: int) -> str:
    """Several lines that can be shown as they are, a script for example; else nothing."""
    lines = text.removesuffix("\n").split("\n")
    shows = len(lines) > 1 and lines[0][:1].strip() and lines[-1] and _BLANK_LINES not in text
    if not shows or not all(map(_shows_as_it_is, lines)):
        return ""
    pad = "  " * depth
    mark = "|" if text.endswith("\n") else "|-"
    return "\n".join([mark, *(f"{pad}{line}" if line else "" for line in lines)])


def _shows_as_it_is(line: str) -> bool:
    return len(line) <= _WIDTH and line.isprintable() and line[-1:] != " "


def _quoted(text: str, depth: int | None = None) -> str:
    """In double quotes; over several lines when it is long and a depth is given."""
    escaped = json.dumps(text, ensure_ascii=False)
    escaped = _NOT_IN_YAML.sub(lambda match: f"\\u{ord(match.group()):04x}", escaped)
    if depth is None or len(escaped) <= _WIDTH:
        return escaped
    first, *rest = _CHUNK.findall(escaped[1:-1])
    pad = "  " * depth
    # A blank at the start of a continued line would count as its indent.
    more = (f"\\\n{pad}{chunk}" if chunk[0] != " " else f"\\\n{pad}\\{chunk}" for chunk in rest)
    return f'"{first}{"".join(more)}"'


def _user_text(text: str, depth: int) -> str:
    parts = split_references(text)
    if any(isinstance(part, StepReference) for part in parts):
        return _text(_whole("".join(map(_template, parts))), depth)
    literal = "".join(map(str, parts))
    rendered = _text(literal, depth)
    return rendered if _looks_like_a_value(literal) else f"!unsafe {rendered}"


def _looks_like_a_value(text: str) -> bool:
    return any(pattern.match(text) for _, pattern in _VALUES.get(text[:1], ()))


def _template(part: str | StepReference) -> str:
    """A reference as an expression; of text, only what would begin one, or what Jinja would change, is masked."""
    if isinstance(part, StepReference):
        output = f"{REGISTERED}['{part.step}']"
        return "{{ " + _FIELDS[part.field].format(output) + " }}"
    return _TEMPLATE_MARKS.sub(_masked, part)


def _whole(template: str) -> str:
    """A template whose last line feed stays: Ansible adds none if the value before it ends with one already."""
    at_risk = template.endswith("\n") and template.rstrip("\n").endswith("}}")
    return template[:-1] + "{{ '%c' % 10 }}" if at_risk else template


def _masked(match: re.Match[str]) -> str:
    # Jinja turns a bare carriage return into a line feed, and Ansible doubles backslashes in expressions.
    return "{{ '%c' % 13 }}" if match.group() == "\r" else "{{ '" + match.group() + "' }}"

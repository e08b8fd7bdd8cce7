"""Holds answers of fakes against what the SDKs carry of the providers' own descriptions of their APIs.

`hcloud` has one class for each kind of object, with all its properties and their types. `pydo` is generated from
DigitalOcean's OpenAPI description, and the docstring of each call has the whole answer with types and known values.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_TYPES: Mapping[str, tuple[type, ...]] = {
    "int": (int,),
    "str": (str,),
    "bool": (bool,),
    "float": (int, float),
    "None": (type(None),),
    "datetime": (str,),
}


def unlike_class(value: Mapping[str, Any], kind: type[Any], partly: bool = False) -> Iterator[str]:
    """How an object differs from a class of `hcloud`; `partly` when properties may be missing."""
    known = set(kind.__api_properties__)
    if missing := known - set(value):
        yield from () if partly else (f"{kind.__name__} lacks {', '.join(sorted(missing))}",)
    parameters = inspect.signature(kind.__init__).parameters
    for name, content in value.items():
        if name not in known:
            yield f"{kind.__name__} has no {name}"
        elif not isinstance(content, _accepted(str(parameters[name].annotation))):
            yield f"{kind.__name__}.{name} is {content!r}, not {parameters[name].annotation}"


def _accepted(annotation: str) -> tuple[type, ...]:
    """The types of an annotation; a class of the SDK is an object of the API, and a literal is a word."""
    found: tuple[type, ...] = ()
    for part in re.sub(r"\[.*?\]+", "", annotation).split(" | "):
        found += _TYPES.get(part) or {"list": (list,), "Literal": (str,), "ActionStatus": (str,)}.get(
            part, (dict,)
        )
    return found


@dataclass
class Template:
    """One value of an answer as a docstring of `pydo` shows it."""

    shown: str
    comment: str = ""
    entries: dict[str, Template] = field(default_factory=dict)
    items: Template | None = None

    @property
    def known(self) -> set[str]:
        """The values it may have, empty when they are not told."""
        _, told, values = self.comment.partition("Known values are: ")
        return set(re.findall(r'"([^"]+)"', values.replace('""', ""))) if told else set()

    @property
    def required(self) -> bool:
        """Whether it is always there; of a list its items say so."""
        return "Required." in self.comment or bool(self.items and "Required." in self.items.comment)


_LINE = re.compile(
    r'^\s*(?:"(?P<key>\w+)": )?'
    r'(?P<shown>\{\}?|\[\]?|[\]}]|"str"|"20\d\d-[^"]*"|0|0\.0|bool|True|False|(?<=: )"[^"]*")'
    r"(?:,?\s*)(?:  # ?(?P<comment>.*))?$"
)


def template(call: Callable[..., Any], status: int) -> Template:
    """The answer of a call of `pydo` for one status."""
    text = inspect.getdoc(call) or ""
    marks = [f"# response body for status code(s): {status}\n", "response == "]
    for mark in marks:
        _, found, text = text.partition(mark)
        assert found, f"the docstring of {call.__qualname__} has no {mark!r}"
    return _read(_entries(text))


def _entries(text: str) -> Iterator[tuple[str, str, str]]:
    """Key, value and comment of each line up to the end of the answer; comments go over several lines."""
    pending: tuple[str, str, str] | None = None
    depth = 0
    for line in text.splitlines():
        found = _LINE.match(line)
        if not found:
            if pending:
                pending = (pending[0], pending[1], f"{pending[2]} {line.strip()}")
            continue
        if pending:
            yield pending
        shown = found["shown"]
        pending = (found["key"] or "", shown, found["comment"] or "")
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(shown, 0)
        if depth == 0:
            break
    if pending:
        yield pending


def _read(lines: Iterator[tuple[str, str, str]]) -> Template:
    _, shown, comment = next(lines)
    return _value(shown, comment, lines)


def _value(shown: str, comment: str, lines: Iterator[tuple[str, str, str]]) -> Template:
    made = Template(shown, comment)
    if shown not in ("{", "["):
        return made
    for key, inner, told in lines:
        if inner in ("}", "]"):
            made.comment += told
            return made
        child = _value(inner, told, lines)
        if shown == "[":
            made.items = child
        else:
            made.entries[key] = child
    return made


def unlike_template(value: Any, wanted: Template, where: str = "") -> Iterator[str]:
    """How an answer differs from its description. What is not told to be required may be null or missing."""
    if value is None:
        if wanted.required:
            yield f"{where} is null"
    elif not isinstance(value, _shown_type(wanted.shown)):
        yield f"{where} is {value!r}, not like {wanted.shown}"
    elif wanted.known and isinstance(value, str) and value not in wanted.known:
        yield f"{where} is {value!r}, none of {', '.join(sorted(wanted.known))}"
    elif isinstance(value, list) and wanted.items:
        for index, each in enumerate(value):
            yield from unlike_template(each, wanted.items, f"{where}[{index}]")
    elif isinstance(value, dict) and wanted.entries:
        yield from _unlike_entries(value, wanted, where)


def _unlike_entries(value: Mapping[str, Any], wanted: Template, where: str) -> Iterator[str]:
    for name, child in wanted.entries.items():
        if name in value:
            yield from unlike_template(value[name], child, f"{where}.{name}")
        elif child.required:
            yield f"{where} lacks {name}"
    for name in set(value) - set(wanted.entries):
        yield f"{where} has {name}, which is not described"


def _shown_type(shown: str) -> tuple[type, ...]:
    if shown[0] in "{[":
        return (dict,) if shown[0] == "{" else (list,)
    if shown[0] == '"':
        return (str,)
    return (bool,) if shown in ("bool", "True", "False") else (int, float) if "." in shown else (int,)

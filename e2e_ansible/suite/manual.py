"""The reference of suites: text written by hand, with tables made from the models, the registries and the power table.

python -m e2e_ansible.suite.manual > docs/suites.md
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any

from pydantic import BaseModel, ValidationError

from e2e_ansible.checks.base import Check
from e2e_ansible.providers.capabilities import Cell, Requirement
from e2e_ansible.providers.registry import provider_names
from e2e_ansible.steps.base import CompileContext, StepType
from e2e_ansible.suite.model import Requirements, StepOptions, TestEntry
from e2e_ansible.suite.parameters import Parameters
from e2e_ansible.suite.vocabulary import Vocabulary

__all__ = ["manual", "page"]

_MARK = re.compile(r"^<!-- (\w+) -->$", re.MULTILINE)
_MADE = "<!-- Made by `python -m e2e_ansible.suite.manual` from e2e_ansible/suite/manual.md and the models. -->\n\n"
_KINDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "mapping",
}
_BOUNDS = (("minimum", "at least"), ("exclusiveMinimum", "more than"), ("maximum", "at most"))
_EXAMPLE = {
    "target_node": "n11",
    "checks": ["cluster_status"],
    "custom_command": ["true"],
    "service": "postgresql",
}

Row = Sequence[str]
Node = Mapping[str, Any]


def manual(words: Vocabulary, drivers: Collection[str], text: str) -> str:
    """The whole page in Markdown.

    `drivers` are the providers that can run, not only be planned for; `text` is the page with a mark
    `<!-- NAME -->` in the place of each table.
    """
    made: Mapping[str, Callable[[], str]] = {
        "test": lambda: _field_table(
            TestEntry, more=[("workflow", "list of steps", "", "The steps, in order")]
        ),
        "parameters": lambda: _field_table(Parameters),
        "requirements": lambda: _field_table(Requirements),
        "common": lambda: _field_table(StepOptions),
        "steps": lambda: _steps(words.step_types),
        "options": lambda: _options(words.step_types),
        "checks": lambda: _checks(words.checks),
        "power": lambda: _power(words.providers, drivers),
    }
    return _MADE + _MARK.sub(lambda mark: made[mark[1]](), text)


def _table(heading: Row, rows: Iterable[Row]) -> str:
    """A Markdown table; a bar in a cell does not end it."""
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in lines)


def _field_table(model: type[BaseModel], *, leaving: Iterable[str] = (), more: Iterable[Row] = ()) -> str:
    left = set(leaving)
    rows = [row for row in _fields(model) if row[0] not in left]
    quoted = [(f"`{name}`", *rest) for name, *rest in (*rows, *more)]
    return _table(("key", "value", "default", "meaning"), quoted)


def _fields(model: type[BaseModel]) -> Iterator[Row]:
    """Name, kind, default and meaning of each field, those of inner models too unless they have tables of their own."""
    schema = model.model_json_schema(by_alias=True)
    for name, node in schema["properties"].items():
        inner = schema.get("$defs", {}).get(node.get("$ref", "").rpartition("/")[2])
        kind = "see below" if inner and model is TestEntry else _kind(node)
        default = "required" if name in schema.get("required", ()) else _default(node)
        yield name, kind, default, node.get("description", "")
        if inner and model is not TestEntry:
            for key, item in inner["properties"].items():
                yield f"{name}.{key}", _kind(item), _default(item), item.get("description", "")


def _default(node: Node) -> str:
    value = node.get("default")
    return "" if value in (None, "", [], {}) else f"`{json.dumps(value).strip(chr(34))}`"


def _kind(node: Node) -> str:
    """What may stand there, in words."""
    if "anyOf" in node:
        kinds = [_kind(item) for item in node["anyOf"] if item.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if "enum" in node or "const" in node:
        return _either(node.get("enum") or [node["const"]])
    if node.get("type") == "array":
        return f"list of {_kind(node['items'])}"
    if node.get("pattern", "").startswith("^[A-Za-z0-9]["):
        return "name"
    kind = _KINDS.get(node.get("type", ""), "mapping")
    if "minimum" in node and "maximum" in node:
        return f"{kind}, {node['minimum']} to {node['maximum']}"
    return ", ".join([kind, *(f"{words} {node[key]}" for key, words in _BOUNDS if key in node)])


def _steps(step_types: Mapping[str, StepType[Any]]) -> str:
    rows = ((f"[`{name}`](#{name})", item.summary, _deadline(item)) for name, item in step_types.items())
    return _table(("step", "does", "deadline"), rows)


def _deadline(step_type: StepType[Any]) -> str:
    """That of a step with nothing but what it must have; none when nobody can guess that."""
    required = [name for name, info in step_type.options.model_fields.items() if info.is_required()]
    given = {name: _EXAMPLE[name] for name in required if name in _EXAMPLE}
    context = CompileContext("local", ("n11",), {"n11": ("database",)}, Parameters(), primary="n11")
    try:
        options = step_type.options.model_validate({**given, "step": step_type.name})
    except ValidationError:
        return ""
    if not step_type.compile(options, context).plays:
        return ""
    looks = " for each look" if "retry" in step_type.options.model_fields else ""
    return f"{step_type.compile(options, context).deadline_seconds:g} s{looks}"


def _options(step_types: Mapping[str, StepType[Any]]) -> str:
    return "\n\n".join(_step(item) for item in step_types.values())


def _step(step_type: StepType[Any]) -> str:
    own = _field_table(step_type.options, leaving=StepOptions.model_fields)
    text = own if own.count("\n") > 1 else "No keys of its own."
    return f"### {step_type.name}\n\n{step_type.summary}.\n\n{text}"


def _checks(checks: Mapping[str, Check]) -> str:
    rows = ((f"`{_usage(item)}`", item.description + _needs(item)) for item in checks.values())
    return _table(("check", "holds when"), rows)


def _usage(check: Check) -> str:
    words = [
        f":{name.upper()}" if index < check.required_arguments else f"[:{name.upper()}]"
        for index, name in enumerate(check.arguments)
    ]
    return check.name + "".join(words)


def _needs(check: Check) -> str:
    choices = (f"; {name.upper()} is {_either(values)}" for name, values in check.choices.items())
    parameter = "admin_ui" if check.needs_admin_ui else check.needs_parameter
    return "".join(choices) + (f"; needs `{parameter}`" if parameter else "")


def _either(words: Sequence[str]) -> str:
    *first, last = (f"`{word}`" for word in words)
    return f"{', '.join(first)} or {last}" if first else last


def _power(providers: Mapping[str, Mapping[Requirement, Cell]], drivers: Collection[str]) -> str:
    rows = (
        (f"`{name}`{'' if name in drivers else ' (plan only)'}", *map(_cell, map(cells.get, Requirement)))
        for name, cells in providers.items()
    )
    return _table(("provider", *(requirement.value for requirement in Requirement)), rows)


def _cell(cell: Cell | None) -> str:
    if cell is None:
        return "**no**"
    return cell.note if cell.supported else f"**no**: {cell.note}"


def page() -> str:
    """The page as it is published, of what is built in or installed."""
    text = files(__package__).joinpath("manual.md").read_text("utf-8")
    return manual(Vocabulary.default(), provider_names(), text)


if __name__ == "__main__":
    sys.stdout.write(page())

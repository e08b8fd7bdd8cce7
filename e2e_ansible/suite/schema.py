"""The JSON Schema of suite files, made from the models and the step types, for editors and other tools."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from e2e_ansible.checks.base import Check
from e2e_ansible.steps.base import StepType
from e2e_ansible.steps.group import Composition
from e2e_ansible.suite.model import TestEntry
from e2e_ansible.suite.vocabulary import Vocabulary

__all__ = ["SCHEMA_ID", "schema"]

SCHEMA_ID = "urn:e2e-ansible:suite"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE = {"$ref": "#/$defs/reference"}
_SCHEMA_KEY = {"type": "string", "description": "Path or address of this schema, for editors"}
_SCALARS = frozenset({"string", "integer", "number", "boolean"})
_CHECK_FIELDS = ("checks", "allow_failures", "during")

Schema = dict[str, Any]


def schema(vocabulary: Vocabulary | None = None) -> Schema:
    """JSON Schema, draft 2020-12. A `${...}` may stand wherever one value may."""
    words = vocabulary or Vocabulary.default()
    definitions: Schema = {
        "reference": {
            "type": "string",
            "pattern": r"\$\{[^}]+\}",
            "description": "Text with ${matrix.x}, ${variables.x}, ${parameters.x}, ${context.x}, ${foreach.x},"
            " ${steps.NAME.FIELD}",
        },
        "check": _check(words.checks),
        "step": _step(words.step_types),
    }
    for step_type in words.step_types.values():
        definitions[_step_name(step_type)] = _options(step_type, definitions)
    entry = _entry(words, definitions)
    definitions["test"] = {**entry, "title": "Test", "required": ["workflow"]}
    return {
        "$schema": _DIALECT,
        "$id": SCHEMA_ID,
        "title": "Suite of e2e-ansible",
        "description": "Tests by name in `test_suites`, or one test with its `workflow` at the top.",
        "type": "object",
        "if": {"type": "object", "required": ["test_suites"]},
        "then": _named_tests(),
        "else": _bare_test(definitions["test"]),
        "$defs": definitions,
    }


def _named_tests() -> Schema:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "$schema": _SCHEMA_KEY,
            "test_suites": {
                "type": "object",
                "description": "Tests by name",
                "minProperties": 1,
                "patternProperties": {"^[A-Za-z0-9][A-Za-z0-9_.-]{0,79}$": {"$ref": "#/$defs/test"}},
                "additionalProperties": False,
            },
        },
    }


def _bare_test(test: Schema) -> Schema:
    return {**test, "properties": {"$schema": _SCHEMA_KEY, **test["properties"]}}


def _entry(words: Vocabulary, definitions: Schema) -> Schema:
    made = _model(TestEntry, definitions)
    properties = made["properties"]
    names = {"enum": sorted(words.providers)}
    properties["provider"] = _or_reference({**_without(properties["provider"], "type"), **names})
    properties["workflow"] = {
        "type": "array",
        "minItems": 1,
        "description": "The steps, in order",
        "items": {"$ref": "#/$defs/step"},
    }
    return made


def _step(step_types: Mapping[str, StepType[Any]]) -> Schema:
    names = [
        {"const": step_type.name, "description": step_type.summary}
        for _, step_type in sorted(step_types.items())
    ]
    return {
        "type": "object",
        "title": "Step",
        "required": ["step"],
        "properties": {"step": {"description": "The step type", "anyOf": [*names, _REFERENCE]}},
        "allOf": [
            {
                "if": {"type": "object", "required": ["step"], "properties": {"step": {"const": name}}},
                "then": {"$ref": f"#/$defs/{_step_name(step_type)}"},
            }
            for name, step_type in sorted(step_types.items())
        ],
    }


def _step_name(step_type: StepType[Any]) -> str:
    return f"step_{step_type.name}"


def _options(step_type: StepType[Any], definitions: Schema) -> Schema:
    made = _model(step_type.options, definitions)
    made["title"] = step_type.name
    made["description"] = step_type.summary
    made["properties"]["step"] = {"const": step_type.name, "description": step_type.summary}
    for name in _CHECK_FIELDS:
        if name in made["properties"]:
            made["properties"][name]["items"] = _or_reference({"$ref": "#/$defs/check"})
    for name in step_type.parts if isinstance(step_type, Composition) else ():
        made["properties"][name]["items"] = {"$ref": "#/$defs/step"}
    return made


def _check(checks: Mapping[str, Check]) -> Schema:
    known: list[Schema] = []
    for name, check in sorted(checks.items()):
        if check.required_arguments == 0:
            known.append({"const": name, "description": check.description})
        if check.arguments:
            known.append(
                {"type": "string", "pattern": _check_pattern(check), "description": check.description}
            )
    return {"title": "Check", "anyOf": known or [{"not": {}}]}


def _check_pattern(check: Check) -> str:
    pattern = ""
    for index in reversed(range(len(check.arguments))):
        choices = check.choices.get(check.arguments[index])
        word = f"({'|'.join(map(re.escape, choices))})" if choices else "[^:]+"
        pattern = f":{word}{pattern}" if index < check.required_arguments else f"(:{word}{pattern})?"
    return f"^{re.escape(check.name)}{pattern}$"


def _model(model: type[BaseModel], definitions: Schema) -> Schema:
    """The schema of a model; its inner models go to `definitions`."""
    made = model.model_json_schema(ref_template="#/$defs/{model}", by_alias=True)
    for name, inner in made.pop("$defs", {}).items():
        definitions[name] = _open(inner)
    return _open(made)


def _open(node: Schema) -> Schema:
    """Close mappings to unknown keys and let references in, all the way down a mapping or list."""
    made = {key: item for key, item in node.items() if key != "title"}
    for key in ("properties", "patternProperties"):
        if key in made:
            made[key] = {name: _value(item) for name, item in made[key].items()}
    if "patternProperties" in made:
        made.setdefault("additionalProperties", False)
    for key in ("items", "additionalProperties"):
        if isinstance(made.get(key), dict):
            made[key] = _value(made[key])
    if "oneOf" in made:
        made["oneOf"] = [_open(member) for member in made["oneOf"]]
    return made


def _value(node: Schema) -> Schema:
    """A schema in whose place a value stands."""
    made = _open(node)
    if "anyOf" in made:
        members: Sequence[Schema] = made["anyOf"]
        made["anyOf"] = [_value(member) if "anyOf" in member else _open(member) for member in members]
        if any(_is_narrow(member) for member in members) and {"type": "string"} not in members:
            made["anyOf"].append(_REFERENCE)
        return made
    return _or_reference(made) if _is_narrow(made) else made


def _is_narrow(node: Schema) -> bool:
    """Whether a reference, which is a text, has to be allowed beside it."""
    return _is_narrow_scalar(node) or _is_free_mapping(node)


def _is_free_mapping(node: Schema) -> bool:
    """Any name to a value each: the matrix may hold all of it."""
    return node.get("type") == "object" and isinstance(node.get("additionalProperties"), dict)


def _is_narrow_scalar(node: Schema) -> bool:
    """Whether only some texts are allowed, so that a reference has to be allowed beside them."""
    if "enum" in node or "const" in node:
        return True
    narrow = node.get("type") != "string" or "pattern" in node or "maxLength" in node
    return node.get("type") in _SCALARS and narrow


def _or_reference(node: Schema) -> Schema:
    """The schema or a reference; what describes it moves outward, where editors look."""
    outer: Schema = {key: node[key] for key in ("default", "description") if key in node}
    inner = {key: item for key, item in node.items() if key not in outer}
    return {**outer, "anyOf": [inner, _REFERENCE]}


def _without(node: Schema, *keys: str) -> Schema:
    return {key: item for key, item in node.items() if key not in keys}

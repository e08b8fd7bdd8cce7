"""The survey of a job template from the argument specs of its role."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["survey_of"]

_TYPES = {"str": "text", "path": "text", "int": "integer", "float": "float"}
_MARK = re.compile(r"\b[BCIMOPV]\(([^)]*)\)")
_LONGEST_TEXT = 1024
_LARGEST = 1_000_000

Spec = Mapping[str, Any]


def survey_of(spec: Spec, skip: Sequence[str] = (), title: str = "") -> dict[str, Any]:
    """A question for each option with one value; lists and mappings stay for 'Prompt on launch' of variables.

    `spec` is the parsed file meta/argument_specs.yml, empty for none; `skip` are options that the playbook sets.
    """
    main = spec.get("argument_specs", {}).get("main", {})
    options: Mapping[str, Spec] = main.get("options", {})
    options = {name: option for name, option in options.items() if name not in skip}
    asked = [_question(name, option) for name, option in options.items() if _type(option)]
    return {"name": title, "description": "", "spec": asked}


def _type(option: Spec) -> str:
    kind = str(option.get("type", "str"))
    return "multiplechoice" if option.get("choices") or kind == "bool" else _TYPES.get(kind, "")


def _question(name: str, option: Spec) -> dict[str, Any]:
    kind = _type(option)
    question: dict[str, Any] = {
        "question_name": name.replace("_", " "),
        "question_description": _words(option.get("description", "")),
        "variable": name,
        "type": kind,
        "required": bool(option.get("required", False)),
        "default": _default(option),
        "choices": [],
        "min": None,
        "max": None,
    }
    if kind == "multiplechoice":
        question["choices"] = [str(each) for each in option.get("choices", ("true", "false"))]
    else:
        question |= {"min": 0, "max": _LONGEST_TEXT if kind == "text" else _LARGEST}
    return question


def _default(option: Spec) -> Any:
    value = option.get("default", "")
    return str(value).lower() if isinstance(value, bool) else value


def _words(description: object) -> str:
    """Without the marks of Ansible's documentation: `V(15)` is 15."""
    text = " ".join(map(str, description)) if isinstance(description, list) else str(description)
    return _MARK.sub(r"\1", text)

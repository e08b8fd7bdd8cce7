"""What pydantic found wrong, as sentences at the place of the wrong value, key or mapping."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from e2e_ansible.names import suggestion
from e2e_ansible.suite.findings import Findings
from e2e_ansible.suite.part import WrongPart
from e2e_ansible.suite.value import Place, Value, at, child, shown

__all__ = ["Subject", "complain", "field_names"]

Key = str | int

_KINDS = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}
_BOUNDS = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("more than", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("less than", "lt"),
}
_LENGTHS = {
    "too_short": ("at least", "min_length", "item"),
    "too_long": ("at most", "max_length", "item"),
    "string_too_short": ("at least", "min_length", "character"),
    "string_too_long": ("at most", "max_length", "character"),
}
_YES_OR_NO = {"yes": "true", "on": "true", "true": "true", "no": "false", "off": "false", "false": "false"}
_SHORT = 60
#: In place of these people write text, such as 10ms; what the field is for says the unit.
_NEED_WORDS = frozenset({"a number", "a whole number", "a mapping"})
_WRITTEN = {"a whole number": r"-?\d{1,12}", "a number": r"-?\d{1,12}(\.\d{1,12})?"}
_NAME_RULE = "a name begins with a letter or digit and has only letters, digits, '_', '.' and '-', at most 80"
#: What the beginning of a pattern means for a person.
_RULES = {
    "^[A-Za-z0-9][": _NAME_RULE,
    "^[A-Za-z_][": "it begins with a letter or '_' and has only letters, digits and '_'",
    "^[a-z][a-z0-9_]": "it begins with a small letter and has only small letters, digits and '_'",
}


@dataclass(frozen=True)
class Subject:
    """What was validated: the words that messages use for it, and keys it may have beside the model's."""

    what: str
    model: type[BaseModel]
    more_keys: Sequence[str] = ()


@dataclass
class _Fault:
    """All pydantic errors at one path; more than one when a value fits no member of a union."""

    value: Value
    path: tuple[Key, ...]
    missing: str | None = None
    key_is_wrong: bool = False
    errors: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def label(self) -> str:
        """How a sentence names it."""
        names = repr(".".join(part for part in self.path if isinstance(part, str)))
        last = self.path[-1]
        return f"item {last + 1} of {names}" if isinstance(last, int) else names


def complain(error: ValidationError, value: Value, subject: Subject, findings: Findings) -> None:
    """Note one problem for each wrong value, missing key and unknown key."""
    for fault in _faults(error, value):
        if not fault.value.broken:
            _complain(fault, value, subject, findings)


def field_names(model: type[BaseModel]) -> list[str]:
    """The keys of a model as a file spells them."""
    return [info.alias or name for name, info in model.model_fields.items()]


def _faults(error: ValidationError, value: Value) -> Iterable[_Fault]:
    faults: dict[tuple[Any, ...], _Fault] = {}
    for item in error.errors(include_url=False):
        fault = _locate(item, value)
        if item["type"] == "too_short" and _is_long_enough(item, fault.value):
            continue
        place = (fault.path, fault.missing, fault.key_is_wrong)
        faults.setdefault(place, fault).errors.append(item)
    return faults.values()


def _is_long_enough(item: Mapping[str, Any], value: Value) -> bool:
    """Pydantic does not count wrong items; they have errors of their own."""
    return isinstance(value.data, list) and len(value.data) >= item["ctx"]["min_length"]


def _locate(item: Mapping[str, Any], value: Value) -> _Fault:
    """Follow a pydantic location; parts that are no key of the file are names of union members."""
    loc: list[Key] = list(item["loc"])
    key_is_wrong = bool(loc) and loc[-1] == "[key]"
    missing = str(loc.pop()) if item["type"] == "missing" else None
    path: list[Key] = []
    for part in loc:
        found = child(value, part)
        if found is not None:
            path.append(part)
            value = found
    return _Fault(value, tuple(path), missing, key_is_wrong)


def _complain(fault: _Fault, root: Value, subject: Subject, findings: Findings) -> None:
    kind = fault.errors[0]["type"]
    if fault.missing is not None:
        where = f"{subject.what}, {fault.label}," if fault.path else subject.what
        description = _description(subject.model, (*fault.path, fault.missing))
        findings.add(fault.value, f"{where} needs {fault.missing!r}", description)
    elif kind == "extra_forbidden":
        _unknown_key(fault, root, subject, findings)
    elif fault.key_is_wrong:
        rule = _rule(fault.errors[0].get("ctx", {}).get("pattern", ""))
        text = f"{shown(str(fault.path[-1]))} is not a name"
        findings.add(_key_place(root, fault.path), text, rule or _NAME_RULE)
    elif isinstance(part := _reason(fault), WrongPart):
        path = (*fault.path, *part.path)
        place = _key_place(root, path) if part.of_key else at(root, path)
        findings.add(place, f"{fault.label}: {part}", part.hint)
    else:
        message, hint = _sentence(fault, subject)
        findings.add(fault.value, message, hint)


def _unknown_key(fault: _Fault, root: Value, subject: Subject, findings: Findings) -> None:
    *outer, key = fault.path
    model = _model_at(subject.model, outer)
    known = field_names(model) if model else []
    if not outer:
        known = [*known, *subject.more_keys]
    where = repr(".".join(map(str, outer))) if outer else subject.what
    findings.add(
        _key_place(root, fault.path),
        f"unknown key {shown(key)} in {where}",
        findings.suggest(str(key), known),
    )


def _key_place(root: Value, path: Sequence[Key]) -> Place:
    *outer, key = path
    for part in outer:
        root = child(root, part) or root
    return root.keys.get(str(key)) or root


def _sentence(fault: _Fault, subject: Subject) -> tuple[str, str]:
    given = shown(fault.value)
    kinds = list(dict.fromkeys(_KINDS.get(item["type"], "") for item in fault.errors))
    if not all(kinds):
        item = next(item for item in fault.errors if item["type"] not in _KINDS)
        return _other_sentence(item, fault, subject)
    label = fault.label if fault.path else subject.what
    hint = _kind_hint(kinds, fault.value.data)
    if not hint and isinstance(fault.value.data, str) and set(kinds) <= _NEED_WORDS:
        hint = _description(subject.model, fault.path)
    return f"{label} must be {_either(kinds)}, not {given}", hint


def _kind_hint(kinds: Sequence[str], data: object) -> str:
    if kinds == ["text"] and isinstance(data, (bool, int, float)):
        return "put it in quotes"
    if kinds == ["true or false"] and isinstance(data, str) and data.lower() in _YES_OR_NO:
        return f"write {_YES_OR_NO[data.lower()]}"
    number = _WRITTEN.get(kinds[0]) if len(kinds) == 1 else None
    if number and isinstance(data, str) and re.fullmatch(number, data):
        return f"write {data} without quotes"
    if kinds == ["a list"] and isinstance(data, str) and 0 < len(data) <= _SHORT:
        return f"write {data.split()}"
    return ""


def _other_sentence(item: Mapping[str, Any], fault: _Fault, subject: Subject) -> tuple[str, str]:
    kind, context, given = item["type"], item.get("ctx", {}), shown(fault.value)
    if kind in _BOUNDS:
        words, key = _BOUNDS[kind]
        return f"{fault.label} must be {words} {context[key]:g}, not {given}", ""
    if kind in {"literal_error", "enum"}:
        return f"{fault.label} must be {context['expected']}, not {given}", _nearest_choice(fault, subject)
    if kind == "string_pattern_mismatch":
        rule = _rule(context["pattern"]) if context["pattern"].startswith("^[A-Za-z0-9][") else ""
        hint = rule or _description(subject.model, fault.path) or f"it must match {context['pattern']}"
        return f"{fault.label} cannot be {given}", hint
    if kind in _LENGTHS:
        words, key, unit = _LENGTHS[kind]
        return f"{fault.label} must have {words} {context[key]} {unit}{'s' if context[key] != 1 else ''}", ""
    reason = str(context["error"]) if "error" in context else str(item["msg"])
    return f"{fault.label if fault.path else subject.what}: {reason}", ""


def _reason(fault: _Fault) -> object:
    """What a validator raised, if it was one."""
    return fault.errors[0].get("ctx", {}).get("error")


def _rule(pattern: str) -> str:
    """What a pattern asks for, in words; '' if there are none for it."""
    return next((words for begin, words in _RULES.items() if pattern.startswith(begin)), "")


def _either(words: Sequence[str]) -> str:
    *first, last = [word for word in words if not (word == "a whole number" and "a number" in words)]
    if not first or " or " in last:
        return ", ".join([*first, last])
    return f"{', '.join(first)} or {last}"


def _nearest_choice(fault: _Fault, subject: Subject) -> str:
    info = _field_at(subject.model, fault.path)
    choices = list(_literals(info.annotation)) if info else []
    hint = suggestion(str(fault.value.data), choices)
    # The message names all choices already.
    return hint if hint.startswith("did") else ""


def _literals(annotation: object) -> Iterator[str]:
    for argument in typing.get_args(annotation):
        if isinstance(argument, str):
            yield argument
        else:
            yield from _literals(argument)


def _description(model: type[BaseModel], path: Sequence[Key]) -> str:
    info = _field_at(model, path)
    return (info.description or "") if info else ""


def _field_at(model: type[BaseModel], path: Sequence[Key]) -> FieldInfo | None:
    *outer, key = tuple(part for part in path if isinstance(part, str)) or ("",)
    holder = _model_at(model, outer)
    if holder is None:
        return None
    return next(
        (info for name, info in holder.model_fields.items() if key in (info.alias or name, name)), None
    )


def _model_at(model: type[BaseModel], path: Sequence[Key]) -> type[BaseModel] | None:
    """The model that validates the mapping at a path; None when there is not exactly one."""
    of_mapping = False
    for part in path:
        if isinstance(part, int) or of_mapping:
            of_mapping = False
            continue
        info = next(
            (info for name, info in model.model_fields.items() if part in (info.alias or name, name)), None
        )
        found = list(_models(info.annotation)) if info else []
        if len(found) != 1:
            return None
        model, of_mapping = found[0], _is_mapping(info.annotation) if info else False
    return model


def _is_mapping(annotation: object) -> bool:
    """Whether its models are values of a mapping, whose keys anybody may choose."""
    origin = typing.get_origin(annotation)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return True
    return any(_is_mapping(argument) for argument in typing.get_args(annotation))


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    arguments = typing.get_args(annotation)
    if not arguments and isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in arguments:
        yield from _models(argument)

"""The matrix of a test: per key the values to choose from, in a list, or in a mapping that names each of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

from pydantic import Discriminator, Field, Tag

from e2e_ansible.suite.reference import split_references
from e2e_ansible.suite.value import Value

__all__ = ["Axes", "Axis", "Choice", "is_scalar", "literal", "matrix_axes", "of_two_keys", "scope_of"]

_MOST_CHOICES = 1_000
_MOST_FIELDS = 200
_Scalar = str | int | float | bool
_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,79}$"
_Name = Annotated[str, Field(pattern=_NAME)]


def _shape(value: Any) -> str:
    return "mapping" if isinstance(value, Mapping) else "other"


_Fields = Annotated[Mapping[_Name, _Scalar], Field(max_length=_MOST_FIELDS)]
_Named = Annotated[
    Annotated[_Scalar, Tag("other")] | Annotated[_Fields, Tag("mapping")], Discriminator(_shape)
]
#: A list of values, or names with a value each, which may be a mapping.
Axis = Annotated[
    Annotated[Annotated[tuple[_Scalar, ...], Field(min_length=1, strict=False)], Tag("other")]
    | Annotated[
        Annotated[Mapping[_Name, _Named], Field(min_length=1, max_length=_MOST_CHOICES)], Tag("mapping")
    ],
    Discriminator(_shape),
]


@dataclass(frozen=True)
class Choice:
    """One value of a key of the matrix, and what the name of a test calls it."""

    name: Value
    value: Value


Axes: TypeAlias = Mapping[str, list[Choice]]


def matrix_axes(matrix: Value | None) -> Axes:
    """The usable keys of a matrix; pydantic tells what is wrong with the others."""
    given = matrix.data if matrix and isinstance(matrix.data, dict) else {}
    found = {key: list(_choices(value)) for key, value in given.items()}
    return {key: choices for key, choices in found.items() if choices}


def _choices(axis: Value) -> Iterator[Choice]:
    data = axis.data
    if isinstance(data, list) and all(map(is_scalar, data)):
        yield from (Choice(each, each) for each in map(literal, data))
    elif isinstance(data, dict) and len(data) <= _MOST_CHOICES and _are_named(data):
        yield from (Choice(value.like(name), _value(value)) for name, value in data.items())


def _are_named(data: Mapping[str, Value]) -> bool:
    return _has_names(data) and all(is_scalar(value) or _is_flat(value) for value in data.values())


def _has_names(data: Iterable[str]) -> bool:
    return all(re.fullmatch(_NAME, name) for name in data)


def _is_flat(value: Value) -> bool:
    data = value.data
    if value.broken or not isinstance(data, dict) or len(data) > _MOST_FIELDS:
        return False
    return _has_names(data) and all(map(is_scalar, data.values()))


def _value(value: Value) -> Value:
    """A mapping is put in as it is, so its texts stay as they are filled in."""
    return value if isinstance(value.data, dict) else literal(value)


def scope_of(chosen: Mapping[str, Choice]) -> dict[str, Value]:
    """What a reference to the matrix may name: each key, and with a dot what is in its mapping."""
    scope: dict[str, Value] = {}
    for key, choice in chosen.items():
        scope[key] = choice.value
        inner = choice.value.data
        for name, below in inner.items() if isinstance(inner, dict) else ():
            scope[f"{key}.{name}"] = literal(below)
    return scope


def of_two_keys(axes: Axes) -> str:
    """A name, such as `a.b`, that is both a key and in the mapping of another one; '' if there is none."""
    found: set[str] = set()
    for key, choices in axes.items():
        names = {key, *(f"{key}.{name}" for each in choices for name in _names_in(each.value))}
        if both := sorted(names & found):
            return both[0]
        found |= names
    return ""


def _names_in(value: Value) -> Iterable[str]:
    return value.data if isinstance(value.data, dict) else ()


def is_scalar(value: Value) -> bool:
    """Whether it is a single value that nothing is wrong with."""
    return isinstance(value.data, (str, int, float)) and not value.broken


def literal(value: Value) -> Value:
    """The value as it is meant: what is filled in elsewhere is escaped there."""
    if isinstance(value.data, str) and "${" in value.data:
        return value.like("".join(map(str, split_references(value.data))))
    return value

"""Options in groups: a dataclass whose fields are options, which several commands take as one parameter."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields, is_dataclass
from inspect import Parameter
from typing import Any, get_type_hints

__all__ = ["grouped"]


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """A command as Typer knows it, of single options: each parameter that is a dataclass is all its fields there.

    Typer calls it with them by name, and the command gets its dataclasses.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if is_dataclass(hint)}
    options = list(_options(command, hints))

    @functools.wraps(command)
    def ungrouped(**given: Any) -> None:
        made = {
            name: group(**{field.name: given.pop(field.name) for field in fields(group)})
            for name, group in groups.items()
        }
        command(**given, **made)

    ungrouped.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
    ungrouped.__annotations__ = {option.name: option.annotation for option in options}
    return ungrouped


def _options(command: Callable[..., None], hints: dict[str, Any]) -> Iterator[Parameter]:
    """The parameters of a command in their order, each dataclass as its fields."""
    for name, given in inspect.signature(command).parameters.items():
        if not is_dataclass(hints[name]):
            yield Parameter(name, Parameter.KEYWORD_ONLY, default=given.default, annotation=hints[name])
            continue
        types = get_type_hints(hints[name], include_extras=True)
        for field in fields(hints[name]):
            default = Parameter.empty if field.default is MISSING else field.default
            yield Parameter(field.name, Parameter.KEYWORD_ONLY, default=default, annotation=types[field.name])

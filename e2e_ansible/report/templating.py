"""Templates of pages: everything is escaped, and nothing that a run has said can become markup."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from e2e_ansible.report.words import clean

__all__ = ["templates"]


def templates(**filters: Callable[..., Any]) -> Environment:
    """The templates of this package, with these filters."""
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        loader=FunctionLoader(_source),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(filters)
    return environment


def _finalize(value: object) -> object:
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _source(name: str) -> str:
    return files(__package__).joinpath("templates", name).read_text("utf-8")

"""What all pages have in common: templates that take every text as text, and the words that they use."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from e2e_ansible.analysis.lines import change_words, flake_line
from e2e_ansible.report.amounts import bounds, percent, points, seconds, signed_percent
from e2e_ansible.report.pen import sign
from e2e_ansible.report.words import cause_words, clean, count, duration, stamp

__all__ = ["pages"]


@cache
def pages() -> Environment:
    """The templates of analyses; nothing that a run has said can become markup."""
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        loader=FunctionLoader(_source),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        bounds=bounds,
        cause=cause_words,
        count=count,
        duration=duration,
        flake=flake_line,
        moved=change_words,
        percent=percent,
        points=points,
        seconds=seconds,
        sign=sign,
        signed_percent=signed_percent,
        stamp=stamp,
    )
    return environment


def _finalize(value: object) -> object:
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _source(name: str) -> str:
    return files(__package__).joinpath("templates", name).read_text("utf-8")

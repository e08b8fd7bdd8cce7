"""The templates of the pages of analyses, with the words that they use."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment

from e2e_ansible.analysis.lines import change_words, flake_line
from e2e_ansible.report.amounts import bounds, percent, points, seconds, signed_percent
from e2e_ansible.report.pen import sign
from e2e_ansible.report.templating import templates
from e2e_ansible.report.words import cause_words, count, duration, stamp

__all__ = ["pages"]


@cache
def pages() -> Environment:
    """Their templates, read once."""
    return templates(
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

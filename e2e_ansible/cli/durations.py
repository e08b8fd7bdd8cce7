"""Durations as people write them: a number and a unit."""

from __future__ import annotations

import re

from e2e_ansible.errors import UsageError

__all__ = ["seconds_of"]

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_WORD = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)([smhdw])", re.ASCII)
_NEARLY = re.compile(r"\s*(\d{1,6}(?:\.\d{1,3})?)\s*([smhdwSMHDW]?)[a-zA-Z]*\s*", re.ASCII)


def seconds_of(text: str, option: str) -> float:
    """Seconds of `90m`, `24h`, `7d`, `30s` or `2w`.

    >>> seconds_of("90m", "--older-than")
    5400.0

    Raises:
        UsageError: it is none; the hint is the nearest one.
    """
    found = _WORD.fullmatch(text)
    if found is None:
        nearly = _NEARLY.fullmatch(text)
        hint = f"did you mean {nearly[1]}{nearly[2].lower() or 'h'}?" if nearly else "such as 90m, 24h or 7d"
        raise UsageError(f"{option} {text!r} is no duration", hint=hint)
    return float(found[1]) * _UNITS[found[2]]

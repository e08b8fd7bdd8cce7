"""Numbers with a unit as PostgreSQL reads them in its configuration: `64MB`, `1.5h`, `0x20`."""

from __future__ import annotations

import math
import re

__all__ = ["NoQuantity", "quantity", "written"]

_MEMORY = {"B": 1, "kB": 1024, "MB": 1024**2, "GB": 1024**3, "TB": 1024**4}
_TIME = {
    "us": 1,
    "ms": 1000,
    "s": 1_000_000,
    "min": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
}
_BASE = re.compile(r"(\d*)([A-Za-z]+)")
_NUMBER = re.compile(
    r"([+-]?)(0[xX][0-9A-Fa-f]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([A-Za-z]*)", re.ASCII
)
_NO_OCTAL = re.compile(r"0[0-7]*[89]")


class NoQuantity(ValueError):
    """The text is none; `hint` says how one is written."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def quantity(text: str, unit: str, *, whole: bool) -> float:
    """The value in multiples of `unit` ('' for none), such as `8kB`; rounded when it must be `whole`.

    >>> quantity("64MB", "8kB", whole=True)
    8192.0

    Raises:
        NoQuantity: the text is no number, or has a unit that cannot be.
    """
    found = _NUMBER.fullmatch(text.strip())
    if found is None:
        raise NoQuantity("it is no number", f"such as {_example(unit)}")
    sign, digits, given = found.groups()
    number = _number(digits, whole=whole)
    if given:
        number *= _factor(given, unit)
    number = -number if sign == "-" else number
    return float(round(number)) if whole and math.isfinite(number) else number


def written(number: float, unit: str, *, whole: bool) -> str:
    """A bound as a message has it.

    >>> written(16, "8kB", whole=True)
    '16 (128kB)'
    """
    text = f"{number:.0f}" if whole else f"{number:g}"
    if not unit or number <= 0:
        return text
    count, word = _split(unit)
    return f"{text} ({number * count:.0f}{word})" if count > 1 else f"{text}{word}"


def _number(digits: str, *, whole: bool) -> float:
    """A leading zero makes a whole number octal, as in C, where it ends before the first 8 or 9."""
    try:
        if digits[:2] in ("0x", "0X"):
            return float(int(digits, 16))
        if whole and _NO_OCTAL.match(digits):
            raise NoQuantity("it is no number", "a leading zero makes it octal: leave that out")
        octal = whole and re.fullmatch(r"0[0-7]+", digits)
        return float(int(digits, 8)) if octal else float(digits)
    except OverflowError:
        return math.inf


def _factor(given: str, unit: str) -> float:
    if not unit:
        raise NoQuantity("it has no unit", "write the number alone")
    count, word = _split(unit)
    units = _MEMORY if word in _MEMORY else _TIME
    if given not in units:
        raise NoQuantity(f"{given!r} is no unit of it", f"units are {', '.join(units)}")
    return units[given] / (units[word] * count)


def _split(unit: str) -> tuple[int, str]:
    found = _BASE.fullmatch(unit)
    assert found is not None
    return int(found[1] or 1), found[2]


def _example(unit: str) -> str:
    if not unit:
        return "10"
    return "64MB" if _split(unit)[1] in _MEMORY else "30s"

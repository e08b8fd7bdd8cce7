"""Amounts as tables show them: three digits are enough, and nothing is a dash."""

from __future__ import annotations

__all__ = ["NOTHING", "bounds", "percent", "points", "quantity", "seconds", "signed_percent"]

NOTHING = "–"


def seconds(number: float | None) -> str:
    """`0.12s`, `4.21s`, `24.3s`, `312s`; nothing is a dash."""
    if number is None:
        return NOTHING
    if number < 100:
        return f"{number:.2f}s" if number < 9.995 else f"{number:.1f}s"
    return f"{number:.0f}s"


def quantity(number: float | None, unit: str) -> str:
    """A number with its unit: `4.21s`, `812/s`, `3.4 ms`, `0.2 %`; nothing is a dash."""
    if number is None or unit == "s":
        return seconds(number)
    text = f"{number:.0f}" if abs(number) >= 100 else f"{number:.3g}"
    return f"{text}{unit}" if unit.startswith("/") or not unit else f"{text} {unit}"


def bounds(low: float | None, high: float | None) -> str:
    """`4.1 to 5.2`; `?` where so few values have no bound."""
    return f"{_bound(low)} to {_bound(high)}"


def _bound(number: float | None) -> str:
    return "?" if number is None else seconds(number).rstrip("s")


def percent(share: float | None) -> str:
    """A share as `98.9 %`, and `100 %` only if it is all."""
    if share is None:
        return NOTHING
    text = f"{share * 100:.1f}"
    if text == "100.0":
        return "100 %" if share >= 1 else "99.9 %"
    return f"{text} %" if text != "0.0" or not share else "0.1 %"


def signed_percent(ratio: float | None) -> str:
    """How much more a ratio is than 1: `+12.3 %`."""
    return NOTHING if ratio is None else f"{(ratio - 1) * 100:+.1f} %"


def points(delta: float | None) -> str:
    """The difference of two shares: `-2.1 points`."""
    return NOTHING if delta is None else f"{delta * 100:+.1f} points"

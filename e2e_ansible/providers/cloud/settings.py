"""What a suite asks for, as each provider reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["is_public", "number", "text", "words"]

Settings = Mapping[str, object]


def text(settings: Settings, name: str) -> str:
    """One word, '' where nothing is said."""
    return str(settings.get(name) or "")


def number(settings: Settings, name: str, default: int = 0) -> int:
    """A whole number; 0 is as good as nothing."""
    return int(str(settings.get(name) or default))


def words(value: object) -> list[str]:
    """One word or several, as a list."""
    if value is None or value == "":
        return []
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [str(each) for each in value]
    return [str(value)]


def is_public(settings: Settings) -> bool:
    """Whether machines are to have a public address: they are, where nobody says otherwise."""
    return settings.get("public_address") is not False

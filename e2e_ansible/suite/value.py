"""A value of a suite file that knows where it stands: what JSON and YAML are read into."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeAlias

from e2e_ansible.redact import LONGEST, redacted

__all__ = ["Data", "Mark", "Place", "Value", "at", "plain", "shown", "strings"]

Data: TypeAlias = "str | int | float | bool | list[Value] | dict[str, Value] | None"
_SHOWN = 60


class Place(Protocol):
    """Anything with a line and a column; both count from 1."""

    @property
    def line(self) -> int: ...

    @property
    def column(self) -> int: ...


class Mark(NamedTuple):
    """A bare position."""

    line: int
    column: int


@dataclass(slots=True)
class Value:
    """One scalar, list or mapping. `keys` says where the keys of a mapping stand.

    `size` counts the value and all below it, aliases included. `broken` says that a problem in it has been
    noted already, so that nothing else is said about it.
    """

    data: Data
    line: int
    column: int
    keys: Mapping[str, Mark] = field(default_factory=dict)
    size: int = 1
    broken: bool = False

    def like(self, data: Data) -> Value:
        """Other data at the same place."""
        return Value(data, self.line, self.column, self.keys, self.size, self.broken)

    def get(self, key: str) -> Value | None:
        """The value of a key, or None when it is missing or this is no mapping."""
        return self.data.get(key) if isinstance(self.data, dict) else None


def plain(value: Value) -> Any:
    """The data without positions."""
    data = value.data
    if isinstance(data, dict):
        return {key: plain(item) for key, item in data.items()}
    if isinstance(data, list):
        return [plain(item) for item in data]
    return data


def at(value: Value, path: Sequence[str | int]) -> Value:
    """The value that a path leads to, or the last one on the way there."""
    for part in path:
        found = child(value, part)
        if found is None:
            break
        value = found
    return value


def child(value: Value, part: str | int) -> Value | None:
    """The value under a key or an index, if there is one."""
    data = value.data
    if isinstance(data, dict):
        return data.get(part) if isinstance(part, str) else None
    if isinstance(data, list) and isinstance(part, int) and part < len(data):
        return data[part]
    return None


def strings(value: Value) -> Iterator[tuple[Value, str]]:
    """Every text below a value, with the value that holds it."""
    data = value.data
    if isinstance(data, str):
        yield value, data
    elif isinstance(data, dict):
        for item in data.values():
            yield from strings(item)
    elif isinstance(data, list):
        for item in data:
            yield from strings(item)


def shown(data: object) -> str:
    """Data as a message shows it: short, on one line, in the words of the file."""
    if isinstance(data, Value):
        data = data.data
    if data is None:
        return "nothing"
    if isinstance(data, bool):
        return str(data).lower()
    if isinstance(data, dict):
        return "a mapping"
    if isinstance(data, list):
        return "a list"
    # Python refuses to write out integers of thousands of digits, and repr of a long text is longer still.
    if isinstance(data, int):
        return str(data) if data.bit_length() < 200 else "a huge number"
    text = repr(_short(data)) if isinstance(data, str) else repr(data)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 4]}...{text[0]}"


def _short(text: str) -> str:
    most = _SHOWN * 2
    return redacted(text[: most + 2 * LONGEST])[:most]

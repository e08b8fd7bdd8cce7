"""What is counted: nodes, processors, memory and disk, as whole numbers, so that sums are exact."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields

__all__ = ["Amounts", "Budget", "total"]

_GIB = 1024


@dataclass(frozen=True)
class Amounts:
    """What somebody has or wants. Processors are in thousandths, memory and disk in MiB."""

    nodes: int = 0
    millicpus: int = 0
    memory_mb: int = 0
    disk_mb: int = 0

    def __add__(self, other: Amounts) -> Amounts:
        return Amounts(*(getattr(self, name) + getattr(other, name) for name in _NAMES))

    def __str__(self) -> str:
        """Such as `3 nodes, 0.15 cpus, 1 GiB of memory`; what is 0 is left out."""
        said = [_WORDS[name](getattr(self, name)) for name in _NAMES if getattr(self, name)]
        return ", ".join(said) or "nothing"


@dataclass(frozen=True)
class Budget:
    """What there may be at once, in the units of `Amounts`; None is no bound."""

    nodes: int | None = None
    millicpus: int | None = None
    memory_mb: int | None = None
    disk_mb: int | None = None

    def lacks(self, wanted: Amounts, used: Amounts | None = None) -> list[str]:
        """What is too much beside what is used, such as `8 GiB of memory where 2 GiB of 6 GiB are left`."""
        return [text for name in _NAMES if (text := self._lack(name, wanted, used or Amounts())) is not None]

    def left(self, used: Amounts) -> Budget:
        """What is left of it beside what is used."""
        pairs = ((getattr(self, name), getattr(used, name)) for name in _NAMES)
        return Budget(*(None if bound is None else max(0, bound - has) for bound, has in pairs))

    def _lack(self, name: str, wanted: Amounts, used: Amounts) -> str | None:
        bound, want, has = getattr(self, name), getattr(wanted, name), getattr(used, name)
        if bound is None or not want or want + has <= bound:
            return None
        words = _WORDS[name]
        there = (
            f"{words(max(0, bound - has))} of {words(bound)} left" if has else f"a budget of {words(bound)}"
        )
        return f"{words(want)}, with {there}"

    def __str__(self) -> str:
        """Such as `2 cpus, 6 GiB of memory`."""
        said = [_WORDS[name](getattr(self, name)) for name in _NAMES if getattr(self, name) is not None]
        return ", ".join(said) or "no bound"


def total(amounts: Iterable[Amounts]) -> Amounts:
    """All of them together."""
    made = Amounts()
    for each in amounts:
        made += each
    return made


def _nodes(number: int) -> str:
    return f"{number} node" if number == 1 else f"{number} nodes"


def _cpus(thousandths: int) -> str:
    return f"{thousandths / 1000:g} cpu" if thousandths == 1000 else f"{thousandths / 1000:g} cpus"


def _size(mebibytes: int) -> str:
    return f"{mebibytes} MiB" if 0 < mebibytes < _GIB else f"{mebibytes / _GIB:.4g} GiB"


_NAMES = tuple(field.name for field in fields(Amounts))
_WORDS: Mapping[str, Callable[[int], str]] = {
    "nodes": _nodes,
    "millicpus": _cpus,
    "memory_mb": lambda number: f"{_size(number)} of memory",
    "disk_mb": lambda number: f"{_size(number)} of disk",
}

"""Reduces the logs of pgbench to counts and exact percentiles; runs on the node. Standard library only.

Called as `pgbench_reduce.py PREFIX SECONDS FILE`: logs PREFIX*, length of an interval, file for the result. A line of
a log is: client, number, microseconds or why it failed, script, seconds since 1970 and microseconds of its end, and
what else the options of pgbench add. All that is kept of a transaction are eight bytes.
"""

from __future__ import annotations

import glob
import json
import sys
from array import array
from collections import Counter

TYPE_CHECKING = False  # the node need not import this
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

__all__ = ["MOST_INTERVALS", "main", "reduce"]

MOST_INTERVALS = 1200
"""Of a longer load the intervals are made longer."""

_PERCENTS = (50, 90, 95, 99)
_MICROS = 1_000_000
_TIME, _SCRIPT, _SECOND, _MICRO = 2, 3, 4, 5
_SKIPPED = "skipped"


class _Piece:
    """Transactions of one script in one interval: microseconds of those that succeeded, and how many failed."""

    def __init__(self) -> None:
        self.micros = array("Q")
        self.failed = 0


def reduce(lines: Iterable[str], seconds: float) -> dict[str, Any]:
    """The result. `start` is when the first transaction began, in seconds since 1970; latencies are milliseconds."""
    wide = round(seconds * _MICROS)
    pieces: dict[tuple[int, int], _Piece] = {}
    first: int | None = None
    last = 0
    unread = skipped = 0
    for line in lines:
        words = line.split()
        try:
            end = int(words[_SECOND]) * _MICROS + int(words[_MICRO])
            script = int(words[_SCRIPT])
            took = int(words[_TIME]) if words[_TIME].isdigit() else None
        except (IndexError, ValueError):
            unread += 1
            continue
        if line[-1] != "\n":  # it was cut when pgbench was ended, maybe in a number
            unread += 1
            continue
        if words[_TIME] == _SKIPPED:
            skipped += 1
            continue
        begin = end - (took or 0)
        first = begin if first is None or begin < first else first
        last = max(last, end)
        piece = pieces.setdefault((end // wide, script), _Piece())
        if took is None:
            piece.failed += 1
        else:
            piece.micros.append(took)
    return _told(pieces, first, last, wide) | {"unread": unread, "skipped": skipped}


def _told(pieces: dict[tuple[int, int], _Piece], first: int | None, last: int, wide: int) -> dict[str, Any]:
    """Intervals are those of the clock, the first and the last of them cut where the load began and ended."""
    if first is None:
        return {"start": None, "end": None, "all": _numbers([]), "scripts": {}, "intervals": []}
    by_script: dict[int, list[_Piece]] = {}
    for (_, script), piece in sorted(pieces.items()):
        by_script.setdefault(script, []).append(piece)
    return {
        "start": first / _MICROS,
        "end": last / _MICROS,
        "all": _numbers(list(pieces.values())),
        "scripts": {str(script): _numbers(own) for script, own in sorted(by_script.items())},
        "intervals": list(_intervals(pieces, first, last, wide)),
    }


def _intervals(
    pieces: dict[tuple[int, int], _Piece], first: int, last: int, wide: int
) -> Iterable[list[float | int | None]]:
    """No more than are shown, however long the load was and whatever its clock did."""
    low, high = first // wide, last // wide
    joined = max(1, -(-(high - low + 1) // MOST_INTERVALS))
    own: dict[int, list[_Piece]] = {}
    for (index, _), piece in pieces.items():
        own.setdefault((index - low) // joined, []).append(piece)
    for number, index in enumerate(range(low, high + 1, joined)):
        start, end = max(first, index * wide), min(last, (index + joined) * wide)
        yield [(start - first) / _MICROS, (end - start) / _MICROS, *_numbers(own.get(number, []))]


def _numbers(pieces: Sequence[_Piece]) -> list[float | int | None]:
    """Succeeded, failed, average, the percentiles, maximum. A percentile is a value that was measured."""
    counts: Counter[int] = Counter()
    for piece in pieces:
        counts.update(piece.micros)
    failed = sum(piece.failed for piece in pieces)
    count = sum(counts.values())
    if not count:
        return [0, failed, *([None] * (len(_PERCENTS) + 2))]
    ordered = sorted(counts)
    average = sum(micros * often for micros, often in counts.items()) / count / 1000
    return [count, failed, round(average, 4), *_ranked(ordered, counts, count), ordered[-1] / 1000]


def _ranked(ordered: Sequence[int], counts: Counter[int], count: int) -> list[float | int | None]:
    """The percentiles in their order."""
    ranks: list[float | int | None] = []
    seen = 0
    for micros in ordered:
        seen += counts[micros]
        while len(ranks) < len(_PERCENTS) and seen >= -(-_PERCENTS[len(ranks)] * count // 100):
            ranks.append(micros / 1000)
    return ranks


def main() -> None:
    """Write the result of all logs."""
    prefix, seconds, target = sys.argv[1:4]

    def lines() -> Iterable[str]:
        for name in sorted(glob.glob(glob.escape(prefix) + "*")):  # noqa: PTH207  # pathlib costs a quarter of the start
            with open(name, encoding="ascii", errors="replace") as file:  # noqa: PTH123
                yield from file

    made = reduce(lines(), float(seconds))
    with open(target, "w", encoding="ascii") as file:  # noqa: PTH123
        json.dump(made, file, separators=(",", ":"))


if __name__ == "__main__":
    main()

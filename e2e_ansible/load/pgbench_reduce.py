"""Reduces the logs of pgbench to counts and exact percentiles; runs on the node. Standard library only.

Called as `pgbench_reduce.py PREFIX SECONDS FILE`: logs PREFIX*, length of an interval, file for the result. A line of
a log is: client, number, microseconds or why it failed, script, seconds since 1970 and microseconds of its end, and
what else the options of pgbench add.
"""

from __future__ import annotations

import glob
import json
import sys
from array import array
from math import ceil

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
        except (IndexError, ValueError):  # a line that was cut when pgbench was ended
            unread += 1
            continue
        if words[_TIME] == _SKIPPED:
            skipped += 1
            continue
        begin = end - (took or 0)
        first = begin if first is None or begin < first else first
        last = max(last, end)
        piece = pieces.setdefault((int(end / _MICROS / seconds), script), _Piece())
        if took is None:
            piece.failed += 1
        else:
            piece.micros.append(took)
    return _told(pieces, first, last, seconds) | {"unread": unread, "skipped": skipped}


def _told(
    pieces: dict[tuple[int, int], _Piece], first: int | None, last: int, seconds: float
) -> dict[str, Any]:
    """Intervals are those of the clock, the first and the last of them cut where the load began and ended."""
    if first is None:
        return {"start": None, "end": None, "all": _numbers([]), "scripts": {}, "intervals": []}
    low, high = int(first / _MICROS / seconds), int(last / _MICROS / seconds)
    wide = max(1, ceil((high - low + 1) / MOST_INTERVALS))
    scripts = sorted({script for _, script in pieces})
    intervals = []
    for index in range(low, high + 1, wide):
        own = [
            pieces[key]
            for at in range(index, index + wide)
            for key in ((at, s) for s in scripts)
            if key in pieces
        ]
        start = max(first / _MICROS, index * seconds)
        end = min(last / _MICROS, (index + wide) * seconds)
        intervals.append([round(start - first / _MICROS, 6), round(end - start, 6), *_numbers(own)])
    by_script = {
        str(script): _numbers([piece for (_, of), piece in pieces.items() if of == script])
        for script in scripts
    }
    return {
        "start": first / _MICROS,
        "end": last / _MICROS,
        "all": _numbers(list(pieces.values())),
        "scripts": by_script,
        "intervals": intervals,
    }


def _numbers(pieces: Sequence[_Piece]) -> list[float | int | None]:
    """Succeeded, failed, average, the percentiles, maximum. A percentile is a value that was measured."""
    micros = array("Q")
    for piece in pieces:
        micros.extend(piece.micros)
    failed = sum(piece.failed for piece in pieces)
    if not micros:
        return [0, failed, *([None] * (len(_PERCENTS) + 2))]
    ordered = sorted(micros)
    count = len(ordered)
    ranks = [ordered[-(-percent * count // 100) - 1] / 1000 for percent in _PERCENTS]
    return [count, failed, round(sum(ordered) / count / 1000, 4), *ranks, ordered[-1] / 1000]


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

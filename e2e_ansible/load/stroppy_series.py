"""What Stroppy has done so far, again and again, as it exports it.

Sent to nodes too, so it needs nothing but Python.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from e2e_ansible.load.stroppy_otlp import now

__all__ = ["Series"]

_LEAST_SECONDS = 1.0
_MOST_SNAPSHOTS = 600
_LATENCIES = ("tx_total_duration", "iteration_duration")
_PREFIXES = ("stroppy_", "k6_")


class Series:
    """Snapshots of what a round has done so far, in `series`, thinned out when they become many."""

    def __init__(self, told: dict[str, Any]) -> None:
        self._rows: list[dict[str, Any]] = told["series"]
        self._told, self._lock, self._round = told, threading.Lock(), 0

    def begin(self) -> None:
        """A round begins."""
        with self._lock:
            self._round += 1

    def begun(self, at: float) -> None:
        """Its load has begun: nothing is done yet. The last of several counts."""
        with self._lock:
            rows = self._rows
            while rows and rows[-1]["round"] == self._round and not rows[-1]["tried"]:
                rows.pop()
            rows.append({"at": round(at, 3), "round": self._round, "done": 0, "tried": 0})

    def take(self, at: float, totals: Mapping[str, Any]) -> None:
        """What was exported."""
        named = {_plain(name): value for name, value in totals.items()}
        row = self._row(at, named)
        with self._lock:
            if self._rows and self._rows[-1]["round"] == self._round:
                self._rows.append(dict(row, round=self._round))
                self._thin()

    def rest(self, until: float) -> None:
        """Nothing more is done: what is left of the time is part of the load."""
        with self._lock:
            if self._rows and self._rows[-1]["at"] < until - _LEAST_SECONDS:
                self._rows.append(dict(self._rows[-1], at=round(min(until, now()), 3)))

    def _row(self, at: float, named: Mapping[str, Any]) -> dict[str, Any]:
        tried = named.get("iterations_total", named.get("iterations", 0))
        commits = named.get("tx_commits_total", named.get("tx_commit_rate.total[nonzero]"))
        done = tried if commits is None else commits + named.get("tpcc_rollback_done", 0)
        row: dict[str, Any] = {"at": round(at, 3), "done": int(done), "tried": int(tried)}
        told = next((named[name] for name in _LATENCIES if isinstance(named.get(name), dict)), None)
        if told:
            self._told["bounds"] = told["bounds"]
            row.update(sum=round(told["sum"], 3), buckets=_short(told["buckets"]))
        return row

    def _thin(self) -> None:
        """Every second one goes, but never the first or the last of a round."""
        if len(self._rows) <= _MOST_SNAPSHOTS:
            return
        rows = self._rows
        kept = [
            row
            for index, row in enumerate(rows)
            if index % 2 == 0
            or index + 1 == len(rows)
            or rows[index - 1]["round"] != row["round"]
            or rows[index + 1]["round"] != row["round"]
        ]
        rows[:] = kept


def _short(buckets: Sequence[int]) -> list[int]:
    """Without the empty ones at the end."""
    filled = [index for index, count in enumerate(buckets, start=1) if count]
    return list(buckets[: filled[-1] if filled else 0])


def _plain(name: str) -> str:
    return next((name[len(prefix) :] for prefix in _PREFIXES if name.startswith(prefix)), name)

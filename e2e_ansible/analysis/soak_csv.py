"""The figures of a soak as a table for other programs: a line for the cycle, each phase and each kind of outage."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from e2e_ansible.analysis.percentiles import SHARES, Percentiles
from e2e_ansible.analysis.soak_analysis import metric_of
from e2e_ansible.analysis.soak_result import PhaseFigures, SoakAnalysis
from e2e_ansible.analysis.soak_series import CYCLE

__all__ = ["soak_csv"]

_BOUNDS = ("", "_low", "_high")
_HEAD = (
    "name",
    "count",
    "min",
    "mean",
    *(f"p{share * 100:g}{bound}" for share in SHARES for bound in _BOUNDS),
    "max",
    "passed",
    "failed",
    "unknown",
    "success",
    "success_low",
    "success_high",
    "drift",
)


def soak_csv(found: SoakAnalysis) -> str:
    """Times in seconds, rates 0 to 1; a cell is empty where there is no number."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_HEAD)
    drifts = {one.metric: one.outcome.value for one in found.drift.changes}
    for name, one in ((CYCLE, found.whole), *((metric_of(one.name), one) for one in found.phases)):
        writer.writerow([name, *_lengths(one.seconds), *_success(one), drifts.get(name, "")])
    for outage in found.outages:
        name = f"outage of {outage.kind}"
        writer.writerow([name, *_lengths(outage.seconds), *[""] * 6, drifts.get(name, "")])
    return text.getvalue()


def _lengths(seconds: Percentiles) -> Iterator[str]:
    yield str(seconds.count)
    yield _cell(seconds.least)
    yield _cell(seconds.mean)
    for share in SHARES:
        one = seconds.at(share)
        yield from (_cell(number) for number in ((one.value, one.low, one.high) if one else (None,) * 3))
    yield _cell(seconds.most)


def _success(one: PhaseFigures) -> Iterator[str]:
    found = one.success.found
    yield from map(str, (found.tally.passed, found.tally.failed, found.tally.unknown))
    yield from (_cell(number) for number in (found.rate, found.low, found.high))


def _cell(number: float | None) -> str:
    return "" if number is None else f"{number:.6g}"

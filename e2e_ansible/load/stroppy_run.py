"""What the program on the node has noted of a run of Stroppy, and the intervals that are in it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from pydantic import BaseModel, ConfigDict, ValidationError

from e2e_ansible.load.base import LoadOutput
from e2e_ansible.load.result import Interval, Latency
from e2e_ansible.load.stroppy_program import RUN

__all__ = ["Round", "Run", "intervals", "quantile", "run_of"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Asked(_Model):
    """What of the request its result depends on. `transactions`: not only its tables were made and loaded."""

    duration_seconds: float | None = None
    vus: int | None = None
    on_error: str | None = None
    require_compliance: bool | None = None
    transactions: bool = True


class Round(_Model):
    """One run of the program, seconds since 1970. `gave_up` virtual users ended at an error before their time."""

    argv: tuple[str, ...] = ()
    started: float
    begun: float
    ended: float
    exit_code: int
    gave_up: int = 0
    summary: tuple[str, ...] = ()
    compliance: str = ""


class Snapshot(_Model):
    """What a round has done until then; `sum` and `buckets` are of its latencies."""

    at: float
    round: int
    done: int
    tried: int
    sum: float | None = None
    buckets: tuple[int, ...] = ()


class Run(_Model):
    """All of it. `tries` to begin again came to nothing; `unusable` says why it was not run at all."""

    dialect: str = ""
    version: str = ""
    asked: Asked = Asked()
    rounds: tuple[Round, ...] = ()
    series: tuple[Snapshot, ...] = ()
    bounds: tuple[float, ...] = ()
    tries: int = 0
    unusable: tuple[str, ...] = ()

    @property
    def begun(self) -> float | None:
        """When the load itself began, after its tables were loaded."""
        return self.rounds[0].begun if self.rounds else None

    @property
    def seconds(self) -> float | None:
        """From then to its end, with every time between rounds."""
        if not self.rounds:
            return None
        last = self.series[-1].at if self.series else self.rounds[-1].ended
        return max(0.0, last - self.rounds[0].begun)


def run_of(output: LoadOutput) -> Run | None:
    """What was noted; None when nothing was, or nothing that can be read."""
    try:
        return Run.model_validate_json(output.files.get(RUN, ""))
    except (ValidationError, ValueError):
        return None


def intervals(run: Run) -> tuple[Interval, ...]:
    """Between each two snapshots; between two rounds nothing is done."""
    begun = run.series[0].at if run.series else 0.0
    return tuple(
        _between(run, begun, before, after) for before, after in pairwise(run.series) if after.at > before.at
    )


def _between(run: Run, begun: float, before: Snapshot, after: Snapshot) -> Interval:
    new = before.round != after.round
    done = max(0, after.done if new else after.done - before.done)
    tried = max(0, after.tried if new else after.tried - before.tried)
    return Interval(
        start=round(before.at - begun, 3),
        seconds=round(after.at - before.at, 3),
        count=done,
        failed=max(0, tried - done),
        latency=Latency() if new else _latency(run.bounds, before, after),
    )


def _latency(bounds: Sequence[float], before: Snapshot, after: Snapshot) -> Latency:
    counts = list(_differences(before.buckets, after.buckets))
    count = sum(counts)
    if count <= 0 or after.sum is None or min(counts) < 0:
        return Latency()
    return Latency(
        average=round(max(0.0, after.sum - (before.sum or 0.0)) / count, 3),
        p50=quantile(bounds, counts, 0.50),
        p90=quantile(bounds, counts, 0.90),
        p95=quantile(bounds, counts, 0.95),
        p99=quantile(bounds, counts, 0.99),
        bucketed=True,
    )


def _differences(before: Sequence[int], after: Sequence[int]) -> Iterator[int]:
    for index, count in enumerate(after):
        yield count - (before[index] if index < len(before) else 0)


def quantile(bounds: Sequence[float], counts: Sequence[int], share: float) -> float | None:
    """The upper bound of the bucket with it; None of the last one, which has none."""
    wanted = (sum(counts) - 1) * share + 1
    seen = 0
    for index, count in enumerate(counts):
        seen += count
        if seen >= int(wanted):
            return bounds[index] if index < len(bounds) else None
    return None

"""What a load tool measured, in one shape for all of them. Times are seconds, latencies milliseconds."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Interval", "Latency", "LoadResult", "TransactionLoad"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Latency(_Model):
    """Milliseconds; None is what the tool did not tell.

    `bucketed` percentiles are upper bounds of the buckets of a histogram, not measured values.
    """

    average: float | None = None
    p50: float | None = None
    p90: float | None = None
    p95: float | None = None
    p99: float | None = None
    maximum: float | None = None
    bucketed: bool = False


class TransactionLoad(_Model):
    """One type of transaction. `percent` is its share of all transactions."""

    name: str
    count: int
    per_second: float | None = None
    percent: float | None = None
    failed: int | None = None
    latency: Latency = Latency()


class Interval(_Model):
    """A piece of the load. `start` is in seconds since the load began; `count` are transactions that succeeded."""

    start: float
    seconds: float
    count: int
    failed: int | None = None
    latency: Latency = Latency()


class LoadResult(_Model):
    """One load. None is what the tool did not tell; nothing in it is assumed.

    `complete`: the tool came to its own summary. `meaning` says what its exit status means, in words; `refused` why
    the load does not count although it ended, '' if it does: a check of the tool itself that failed, a population
    that is not whole. `started` is in seconds since 1970, `seconds` what was measured. `compliance` is the tool's own
    judgement.
    """

    tool: str
    dialect: str = ""
    version: str = ""
    workload: str
    host: str = Field("", description="Where the tool ran")
    started: float | None = None
    seconds: float | None = None
    transactions: int | None = None
    per_second: float | None = None
    failed: int | None = None
    retried: int | None = None
    latency: Latency = Latency()
    by_name: tuple[TransactionLoad, ...] = ()
    intervals: tuple[Interval, ...] = ()
    compliance: Mapping[str, bool | str | float | None] = Field(default_factory=dict)
    exit_code: int | None = None
    meaning: str = ""
    complete: bool = False
    refused: str = ""

    @property
    def error_rate(self) -> float | None:
        """Failed transactions among all that were tried, 0 to 1."""
        if self.failed is None or self.transactions is None:
            return None
        tried = self.transactions + self.failed
        return self.failed / tried if tried else None

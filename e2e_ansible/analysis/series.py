"""The numbers of one run, as comparisons take them: values of each metric in order, and how often things worked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from statistics import median

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from e2e_ansible.analysis.proportion import Tally

__all__ = ["Direction", "Series", "SeriesSet", "over_runs"]


class Direction(StrEnum):
    """Which way a metric is better."""

    LOWER = "lower"
    HIGHER = "higher"


class Series(BaseModel):
    """One metric of one run, a value per cycle in the order of the cycles. Times are in seconds (`unit` "s")."""

    model_config = ConfigDict(frozen=True)

    values: tuple[FiniteFloat, ...]
    unit: str = "s"
    better: Direction = Direction.LOWER
    floor: float = Field(0, ge=0, description="A change of less than this matters to nobody, in the unit")
    whole: bool = Field(False, description="Of the whole cycle: the ratio rule takes its mean, not its P95")


class SeriesSet(BaseModel):
    """Everything countable of one run. `rates` are of cycles, phases or steps, by name."""

    model_config = ConfigDict(frozen=True)

    name: str
    series: Mapping[str, Series] = {}
    rates: Mapping[str, Tally] = {}


def over_runs(runs: Sequence[SeriesSet], name: str) -> SeriesSet:
    """Many runs, oldest first, as one series with the median of each run, to look for a drift over runs."""
    found: dict[str, Series] = {}
    for run in runs:
        for metric, series in run.series.items():
            if series.values:
                earlier = found[metric].values if metric in found else ()
                found[metric] = series.model_copy(update={"values": (*earlier, median(series.values))})
    return SeriesSet(name=name, series=found)

"""The numbers of a soak, taken from its records one by one. Of a cycle some dozens of bytes stay, in arrays."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from e2e_ansible.analysis.alerts import AlertBook
from e2e_ansible.analysis.column import Column
from e2e_ansible.analysis.failures import FailedCycles
from e2e_ansible.analysis.proportion import Tally
from e2e_ansible.analysis.standing import Standing, standing
from e2e_ansible.soak.records import (
    AlertRecord,
    CycleEnd,
    CycleStart,
    FailureInjection,
    PhaseResult,
    Record,
    ResourceSnapshot,
)
from e2e_ansible.verdict import Cause, Verdict

__all__ = ["CYCLE", "KINDS", "InjectionKey", "SoakSeries", "gather"]

#: The name of the whole cycle beside those of its phases.
CYCLE = "cycle"
#: Of what a client can be cut off.
KINDS = ("writes", "reads")
_ORDER = tuple(Standing)

#: Cycle, scenario, phase and target.
InjectionKey = tuple[int, str, str, str]


@dataclass
class _Open:
    """A cycle of which more may be told. What is told twice, as after a kill, counts as it was told last."""

    number: int
    phases: dict[str, PhaseResult] = field(default_factory=dict)
    end: CycleEnd | None = None


@dataclass
class SoakSeries:
    """All that is countable of a soak. Durations are in seconds; each column has its cycles beside its values.

    `phases` holds every phase that was run, and marks those that passed. `steps` are counted apart for cycles in which
    a failure was injected (True) and for the others. Steps and phases of cycles that are apart are not counted.
    """

    first: str = ""
    last: str = ""
    records: int = 0
    cycles: Column = field(default_factory=Column)
    standings: array[int] = field(default_factory=lambda: array("b"))
    disturbed: array[int] = field(default_factory=lambda: array("b"))
    unfinished: list[int] = field(default_factory=list)
    swapped: int = 0
    verdicts: Counter[tuple[Verdict | None, Cause | None]] = field(default_factory=Counter)
    phases: dict[str, Column] = field(default_factory=dict)
    phase_ends: dict[str, Counter[bool | None]] = field(default_factory=dict)
    outages: dict[str, Column] = field(default_factory=lambda: {kind: Column() for kind in KINDS})
    steps: dict[bool, dict[str, Counter[Verdict]]] = field(default_factory=lambda: {False: {}, True: {}})
    lost: dict[int, int] = field(default_factory=dict)
    not_examined: int = 0
    failures: FailedCycles = field(default_factory=FailedCycles)
    alerts: AlertBook = field(default_factory=AlertBook)
    injections: dict[InjectionKey, tuple[bool | None, bool | None]] = field(default_factory=dict)
    looks: int = 0
    blind_looks: int = 0

    def standing(self, place: int) -> Standing:
        """How the cycle at a place, from 0, counts."""
        return _ORDER[self.standings[place]]

    def tally(self, *, disturbed: bool | None = None, apart: bool = False) -> Tally:
        """How cycles ended; with `disturbed` only those with a failure injected, or without; `apart` as unknown."""
        found = Counter(
            _ORDER[one]
            for one, by_injection in zip(self.standings, self.disturbed, strict=True)
            if disturbed in (None, bool(by_injection))
        )
        unknown = found[Standing.UNKNOWN] + (found[Standing.APART] if apart else 0)
        return Tally(passed=found[Standing.PASSED], failed=found[Standing.FAILED], unknown=unknown)

    def phase_tally(self, phase: str) -> Tally:
        """How a phase ended, in all cycles that are not apart."""
        found = self.phase_ends.get(phase, Counter())
        return Tally(passed=found[True], failed=found[False], unknown=found[None])

    def count(self, wanted: Standing) -> int:
        """How many cycles count so."""
        return self.standings.count(_ORDER.index(wanted))


def gather(records: Iterable[Record]) -> SoakSeries:
    """The numbers of all records, in the order in which they were written.

    Raises:
        ValueError: the cycles are not in their order, or a number is none.
    """
    series = SoakSeries()
    book = _Book(series)
    for record in records:
        series.first = series.first or record.timestamp
        series.last = record.timestamp
        series.records += 1
        book.take(record)
    book.close()
    return series


class _Book:
    """Takes records in; a cycle counts when the next one begins, or at the end."""

    def __init__(self, series: SoakSeries) -> None:
        self._series = series
        self._open = _Open(0)

    def take(self, record: Record) -> None:
        match record:
            case CycleStart():
                self._turn_to(record.cycle_num)
            case PhaseResult():
                self._turn_to(record.cycle_num)
                self._open.phases[record.phase_name] = record
            case CycleEnd():
                self._turn_to(record.cycle_num)
                self._open.end = record
            case AlertRecord():
                self._series.alerts.take(record)
            case FailureInjection():
                key = (record.cycle_num, record.scenario, record.phase, record.target)
                self._series.injections[key] = (record.success, record.undone)
            case _:
                look: ResourceSnapshot = record
                self._series.looks += 1
                self._series.blind_looks += bool(look.error)

    def _turn_to(self, number: int) -> None:
        if number < self._open.number:
            raise ValueError(f"cycle {number} comes after cycle {self._open.number}")
        if number > self._open.number:
            self.close()
            self._open = _Open(number)

    def close(self) -> None:
        """Count the cycle that is open."""
        cycle, series = self._open, self._series
        if cycle.end is None:
            if cycle.number:
                series.unfinished.append(cycle.number)
            return
        end = cycle.end
        stands = standing(end.success, end.verdict, end.cause)
        disturbed = self._is_disturbed(cycle.number)
        series.cycles.add(cycle.number, end.duration_seconds, stands is Standing.PASSED)
        series.standings.append(_ORDER.index(stands))
        series.disturbed.append(disturbed)
        series.swapped += end.swapped
        series.verdicts[end.verdict, end.cause] += 1
        if stands is not Standing.PASSED:
            series.failures.add(end, stands)
        _take_phases(series, cycle, stands)
        _take_clients(series, end)
        if stands is not Standing.APART:
            _take_steps(series.steps[disturbed], end)

    def _is_disturbed(self, number: int) -> bool:
        """Whether a failure was injected: one that did not take for sure leaves the cycle as it was."""
        # The newest are last, and a cycle has few.
        for (cycle, *_), (taken, _) in reversed(self._series.injections.items()):
            if cycle != number:
                return False
            if taken is not False:
                return True
        return False


def _take_phases(series: SoakSeries, cycle: _Open, stands: Standing) -> None:
    for name, result in cycle.phases.items():
        passed = result.success is True
        series.phases.setdefault(name, Column()).add(cycle.number, result.duration_seconds, passed)
        if stands is not Standing.APART:
            series.phase_ends.setdefault(name, Counter())[result.success] += 1


def _take_clients(series: SoakSeries, end: CycleEnd) -> None:
    """A service is away as long as the client that was cut off longest says."""
    asked = [one for one in end.clients.values() if one.operations or one.writes or one.reads]
    if not asked:
        return
    for kind, values in (("writes", [one.writes for one in asked]), ("reads", [one.reads for one in asked])):
        series.outages[kind].add(end.cycle_num, max(map(sum, values)), end.success is True)
    known = [one.lost for one in asked if one.lost is not None]
    series.not_examined += len(known) < len(asked)
    if sum(known):
        series.lost[end.cycle_num] = sum(known)


def _take_steps(steps: dict[str, Counter[Verdict]], end: CycleEnd) -> None:
    """Of a step that was left out nothing is counted."""
    for name, figure in end.steps.items():
        if figure.verdict is not None:
            steps.setdefault(name, Counter())[figure.verdict] += 1

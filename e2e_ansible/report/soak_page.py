"""The page of a soak: what it showed, drawn over its cycles. It needs no network and no script."""

from __future__ import annotations

from dataclasses import dataclass

from e2e_ansible.analysis.change import Change
from e2e_ansible.analysis.failures import FailedCycle
from e2e_ansible.analysis.rule import Outcome
from e2e_ansible.analysis.soak_analysis import metric_of
from e2e_ansible.analysis.soak_result import PhaseFigures, SoakAnalysis
from e2e_ansible.analysis.soak_series import CYCLE, SoakSeries
from e2e_ansible.analysis.standing import Standing
from e2e_ansible.report.pages import pages
from e2e_ansible.report.soak_chart import soak_chart
from e2e_ansible.report.soak_words import DRIFTS, cycle_folder, cycle_words, soak_mark
from e2e_ansible.report.strips import Spread, spread
from e2e_ansible.report.words import Mark

__all__ = ["soak_page"]

_TEMPLATE = "soak.html.j2"
_MARKS = {
    Standing.PASSED: Mark.PASS,
    Standing.FAILED: Mark.FAIL,
    Standing.UNKNOWN: Mark.UNKNOWN,
    Standing.APART: Mark.INTERRUPTED,
}


@dataclass(frozen=True)
class PhaseView:
    """A phase, or the whole cycle, with its strip and whether it got slower; None: that cannot be told."""

    figures: PhaseFigures
    spread: Spread | None
    drift: Change | None


@dataclass(frozen=True)
class FailedView:
    """A cycle that did not pass, with the link to its folder."""

    cycle: FailedCycle
    mark: Mark
    href: str


def soak_page(found: SoakAnalysis, series: SoakSeries, *, version: str = "") -> str:
    """The page for a run folder, where its links to cycles start. The same numbers give the same page."""
    drifts = {one.metric: one for one in found.drift.changes}
    phases = [PhaseView(found.whole, spread(CYCLE, series.cycles), drifts.get(CYCLE))]
    for one in found.phases:
        strip = spread(one.name, series.phases[one.name])
        phases.append(PhaseView(one, strip, drifts.get(metric_of(one.name))))
    return (
        pages()
        .get_template(_TEMPLATE)
        .render(
            soak=found,
            mark=soak_mark(found),
            counts=cycle_words(found.cycles),
            chart=soak_chart(series),
            phases=phases,
            drifts=DRIFTS,
            slower=Outcome.REGRESSION,
            failures=[
                FailedView(one, _MARKS[one.standing], f"./{cycle_folder(one.cycle)}/")
                for one in found.failures
            ],
            version=version,
        )
    )

"""The HTML report: a run as one page that needs no network and no script."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from urllib.parse import quote

from jinja2 import Template

from e2e_ansible.judge.clients import ClientResult
from e2e_ansible.judge.outage import OutageWindow
from e2e_ansible.judge.result import FaultResult, RunResult, StepResult, TestResult
from e2e_ansible.report import client as words_of_client
from e2e_ansible.report.amounts import percent, quantity
from e2e_ansible.report.around import Around, around
from e2e_ansible.report.axis import Axis, axis_of
from e2e_ansible.report.chart import Chart, chart
from e2e_ansible.report.finding import Finding, findings
from e2e_ansible.report.graph import Drawing, Row, drawing, graph_words, time_rows
from e2e_ansible.report.lanes import Bar, Edge, Lane, dead_lane, edges, fault_lanes, step_lanes
from e2e_ansible.report.load import LoadRow, load_rows
from e2e_ansible.report.load_chart import LoadFigure, load_figures
from e2e_ansible.report.numbers import client_numbers
from e2e_ansible.report.pen import sign
from e2e_ansible.report.repeat_words import failing_words, repeat_sentence
from e2e_ansible.report.sight import Sight, sights
from e2e_ansible.report.templating import templates
from e2e_ansible.report.words import (
    Mark,
    cause_words,
    clean,
    clock,
    count,
    cycle_words,
    duration,
    host_words,
    join_path,
    mark_of,
    said_of,
    shorten,
    stamp,
)
from e2e_ansible.verdict import Verdict

__all__ = ["html"]

_TEMPLATE = "report.html.j2"
_MOST_WINDOWS = 30
_MOST_LINES = 200
_MOST_CHARACTERS = 8_000

Excerpts = Mapping[tuple[str, str], str]


def html(result: RunResult, *, version: str = "", excerpts: Excerpts | None = None) -> str:
    """The page for a run; it belongs into the run folder, where its links to logs and evidence start.

    `excerpts` are those of logs, by folder of the test and id of the step. The same arguments give the same page.
    """
    tests = [
        _test(test, f"test-{number}", excerpts or {}) for number, test in enumerate(result.tests, start=1)
    ]
    return _template().render(
        run=result,
        tests=tests,
        timeline_of_run=_run_timeline(result),
        mark=_mark(result.verdict),
        version=version,
    )


@dataclass(frozen=True)
class Timeline:
    """Lanes over a common time axis, with the lines of faults through all of them."""

    axis: Axis
    steps: tuple[Lane, ...]
    faults: tuple[Lane, ...] = ()
    edges: tuple[Edge, ...] = ()


@dataclass(frozen=True)
class StepView:
    """A step with all that the page shows of it."""

    step: StepResult
    anchor: str
    mark: Mark
    findings: tuple[Finding, ...]
    sights: tuple[Sight, ...]
    around: Around | None
    excerpt: str
    log: str


@dataclass(frozen=True)
class ClientView:
    """A client with all that the page shows of it; `windows` are its longest outages, in order of time."""

    client: ClientResult
    anchor: str
    chart: Chart
    numbers: Mapping[str, str]
    windows: tuple[OutageWindow, ...]


@dataclass(frozen=True)
class TestView:
    """A test with all that the page shows of it."""

    __test__ = False

    test: TestResult
    anchor: str
    mark: Mark
    steps: tuple[StepView, ...]
    timeline: Timeline
    clients: tuple[ClientView, ...]
    faults: Mapping[str, FaultResult]
    evidence: tuple[tuple[str, str], ...]
    graph: Drawing | None = None
    times: Sequence[Row] = ()
    loads: Sequence[LoadRow] = ()
    figures: Sequence[LoadFigure] = ()


def _test(test: TestResult, anchor: str, excerpts: Excerpts) -> TestView:
    axis = axis_of(test)
    looks = [step for step in test.workflow_steps if step.observation is not None]
    return TestView(
        test=test,
        anchor=anchor,
        mark=_mark(test.verdict),
        steps=tuple(_step(step, test, anchor, looks, excerpts) for step in test.workflow_steps),
        timeline=Timeline(
            axis,
            (*step_lanes(test, axis, anchor), *dead_lane(test, axis)),
            tuple(fault_lanes(test.faults, axis)),
            edges(test.faults, axis),
        ),
        clients=tuple(
            _client(client, f"{anchor}-client-{number}", axis)
            for number, client in enumerate(test.clients, start=1)
        ),
        faults={fault.id: fault for fault in test.faults},
        evidence=tuple((path, _href(test.folder, path)) for path in test.evidence),
        graph=drawing(test, anchor),
        times=time_rows(test, anchor),
        loads=load_rows(test),
        figures=load_figures(test, anchor),
    )


def _step(
    step: StepResult, test: TestResult, anchor: str, looks: Sequence[StepResult], excerpts: Excerpts
) -> StepView:
    return StepView(
        step=step,
        anchor=f"{anchor}-{step.index}",
        mark=mark_of(step),
        findings=tuple(one for one in findings(step) if one.label not in ("check", "log")),
        sights=sights(step.observation) if step.observation is not None else (),
        around=around(step, looks),
        excerpt=excerpts.get((test.folder, step.id), ""),
        log=_href(test.folder, step.log) if step.log else "",
    )


def _client(client: ClientResult, anchor: str, axis: Axis) -> ClientView:
    longest = sorted(client.outages, key=lambda one: -one.seconds)[:_MOST_WINDOWS]
    return ClientView(
        client=client,
        anchor=anchor,
        chart=chart(client, axis),
        numbers=dict(client_numbers(client)),
        windows=tuple(sorted(longest, key=lambda one: (one.start, one.kind))),
    )


def _mark(verdict: Verdict) -> Mark:
    return Mark(verdict.value)


def _href(*parts: str) -> str:
    """A link that can only lead to a file below the page."""
    return "./" + quote(join_path(*parts).lstrip("/"), errors="replace")


def _run_timeline(result: RunResult) -> Timeline:
    """When each test ran."""
    begun = [
        (number, test, test.started)
        for number, test in enumerate(result.tests, start=1)
        if test.started is not None
    ]
    axis = Axis.over((started, started + test.duration) for _, test, started in begun)
    lanes = []
    for number, test, started in begun:
        mark = _mark(test.verdict)
        bar = Bar(
            axis.place(started, started + test.duration), mark.name.lower(), f"{test.name}: {mark.value}"
        )
        lanes.append(Lane(test.name, (bar,), duration(test.duration), f"test-{number}", mark=mark))
    return Timeline(axis, tuple(lanes))


def _values(registered: dict[str, object]) -> str:
    return json.dumps(registered, indent=1, ensure_ascii=False, default=str)


def _cut(text: str) -> str:
    """A text that may be of any length: what is left off is in the log."""
    return shorten(clean(text), lines=_MOST_LINES, characters=_MOST_CHARACTERS)


@cache
def _template() -> Template:
    return templates(
        bounds=words_of_client.bounds_words,
        cause=cause_words,
        clock=clock,
        count=count,
        cycles=cycle_words,
        cut=_cut,
        duration=duration,
        faults=words_of_client.fault_words,
        graph_words=graph_words,
        hosts=host_words,
        lost=words_of_client.lost_words,
        moment=words_of_client.moment,
        overhead=words_of_client.overhead_words,
        precise=words_of_client.precise,
        ranges=words_of_client.range_words,
        failing=failing_words,
        percent=percent,
        quantity=quantity,
        repeated=repeat_sentence,
        said=said_of,
        recovery=words_of_client.recovery_words,
        resurrected=words_of_client.resurrected_words,
        sign=sign,
        stamp=stamp,
        values=_values,
        told=words_of_client.told_words,
    ).get_template(_TEMPLATE)

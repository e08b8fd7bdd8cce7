"""The HTML report: a run as one page that needs no network and no script."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from urllib.parse import quote

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from e2e_ansible.judge.result import RunResult, StepResult, TestResult
from e2e_ansible.report.finding import Finding, findings
from e2e_ansible.report.pen import sign
from e2e_ansible.report.sight import Sight, sights
from e2e_ansible.report.words import (
    Mark,
    cause_words,
    clean,
    clock,
    duration,
    host_words,
    join_path,
    mark_of,
    stamp,
)
from e2e_ansible.verdict import Verdict

__all__ = ["html"]

_TEMPLATE = "report.html.j2"
_TICK_SECONDS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400, 28_800, 86_400)
_MOST_TICKS = 6
_MIN_BAR_PERCENT = 0.4


def html(result: RunResult, *, version: str = "") -> str:
    """The page for a run; it belongs into the run folder, where its links to logs and evidence start."""
    tests = [_test(test, f"test-{number}") for number, test in enumerate(result.tests, start=1)]
    return _template().render(
        run=result,
        tests=tests,
        timeline_of_run=_run_timeline(result),
        mark=_mark(result.verdict),
        version=version,
    )


@dataclass(frozen=True)
class Bar:
    """A bar of a timeline; `left` and `width` are in per cent of it."""

    label: str
    mark: Mark
    left: float
    width: float
    words: str
    anchor: str


@dataclass(frozen=True)
class Tick:
    """A mark on the time axis, in per cent of it."""

    left: float
    words: str


@dataclass(frozen=True)
class Timeline:
    """Bars over a common time axis."""

    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]


@dataclass(frozen=True)
class StepView:
    """A step with all that the page shows of it."""

    step: StepResult
    anchor: str
    mark: Mark
    findings: tuple[Finding, ...]
    sights: tuple[Sight, ...]
    log: str


@dataclass(frozen=True)
class TestView:
    """A test with all that the page shows of it."""

    __test__ = False

    test: TestResult
    anchor: str
    mark: Mark
    steps: tuple[StepView, ...]
    timeline: Timeline
    evidence: tuple[tuple[str, str], ...]


def _test(test: TestResult, anchor: str) -> TestView:
    return TestView(
        test=test,
        anchor=anchor,
        mark=_mark(test.verdict),
        steps=tuple(_step(step, test, anchor) for step in test.workflow_steps),
        timeline=_test_timeline(test, anchor),
        evidence=tuple((path, _href(test.folder, path)) for path in test.evidence),
    )


def _step(step: StepResult, test: TestResult, anchor: str) -> StepView:
    return StepView(
        step=step,
        anchor=f"{anchor}-{step.index}",
        mark=mark_of(step),
        findings=tuple(one for one in findings(step) if one.label not in ("check", "log")),
        sights=sights(step.observation) if step.observation is not None else (),
        log=_href(test.folder, step.log) if step.log else "",
    )


def _mark(verdict: Verdict) -> Mark:
    return Mark(verdict.value)


def _href(*parts: str) -> str:
    """A link that can only lead to a file below the page."""
    return "./" + quote(join_path(*parts).lstrip("/"), errors="replace")


@dataclass(frozen=True)
class _Span:
    label: str
    mark: Mark
    started: float
    seconds: float
    anchor: str


def _run_timeline(result: RunResult) -> Timeline:
    spans = [
        _Span(test.name, _mark(test.verdict), test.started, test.duration, f"test-{number}")
        for number, test in enumerate(result.tests, start=1)
        if test.started is not None
    ]
    return _timeline(spans)


def _test_timeline(test: TestResult, anchor: str) -> Timeline:
    spans = [
        _Span(
            f"{step.index} {step.step_type}",
            mark_of(step),
            step.started,
            step.duration,
            f"{anchor}-{step.index}",
        )
        for step in test.workflow_steps
        if step.started is not None
    ]
    return _timeline(spans)


def _timeline(spans: list[_Span]) -> Timeline:
    if not spans:
        return Timeline((), ())
    begin = min(span.started for span in spans)
    whole = max(max(span.started + span.seconds for span in spans) - begin, 0.001)
    bars = tuple(_bar(span, begin, whole) for span in spans)
    every = next((seconds for seconds in _TICK_SECONDS if whole / seconds <= _MOST_TICKS), whole / 4)
    ticks = tuple(
        Tick(round(100 * number * every / whole, 3), duration(number * every) if number else "0")
        for number in range(int(whole / every) + 1)
    )
    return Timeline(bars, ticks)


def _bar(span: _Span, begin: float, whole: float) -> Bar:
    width = max(_MIN_BAR_PERCENT, min(100.0, 100 * span.seconds / whole))
    left = min(100 * (span.started - begin) / whole, 100 - width)
    return Bar(span.label, span.mark, round(left, 3), round(width, 3), duration(span.seconds), span.anchor)


def _values(registered: dict[str, object]) -> str:
    return json.dumps(registered, indent=1, ensure_ascii=False, default=str)


def _finalize(value: object) -> object:
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        cause=cause_words,
        clock=clock,
        duration=duration,
        hosts=host_words,
        sign=sign,
        stamp=stamp,
        values=_values,
    )
    return environment.from_string(files(__package__).joinpath("templates", _TEMPLATE).read_text("utf-8"))

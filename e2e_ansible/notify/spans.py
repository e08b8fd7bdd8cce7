"""Exports a run as OpenTelemetry spans: run, then test or cycle, then what is below it, by OTLP over HTTP."""

from __future__ import annotations

import logging
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.trace import Span

from e2e_ansible.errors import E2EError, UsageError
from e2e_ansible.judge.record import StepRecord, records
from e2e_ansible.judge.result import CheckResult, TestResult
from e2e_ansible.names import suggestion
from e2e_ansible.notify.news import Broken, Thing, is_cycle
from e2e_ansible.notify.scrub import Secrets
from e2e_ansible.notify.tracer import Attributes, Tracer, end
from e2e_ansible.notify.tree import Tree
from e2e_ansible.notify.undelivered import Undelivered
from e2e_ansible.report.notice import Attempted, RunEnded, RunStarted, TestEnded
from e2e_ansible.run.folder import RunFolder
from e2e_ansible.run.journal import read_journal
from e2e_ansible.soak.records import CycleStart
from e2e_ansible.verdict import Verdict

__all__ = ["Spans", "Told", "exporter"]

_BATCH = 512
_LOGGER = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_HEADERS = ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS")
_SPOKEN = "http/protobuf"


@dataclass(frozen=True)
class Told:
    """What happened; of a test also when its attempts were, or why that is not known."""

    thing: Thing
    steps: Mapping[str, StepRecord]
    trouble: str = ""


class Spans:
    """Is told what happens, and exports what has ended. What nobody takes in time is lost."""

    def __init__(self, export: OTLPSpanExporter, name: str) -> None:
        self.name = name
        self._export = export
        self._complaints = _Complaints()
        self._tracer = Tracer()
        self._root: Span | None = None
        self._folder: Path | None = None
        self._cycle: CycleStart | None = None
        self._checks: dict[str, dict[tuple[str, int], Sequence[CheckResult]]] = {}

    def pick(self, thing: Thing) -> Told | None:
        """What is to be delivered of it, None if it is of no use here.

        The journal of a test is read now, because that of a cycle is packed soon after.
        """
        if isinstance(thing, RunStarted):
            self._folder = Path(thing.folder)
        if isinstance(thing, TestEnded):
            return self._with_journal(thing)
        useful = isinstance(thing, RunStarted | Attempted | RunEnded | Broken | CycleStart)
        return Told(thing, {}) if useful else None

    def deliver(self, told: Told, seconds: float) -> None:
        """Take it, and export the spans that it ends. How long that takes is the exporter's own affair.

        Raises:
            Undelivered: the collector did not take them, or the journal could not be read.
        """
        thing = told.thing
        match thing:
            case RunStarted():
                self._run_started(thing)
            case CycleStart():
                self._cycle = thing
            case Attempted():
                self._checks.setdefault(thing.test, {})[thing.step, thing.attempt] = thing.checks
            case TestEnded():
                self._test_ended(thing, told.steps)
            case RunEnded() if self._root is not None:
                self._root.set_attribute("e2e.exit_code", thing.result.exit_code)
                end(self._root, thing.result.ended or thing.at, thing.result.verdict, thing.result.cause, "")
            case Broken() if self._root is not None:
                end(self._root, thing.at, Verdict.UNKNOWN, None, thing.error)
            case _:
                pass
        self._send()
        if told.trouble:
            raise Undelivered(told.trouble)

    def _with_journal(self, notice: TestEnded) -> Told:
        test = notice.result
        if self._folder is None:
            return Told(notice, {})
        journal = RunFolder(self._folder).test(test.folder).journal
        try:
            steps = records(read_journal(journal)).steps
            missing = not steps and any(step.attempts for step in test.workflow_steps)
            why = f"{journal} is not there" if missing else ""
        except E2EError as error:
            steps, why = {}, str(error)
        return Told(notice, steps, f"the attempts of {test.name} are left out: {why}" if why else "")

    def _run_started(self, notice: RunStarted) -> None:
        self._tracer.name_run(notice.run_id)
        attributes = {"e2e.run.id": notice.run_id, "e2e.suite": notice.suite}
        self._root = self._tracer.begin("run", ("run",), None, notice.at, attributes)

    def _test_ended(self, notice: TestEnded, steps: Mapping[str, StepRecord]) -> None:
        test = notice.result
        path = ("test", test.folder or test.name)
        over = test.ended or notice.at
        attributes = _of_test(test, self._cycle)
        span = self._tracer.begin(_title(test), path, self._root, test.started or over, attributes)
        Tree(self._tracer, test, steps, self._checks.pop(test.name, {}), over).grow(span, path)
        end(span, over, test.verdict, test.cause, test.error)

    def _send(self) -> None:
        spans = self._tracer.take()
        for begin in range(0, len(spans), _BATCH):
            self._send_batch(spans[begin : begin + _BATCH])

    def _send_batch(self, spans: Sequence[ReadableSpan]) -> None:
        with self._complaints:
            result = self._export.export(spans)
        if result is not SpanExportResult.SUCCESS:
            raise Undelivered(self._complaints.words or f"the collector did not take {len(spans)} spans")


class _Complaints(logging.Handler):
    """What the exporter logs while it works: the reason of a failure. None of it goes to the terminal."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._said: list[str] = []
        self._logger = logging.getLogger(_LOGGER)

    def emit(self, record: logging.LogRecord) -> None:
        self._said.append(record.getMessage())

    @property
    def words(self) -> str:
        """The first complaint, which has the reason, and the last one, which says what came of it."""
        return "; ".join(dict.fromkeys((*self._said[:1], *self._said[-1:])))

    def __enter__(self) -> None:
        self._said.clear()
        self._propagates, self._logger.propagate = self._logger.propagate, False
        self._logger.addHandler(self)

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self)
        self._logger.propagate = self._propagates


def _title(test: TestResult) -> str:
    return "cycle" if is_cycle(test) else f"test {test.name}"


def _of_test(test: TestResult, cycle: CycleStart | None) -> Attributes:
    found: dict[str, str | int] = {
        "e2e.test": test.name,
        "e2e.provider": test.provider,
        "e2e.deployment": test.deployment_id,
    }
    if is_cycle(test) and cycle is not None:
        found |= {
            "e2e.cycle": cycle.cycle_num,
            "e2e.context.primary": cycle.primary_context,
            "e2e.context.secondary": cycle.secondary_context,
        }
    return found


def exporter(environment: MutableMapping[str, str], secrets: Secrets) -> tuple[OTLPSpanExporter, str]:
    """The exporter that the standard variables describe, and a name for it that shows no secret.

    Headers, which hold tokens, are then taken out of the environment.

    Raises:
        UsageError: a variable asks for what is not there.
    """
    protocol = next((environment[name] for name in _PROTOCOLS if environment.get(name)), _SPOKEN)
    if protocol != _SPOKEN:
        text = f"OTLP is spoken over {_SPOKEN} only, and {_PROTOCOLS[1]} is {protocol!r}"
        raise UsageError(text, hint=suggestion(protocol, [_SPOKEN]) or f"export {_PROTOCOLS[1]}={_SPOKEN}")
    endpoint = next((environment[name] for name in _ENDPOINTS if environment.get(name)), "")
    parts = urlsplit(endpoint or "http://localhost:4318")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        secrets.add_url(endpoint)
        hint = "for example http://localhost:4318"
        raise UsageError(f"{_ENDPOINTS[1]} is no http or https address", hint=hint)
    secrets.add_url(endpoint)
    for name in _HEADERS:
        for pair in environment.get(name, "").split(","):
            secrets.add(pair.partition("=")[2].strip())
    made = OTLPSpanExporter()
    for name in _HEADERS:
        environment.pop(name, None)
    return made, f"otlp {parts.netloc.rpartition('@')[2]}"

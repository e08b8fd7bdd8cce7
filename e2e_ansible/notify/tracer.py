"""Makes single spans, with the times, verdicts and ids of this project."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.trace import Span, Status, StatusCode, set_span_in_context

from e2e_ansible import __version__
from e2e_ansible.notify.ids import Ids
from e2e_ansible.report.words import clean, shorten
from e2e_ansible.verdict import Cause, Verdict

__all__ = ["Attributes", "Tracer", "end"]

Attributes = Mapping[str, str | int | Sequence[str]]
_SERVICE = "e2e-ansible"
_NANOSECONDS = 1_000_000_000
_LINES, _CHARACTERS = 20, 1000
#: A trace that is not known to be fine is not shown as one.
_CODES = {Verdict.PASS: StatusCode.OK, Verdict.FAIL: StatusCode.ERROR, Verdict.UNKNOWN: StatusCode.ERROR}


class _Ended(SpanProcessor):
    """Keeps spans that have ended until somebody takes them."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.spans.append(span)


class Tracer:
    """The spans of one run. Its standard variables (service, resource, sampler, limits, disabled) are obeyed."""

    def __init__(self) -> None:
        self._ids = Ids()
        self._ended = _Ended()
        resource = Resource({"service.name": _SERVICE, "service.version": __version__})
        provider = TracerProvider(
            resource=Resource.create().merge(resource).merge(OTELResourceDetector().detect()),
            id_generator=self._ids,
            shutdown_on_exit=False,
        )
        provider.add_span_processor(self._ended)
        self._tracer = provider.get_tracer("e2e_ansible", __version__)

    def name_run(self, run_id: str) -> None:
        """All ids follow from this one."""
        self._ids.run_id = run_id

    def begin(
        self, name: str, path: tuple[str, ...], parent: Span | None, at: float, attributes: Attributes
    ) -> Span:
        """A span that begins at epoch seconds; `path` is its place in the run, and like no other."""
        self._ids.path = path
        context = set_span_in_context(parent) if parent is not None else None
        known = {key: value for key, value in attributes.items() if value != ""}
        return self._tracer.start_span(name, context, start_time=_time(at), attributes=known)

    def take(self) -> list[ReadableSpan]:
        """The spans that have ended, each once."""
        taken, self._ended.spans = self._ended.spans, []
        return taken


def end(span: Span, at: float, verdict: Verdict | None, cause: Cause | None, error: str | None) -> None:
    """End it at epoch seconds with a verdict; None is one that nobody knows, and has no status."""
    if cause is not None and verdict is not Verdict.PASS:
        span.set_attribute("e2e.cause", cause.value)
    if verdict is not None:
        span.set_attribute("e2e.verdict", verdict.value)
        words = shorten(clean(error or verdict.value), lines=_LINES, characters=_CHARACTERS)
        span.set_status(Status(_CODES[verdict], None if verdict is Verdict.PASS else words))
    span.end(_time(at))


def _time(at: float) -> int:
    return round(at * _NANOSECONDS)

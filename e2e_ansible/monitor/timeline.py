"""What the monitor saw as lanes of a report's time axis. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby

from e2e_ansible.report.axis import Axis
from e2e_ansible.report.lanes import Bar, Lane
from e2e_ansible.report.words import clock, count, duration
from e2e_ansible.soak.records import Alert, AlertRecord, ContextSnapshot, Record, ResourceSnapshot

__all__ = ["alert_lanes", "alerts_of", "health_lanes"]

_Span = tuple[float, float, str]
_WORDS = {"down": "nobody served", "blind": "nothing was seen"}


def alerts_of(records: Iterable[Record]) -> list[Alert]:
    """Each alert once, as it was told last, in the order in which they began."""
    found = {record.alert.alert_id: record.alert for record in records if isinstance(record, AlertRecord)}
    return sorted(found.values(), key=lambda alert: alert.started)


def alert_lanes(alerts: Iterable[Alert], axis: Axis) -> Iterator[Lane]:
    """A lane for each thing that an alert was about. A bar is of the kind `alert`; one without end goes on."""
    lanes: dict[tuple[str, str, str], list[Alert]] = {}
    for alert in alerts:
        lanes.setdefault((alert.alert_type, alert.context, alert.resource), []).append(alert)
    for (kind, context, resource), some in lanes.items():
        bars = tuple(Bar(axis.place(_at(one.started), _end(one)), "alert", _words(one)) for one in some)
        took = sum((_end(one) or axis.end) - _at(one.started) for one in some)
        active = "" if some[-1].ended else ", goes on"
        name = " ".join(filter(None, (kind, context, resource)))
        yield Lane(name, bars, f"{duration(max(0.0, took))} in {len(some)}{active}")


def health_lanes(snapshots: Iterable[ResourceSnapshot], axis: Axis) -> Iterator[Lane]:
    """A lane for each context, with bars where nobody served (`down`) and where it is not known (`blind`).

    A bar reaches from the first look that saw it so to the next look that did not.
    """
    moments: dict[str, list[tuple[float, str]]] = {}
    blind: list[float] = []
    for seen in snapshots:
        at = _at(seen.timestamp)
        blind += [at] if seen.error else []
        for context in filter(None, (seen.primary, seen.secondary)):
            moments.setdefault(context.context, []).append((at, _state(context)))
    for name, known in moments.items():
        states = sorted([*known, *((at, "blind") for at in blind)])
        spans = list(_spans(states, axis.end))
        bars = tuple(
            Bar(
                axis.place(begin, end),
                kind,
                f"{name}: {_WORDS[kind]} from {clock(begin)} for {duration(end - begin)}",
            )
            for begin, end, kind in spans
        )
        yield Lane(name, bars, _summary(spans, len(states)))


def _state(context: ContextSnapshot) -> str:
    if context.healthy is None:
        return "blind"
    return "well" if context.healthy else "down"


def _spans(states: Sequence[tuple[float, str]], last: float) -> Iterator[_Span]:
    """States that are not well, joined as long as they stay the same."""
    runs = [(state, next(run)[0]) for state, run in groupby(states, key=lambda pair: pair[1])]
    ends = [begin for _, begin in runs[1:]] + [max(last, states[-1][0])]
    for (state, begin), end in zip(runs, ends, strict=True):
        if state != "well":
            yield begin, end, state


def _summary(spans: Sequence[_Span], looks: int) -> str:
    told = count(looks, "look")
    for kind in ("down", "blind"):
        seconds = sum(end - begin for begin, end, state in spans if state == kind)
        told += f", {kind} {duration(seconds)}" if any(state == kind for _, _, state in spans) else ""
    return told


def _words(alert: Alert) -> str:
    end = _end(alert)
    until = f"to {clock(end)}" if end is not None else "and goes on"
    where = f" in {alert.context}" if alert.context else ""
    return f"{alert.alert_type} of {alert.resource}{where} from {clock(_at(alert.started))} {until}: {alert.message}"


def _end(alert: Alert) -> float | None:
    return _at(alert.ended) if alert.ended is not None else None


def _at(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()

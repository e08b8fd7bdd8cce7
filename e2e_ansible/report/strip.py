"""The strip: a test on a time axis of characters, for terminals. Pure; plain ASCII, so that it reads everywhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from e2e_ansible.judge.clients import ClientResult
from e2e_ansible.judge.result import FaultResult, TestResult
from e2e_ansible.report.axis import Axis, axis_of
from e2e_ansible.report.words import count

__all__ = ["LEGEND", "strip"]

LEGEND = "[ fault ] healed, ! a moment; . asked, x in vain, / not asked"

_MOST_FAULTS = 5
_MOST_CLIENTS = 3
_WIDEST_NAME = 22
_NARROWEST = 16


def strip(test: TestResult, width: int) -> list[tuple[str, str]]:
    """Rows of a name and its characters, together no wider than `width`; none for a test without client and fault."""
    if not test.faults and not any(client.operations for client in test.clients):
        return []
    named = list(_rows(test))
    room = min(_WIDEST_NAME, max(len(name) for name, _ in named))
    cells = width - room - 1
    if cells < _NARROWEST:
        return []
    axis = axis_of(test)
    return [(name[:room].ljust(room), row.draw(axis, cells)) for name, row in named]


class _Row:
    """Spans with their characters; later ones are drawn over earlier ones."""

    def __init__(self) -> None:
        self._spans: list[tuple[float, float | None, str, str, str]] = []

    def span(self, start: float, end: float | None, fill: str, first: str = "", last: str = "") -> None:
        """Fill from start to end, with other characters at both ends if they are given."""
        self._spans.append((start, end, fill, first or fill, last or fill))

    def draw(self, axis: Axis, cells: int) -> str:
        """The characters, without spaces at the end."""
        row = [" "] * cells
        for start, end, fill, first, last in self._spans:
            low = _cell(axis, start, cells)
            high = cells - 1 if end is None else max(low, _cell(axis, end, cells))
            row[low : high + 1] = fill * (high - low + 1)
            if end is not None and high > low:
                row[high] = last
            row[low] = first
        return "".join(row).rstrip()


class _Axis(_Row):
    def draw(self, axis: Axis, cells: int) -> str:
        text = ""
        for tick in axis.ticks:
            place = int(tick.left * (cells - 1) / 100)
            if (place > len(text) or not text) and place + len(tick.words) <= cells:
                text = text.ljust(place) + tick.words
        return text


class _Steps(_Row):
    """The number of each step where it begins; one for which there is no room is left out."""

    def __init__(self, test: TestResult) -> None:
        super().__init__()
        self._steps = [(step.started, str(step.index)) for step in test.workflow_steps if step.started]

    def draw(self, axis: Axis, cells: int) -> str:
        text = ""
        for started, number in sorted(self._steps):
            place = _cell(axis, started, cells)
            if (place > len(text) or not text) and place + len(number) <= cells:
                text = text.ljust(place) + number
        return text


def _cell(axis: Axis, moment: float, cells: int) -> int:
    return min(cells - 1, int(axis.at(moment) * cells / 100))


def _rows(test: TestResult) -> Iterator[tuple[str, _Row]]:
    yield "", _Axis()
    yield "steps", _Steps(test)
    yield from _faults(test.faults)
    clients = [client for client in test.clients if client.operations]
    for client in clients[:_MOST_CLIENTS]:
        yield from _client(client)
    if len(clients) > _MOST_CLIENTS:
        yield f"and {count(len(clients) - _MOST_CLIENTS, 'client')} more", _Row()


def _faults(faults: Iterable[FaultResult]) -> Iterator[tuple[str, _Row]]:
    rows: dict[str, _Row] = {}
    for fault in faults:
        row = rows.setdefault(f"{fault.node} {fault.fault}", _Row())
        began = fault.injected if fault.injected is not None else fault.intended
        if fault.open or fault.healed is not None:
            row.span(began, fault.healed, "=", "[", "]")
        else:
            row.span(began, began, "!")
    yield from list(rows.items())[:_MOST_FAULTS]
    if len(rows) > _MOST_FAULTS:
        yield f"and {len(rows) - _MOST_FAULTS} more", _Row()


def _client(client: ClientResult) -> Iterator[tuple[str, _Row]]:
    kinds: Sequence[str] = sorted({one.kind for one in client.outages}, reverse=True) or ("writes",)
    for kind in kinds:
        row = _Row()
        if client.started is not None:
            row.span(client.started, client.ended, ".")
        for low, high in client.blind:
            row.span(low, high, "/")
        for one in client.outages:
            if one.kind == kind:
                row.span(one.start, one.end, "x")
        yield f"{client.name} {kind}", row

"""The screen of the live view: progress as lines that fit a width and a height. Pure, but for the pen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from e2e_ansible.report.finding import check_words, failing
from e2e_ansible.report.pen import STYLES, Pen
from e2e_ansible.report.progress import RunProgress, StepProgress, TestProgress
from e2e_ansible.report.words import Mark, alert_words, count, duration, own_name, purpose
from e2e_ansible.verdict import Verdict

__all__ = ["Screen", "shares", "window"]

_TYPE_WIDTH = 16
_DETAIL_LINES = 4


def window(sizes: Sequence[int], focus: int, budget: int) -> range:
    """The entries around `focus` that fit in `budget` lines, with one line for each end that is cut off."""

    def fits(first: int, end: int) -> bool:
        if first < 0 or end > len(sizes):
            return False
        return sum(sizes[first:end]) + (first > 0) + (end < len(sizes)) <= budget

    if fits(0, len(sizes)):
        return range(len(sizes))
    first, end = focus, min(focus + 1, len(sizes))
    while True:
        wider = next((ends for ends in ((first, end + 1), (first - 1, end)) if fits(*ends)), None)
        if wider is None:
            return range(first, end)
        first, end = wider
        if fits(first - 1, end):
            first -= 1


def shares(wants: Sequence[int], budget: int) -> list[int]:
    """`budget` lines dealt out evenly; what one does not want goes to the others."""
    given = [0] * len(wants)
    for place, index in enumerate(sorted(range(len(wants)), key=wants.__getitem__)):
        given[index] = min(wants[index], budget // (len(wants) - place))
        budget -= given[index]
    return given


@dataclass(frozen=True)
class Screen:
    """Draws for one size and moment; `now` is in epoch seconds, like the times of the notices."""

    pen: Pen
    width: int
    height: int
    now: float

    def lines(self, run: RunProgress) -> list[Text]:
        """At most `height` lines, none wider than `width`."""
        footer = [*self._alerts(run), self._footer(run)] if run.started is not None else []
        room = self.height - len(footer)
        tests = list(run.running.values())
        roomy = 4 * len(tests) <= room
        body = self._blocks(tests, room) if roomy else self._compact(tests, room)
        return (body + footer)[: max(1, self.height)]

    def _blocks(self, tests: list[TestProgress], room: int) -> list[Text]:
        blocks = [self._block(test) for test in tests]
        wants = [1 + sum(len(entry) for entry in entries) for entries in blocks]
        lines: list[Text] = []
        for test, entries, budget in zip(tests, blocks, shares(wants, room - len(tests)), strict=True):
            lines += [*self._fit(test, entries, budget), Text()]
        return lines

    def _alerts(self, run: RunProgress) -> list[Text]:
        """One line for all alerts that go on."""
        if not run.alerts:
            return []
        words = ", ".join(alert_words(alert) for alert in run.alerts.values())
        left = Text.assemble(self.pen.mark(Mark.FAIL), " ", self.pen.text(words, STYLES[Mark.FAIL]))
        return [self.pen.line(left, self.pen.text(count(len(run.alerts), "alert"), "dim"), self.width)]

    def _footer(self, run: RunProgress) -> Text:
        done = sum(run.ended.values())
        counts = [f"{number} {verdict.value}" for verdict in Verdict if (number := run.ended[verdict])]
        tail = f" ({', '.join(counts)})" if counts else ""
        where = run.cycle.words if run.cycle else f"{done} of {run.tests} tests done"
        left = self.pen.text(f"run {run.run_id}: {where}{tail}", "dim")
        return self.pen.line(left, self._since(run.started), self.width)

    def _since(self, started: float | None) -> Text:
        return Text("" if started is None else duration(self.now - started), style="dim")

    def _compact(self, tests: list[TestProgress], room: int) -> list[Text]:
        shown = tests if len(tests) <= room else tests[: max(0, room - 1)]
        lines = [self._header(test, brief=True) for test in shown]
        hidden = len(tests) - len(shown)
        return lines + ([self._quiet(f"{self.pen.more} and {hidden} more tests")] if hidden else [])

    def _fit(self, test: TestProgress, entries: list[list[Text]], budget: int) -> list[Text]:
        room = budget - 1
        kept = window([len(entry) for entry in entries], test.focus, room)
        before, after = kept.start, len(entries) - kept.stop
        steps = [line for index in kept for line in entries[index]]
        top = [self._quiet(f"    {self.pen.more} {before} earlier")] if before else []
        bottom = [self._quiet(f"    {self.pen.more} {after} more")] if after else []
        steps = steps[: max(1, room - len(top) - len(bottom))]
        return [self._header(test), *(top + steps + bottom)[:room]]

    def _quiet(self, words: str) -> Text:
        return self.pen.line(self.pen.text(words, "dim"), Text(), self.width)

    def _header(self, test: TestProgress, *, brief: bool = False) -> Text:
        steps = list(test.steps.values())
        running = steps[test.focus] if steps else None
        place = f"  step {test.focus + 1} of {len(steps)}" if steps else ""
        place += f", {running.summary.phase}" if running and running.summary.phase else ""
        lead = Text.assemble(self.pen.spinner(self.now), " ") if brief else Text()
        left = Text.assemble(lead, self.pen.text(test.name, "bold"), self.pen.text(place, "dim"))
        if brief and running is not None:
            left.append_text(self.pen.text(f"  {running.summary.type}"))
        if test.message:
            left.append_text(self.pen.text(f"  {test.message}", "cyan"))
        return self.pen.line(left, self._since(test.started), self.width)

    def _block(self, test: TestProgress) -> list[list[Text]]:
        steps = list(test.steps.values())
        type_width = min(_TYPE_WIDTH, max((len(step.summary.type) for step in steps), default=0))
        number_width = len(str(len(steps)))
        return [
            [self._step(step, f"{index:>{number_width}}", type_width), *self._details(step, number_width)]
            for index, step in enumerate(steps, start=1)
        ]

    def _step(self, step: StepProgress, number: str, type_width: int) -> Text:
        mark = step.mark
        sign = self.pen.spinner(self.now) if mark is Mark.RUNNING else self.pen.mark(mark)
        style = "dim" if mark in (Mark.PENDING, Mark.SKIPPED) else "bold" if mark is Mark.RUNNING else ""
        kind = self.pen.text(step.summary.type, style)
        said = step.summary.description or own_name(step.summary.type, step.summary.id)
        kind.truncate(type_width, overflow=self.pen.overflow, pad=True)
        words = self.pen.text(purpose(said, step.summary.hosts), style)
        left = Text.assemble("  ", sign, self.pen.text(f" {number} ", "dim"), kind, " ", words)
        return self.pen.line(left, self._right(step, mark), self.width)

    def _right(self, step: StepProgress, mark: Mark) -> Text:
        if mark is Mark.RUNNING:
            elapsed = duration(self.now - (step.started or self.now))
            deadline = f" / {duration(step.deadline_seconds)}" if step.deadline_seconds else ""
            return self.pen.text(f"{elapsed}{deadline}", STYLES[mark])
        if step.result is None:
            return Text()
        took = duration(step.result.duration) if mark is not Mark.SKIPPED else ""
        return Text.assemble((took, "dim"), "  ", (f"{mark.value:<7}", STYLES[mark]))

    def _details(self, step: StepProgress, number_width: int) -> list[Text]:
        if step.mark is not Mark.RUNNING:
            return []
        lines = [self.pen.text(step.task, "dim")] if step.task else []
        if step.attempt is not None:
            bad = failing(step.attempt.checks)
            lines.append(self._attempt(step))
            shown = bad if len(bad) <= _DETAIL_LINES else bad[: _DETAIL_LINES - 1]
            sign = self.pen.mark(Mark.FAIL)
            lines += [Text.assemble(sign, " ", self.pen.text(check_words(check))) for check in shown]
            if len(bad) > len(shown):
                lines.append(self.pen.text(f"{self.pen.more} {len(bad) - len(shown)} more checks", "dim"))
        indent = " " * (number_width + 5)
        return [self.pen.line(Text.assemble(indent, line), Text(), self.width) for line in lines]

    def _attempt(self, step: StepProgress) -> Text:
        attempt = step.attempt
        if attempt is None:
            return Text()
        words = f"attempt {attempt.attempt} of {attempt.max_attempts}"
        if attempt.next_in is not None:
            left = attempt.at + attempt.next_in - self.now
            words += f", next in {duration(left)}" if left > 0 else ", looking again"
        return self.pen.text(words, STYLES[Mark.RUNNING])

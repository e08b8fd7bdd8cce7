"""The live view: what fits on a screen, and that nothing a terminal does can hurt the run."""

from __future__ import annotations

import io
import re
import time
from threading import Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_script import SAMPLES, notices, sample
from rich.cells import cell_len
from rich.console import Console

from e2e_ansible.report.live import LiveView, usable
from e2e_ansible.report.notice import Attempted, Message, Notice, RunEnded, TestEnded, TestStarted
from e2e_ansible.report.pen import Pen
from e2e_ansible.report.progress import RunProgress
from e2e_ansible.report.screen import Screen, shares, window

BEGIN = 1735732800.0


class Broken(io.StringIO):
    """A terminal that was closed after some writes."""

    def __init__(self, writes: int, error: Exception) -> None:
        super().__init__()
        self.left, self.failure = writes, error

    def write(self, text: str) -> int:
        self.left -= 1
        if self.left < 0:
            raise self.failure
        return len(text)


def terminal(
    width: int = 80, height: int = 24, *, stream: io.StringIO | None = None, no_color: bool = False
) -> Console:
    return Console(
        file=stream or io.StringIO(),
        force_terminal=True,
        width=width,
        height=height,
        no_color=no_color,
        _environ={"TERM": "xterm-256color"},
    )


def progress(*said: Notice) -> RunProgress:
    run = RunProgress()
    for notice in said:
        run.take(notice)
    return run


def until_attempt(name: str, number: int) -> list[Notice]:
    """The notices of a run up to its `number`th attempt."""
    said: list[Notice] = []
    for notice in notices(sample(name)):
        said.append(notice)
        number -= isinstance(notice, Attempted)
        if not number:
            break
    return said


def screen(
    said: list[Notice], *, width: int = 80, height: int = 24, later: float = 1, ascii_only: bool = False
) -> str:
    now = said[-1].at + later
    lines = Screen(Pen(ascii_only=ascii_only), width=width, height=height, now=now).lines(progress(*said))
    assert len(lines) <= height
    assert all(cell_len(line.plain) <= width for line in lines)
    return "\n".join(line.plain.rstrip() for line in lines)


def test_a_running_step_shows_time_deadline_attempt_and_failing_checks() -> None:
    text = screen(until_attempt("failing_check", 2))
    assert "  ✓ 4 crash_node Crash the primary n11" in text
    assert "1.0s / 10m" in text
    assert "attempt 1 of 5, next in 3.0s" in text
    assert "✗ cluster_degraded failed after 5 attempts: no node accepts writes" in text
    assert "node_status:n12:running" not in text, "a check that passed is no news"
    assert "  · 6 start_node Start n11 again" in text
    assert "run 20250101-120000-7c1e: 0 of 1 tests done" in text


def test_elapsed_times_tick() -> None:
    said = until_attempt("failing_check", 2)
    assert "3.0s / 10m" in screen(said, later=3)
    assert "looking again" in screen(said, later=5)


def test_ascii_terminals_get_ascii() -> None:
    for width in (20, 80):
        assert screen(until_attempt("failing_check", 2), width=width, ascii_only=True).isascii()


def test_a_long_test_is_shown_around_its_running_step() -> None:
    said = until_attempt("failing_check", 2)
    long: list[Notice] = []
    for notice in said:
        if isinstance(notice, TestStarted):
            more = tuple(notice.steps[6].model_copy(update={"id": f"{n:02}-more"}) for n in range(8, 60))
            notice = notice.model_copy(update={"steps": notice.steps + more})  # noqa: PLW2901
        long.append(notice)
    text = screen(long, height=12)
    assert "… 2 earlier" in text or "… 3 earlier" in text
    assert re.search(r"… \d+ more", text)
    assert " 5 validate" in text
    assert "attempt 1 of 5" in text


def test_too_many_tests_take_one_line_each() -> None:
    said = until_attempt("parallel", 1)
    start = next(notice for notice in said if isinstance(notice, TestStarted))
    said += [start.model_copy(update={"test": f"t{number}"}) for number in range(12)]
    text = screen(said, height=8)
    assert "reboot_standby  step 3 of 6  validate" in text
    assert "… and 7 more tests" in text


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(SAMPLES),
    st.integers(1, 60),
    st.integers(1, 140),
    st.integers(1, 50),
    st.booleans(),
)
def test_the_screen_always_fits(name: str, number: int, width: int, height: int, ascii_only: bool) -> None:
    said = list(notices(sample(name)))[:number]
    started = [notice for notice in said if not isinstance(notice, TestEnded | RunEnded)]
    screen(started, width=width, height=height, ascii_only=ascii_only)


@given(st.lists(st.integers(1, 6), min_size=1, max_size=30), st.integers(0, 29), st.integers(1, 40))
def test_a_window_holds_the_focus_and_fits(sizes: list[int], focus: int, budget: int) -> None:
    focus %= len(sizes)
    kept = window(sizes, focus, budget)
    assert focus in kept
    cut = (kept.start > 0) + (kept.stop < len(sizes))
    assert sum(sizes[index] for index in kept) + cut <= budget or len(kept) == 1


@given(st.lists(st.integers(0, 50), max_size=10), st.integers(0, 100))
def test_shares_never_exceed_budget_or_wish(wants: list[int], budget: int) -> None:
    given_out = shares(wants, budget)
    assert sum(given_out) <= budget
    assert all(share <= want for share, want in zip(given_out, wants, strict=True))
    assert sum(given_out) == min(budget, sum(wants))


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("width", [80, 120])
def test_a_run_leaves_its_outcome_and_the_cursor(name: str, width: int) -> None:
    stream = io.StringIO()
    view = LiveView(terminal(width, stream=stream), now=lambda: BEGIN + 5)
    with view:
        for notice in notices(sample(name)):
            view(notice)
    text = stream.getvalue()
    assert view.error is None
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")
    ended = [f"{test.name}  {test.verdict.value.upper()}" for test in sample(name).tests]
    several = len(ended) + len(sample(name).not_run) > 1
    plain = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", text)
    assert all((line in plain) is several for line in ended), "of a single test the summary says it"
    assert "n12 does not answer" in text


def test_what_is_settled_keeps_to_the_width_and_is_not_broken_in_words() -> None:
    stream = io.StringIO()
    with LiveView(terminal(60, stream=stream, no_color=True), now=lambda: BEGIN + 5) as view:
        for notice in notices(sample("failing_task")):
            view(notice)
        view(
            Message(
                at=BEGIN, level="warning", text="interrupted: ending the step, collecting logs, cleaning up"
            )
        )
    lines = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", stream.getvalue()).splitlines()
    assert any(line.startswith("    step 2 deploy fail: ") and line.endswith("…") for line in lines)
    assert any(
        line.rstrip() == "interrupted: ending the step, collecting logs, cleaning up" for line in lines
    )


def test_an_echoed_interrupt_fits_on_the_last_line() -> None:
    stream = io.StringIO()
    with LiveView(terminal(80, stream=stream, no_color=True), now=lambda: BEGIN + 5) as view:
        for notice in until_attempt("failing_check", 2):
            view(notice)
    footers = [line for line in re.split(r"[\r\n]", stream.getvalue()) if "tests done" in line]
    plain = [re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", line) for line in footers]
    assert plain
    assert all(cell_len(line) <= 78 for line in plain)


def test_verbose_tells_which_step_the_output_belongs_to() -> None:
    stream = io.StringIO()
    with LiveView(terminal(stream=stream, no_color=True), verbose=True, now=lambda: BEGIN) as view:
        for notice in notices(sample("all_pass")):
            view(notice)
    text = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", stream.getvalue()).replace("\r", "\n")
    assert re.search(r"^step 1/\d+ init", text, re.MULTILINE)
    assert re.search(r"^step 1/\d+ init: PASS after", text, re.MULTILINE)


def test_without_colour_there_are_no_colours() -> None:
    stream = io.StringIO()
    with LiveView(terminal(stream=stream, no_color=True), now=lambda: BEGIN) as view:
        for notice in notices(sample("parallel")):
            view(notice)
    assert not re.search(r"\x1b\[[\d;]*\b(3[0-7]|9[0-7]|4[0-7])m", stream.getvalue())


def test_output_is_shown_only_when_asked() -> None:
    for verbose in (False, True):
        stream = io.StringIO()
        with LiveView(terminal(stream=stream), verbose=verbose, now=lambda: BEGIN) as view:
            for notice in notices(sample("all_pass")):
                view(notice)
        assert ("TASK [next]" in stream.getvalue()) is verbose


@pytest.mark.parametrize("writes", [0, 1, 7])
@pytest.mark.parametrize(
    "error", [OSError(5, "Input/output error"), ValueError("closed"), BrokenPipeError(32, "x")]
)
def test_a_broken_terminal_never_raises(
    writes: int, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Console, "on_broken_pipe", lambda _: (_ for _ in ()).throw(SystemExit(1)))
    view = LiveView(terminal(stream=Broken(writes, error)), now=lambda: BEGIN)
    with view:
        for notice in notices(sample("failing_check")):
            view(notice)
    assert view.error is not None


def test_notices_may_come_from_many_threads_and_in_any_order() -> None:
    said = list(notices(sample("parallel")))
    view = LiveView(terminal(), now=time.time)
    with view:
        threads = [
            Thread(target=lambda part: [view(one) for one in part], args=(said[n::4][::-1],))
            for n in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert view.error is None


def test_an_interrupt_passes_and_restores_the_cursor() -> None:
    stream = io.StringIO()
    with pytest.raises(KeyboardInterrupt), LiveView(terminal(stream=stream)) as view:
        view(next(notices(sample("all_pass"))))
        raise KeyboardInterrupt
    assert stream.getvalue().rindex("\x1b[?25h") > stream.getvalue().rindex("\x1b[?25l")


def test_a_hostile_message_is_only_text() -> None:
    stream = io.StringIO()
    with LiveView(terminal(stream=stream, no_color=True), now=lambda: BEGIN) as view:
        view(Message(at=BEGIN, level="error", text="[red]x[/] \x1b[2J\x1b]0;t\x07 [/nothing]"))
    assert "[red]x[/]  [/nothing]" in stream.getvalue()
    assert "\x1b[2J" not in stream.getvalue()


def test_a_pipe_is_not_usable() -> None:
    assert not usable(Console(file=io.StringIO()))
    assert not usable(Console(file=io.StringIO(), force_terminal=True, _environ={"TERM": "dumb"}))
    assert usable(terminal())

"""Everyone hears everything, one notice at a time, and nobody who listens can end a run."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from run_replay import PaperNodes, Replay, plan_of

from e2e_ansible.report.notice import Message, Notice
from e2e_ansible.run.context import Megaphone
from e2e_ansible.run.session import run_plans


def message(text: str = "hello") -> Message:
    return Message(at=1.0, text=text)


class Ear:
    """A listener that remembers, and raises at one text."""

    def __init__(self, hates: str | None = None) -> None:
        self.heard: list[str] = []
        self._hates = hates

    def __call__(self, notice: Notice) -> None:
        assert isinstance(notice, Message)
        self.heard.append(notice.text)
        if notice.text == self._hates:
            raise RuntimeError("no more")


def test_everyone_hears_everything_in_order() -> None:
    ears = [Ear(), Ear()]
    tell = Megaphone(ears)
    for text in "abc":
        tell(message(text))
    assert [ear.heard for ear in ears] == [[*"abc"], [*"abc"]]


def test_one_that_raises_is_told_nothing_more_and_the_others_are_told_so() -> None:
    before, bad, after = Ear(), Ear(hates="b"), Ear()
    tell = Megaphone([before, bad, after])
    for text in "abc":
        tell(message(text))
    complaint = "Ear failed and is told nothing more: RuntimeError: no more"
    assert before.heard == after.heard == ["a", "b", complaint, "c"]
    assert bad.heard == ["a", "b"]


def test_one_that_raises_at_the_complaint_goes_as_well() -> None:
    complaint = "Ear failed and is told nothing more: RuntimeError: no more"
    one, other, good = Ear(hates="a"), Ear(hates=complaint), Ear()
    tell = Megaphone([one, other, good])
    tell(message("a"))
    tell(message("b"))
    assert good.heard == ["a", complaint, complaint, "b"]
    assert (one.heard, other.heard) == (["a"], ["a", complaint])


def test_listeners_come_and_go() -> None:
    ear = Ear()
    tell = Megaphone([])
    tell(message("before"))
    tell.add(ear)
    tell(message("between"))
    tell.remove(ear)
    tell.remove(ear)
    tell(message("after"))
    assert ear.heard == ["between"]


def test_no_two_notices_at_once() -> None:
    inside = threading.Semaphore(1)
    clashes: list[str] = []

    def listen(notice: Notice) -> None:
        if not inside.acquire(blocking=False):
            clashes.append("two at once")
            return
        inside.release()

    tell = Megaphone([listen])

    def speak() -> None:
        for _ in range(300):
            tell(message())

    threads = [threading.Thread(target=speak) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clashes == []


def test_no_view_can_end_a_run(tmp_path: Path) -> None:
    def broken(notice: Notice) -> None:
        raise ValueError(notice.kind)

    heard: list[str] = []

    def listen(notice: Notice) -> None:
        heard.append(notice.text if isinstance(notice, Message) else notice.kind)

    result, _ = run_plans(
        [plan_of("failing_command")],
        runs=tmp_path,
        engine=Replay("failing_command"),
        provider=lambda name: PaperNodes(),
        listeners=[broken, listen],
    )
    assert heard[:2] == ["run_started", "broken failed and is told nothing more: ValueError: run_started"]
    assert heard[-2:] == ["test_ended", "run_ended"]
    assert (result.verdict, result.cause) == ("fail", "product")


@pytest.mark.parametrize("kind", ["run_started", "test_started", "step_started", "step_ended", "test_ended"])
def test_a_view_that_ends_in_the_middle_changes_no_result(tmp_path: Path, kind: str) -> None:
    def broken(notice: Notice) -> None:
        if notice.kind == kind:
            raise SystemError

    result, _ = run_plans(
        [plan_of("failing_command")],
        runs=tmp_path,
        engine=Replay("failing_command"),
        provider=lambda name: PaperNodes(),
        listeners=[broken],
    )
    assert (result.verdict, result.cause, result.tests[0].clean_up) == (
        "fail",
        "product",
        "nothing was left to remove",
    )

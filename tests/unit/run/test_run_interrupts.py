"""The first signal ends the step, collects and cleans up; the second leaves all as it is."""

from __future__ import annotations

import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from run_replay import PaperNodes, Replay, plan_of, replay

from e2e_ansible.deadline import Deadline
from e2e_ansible.engine.event import Event
from e2e_ansible.engine.protocol import Cancel, Outcome, PlayRequest
from e2e_ansible.judge.entry import Interrupted
from e2e_ansible.report.notice import Message, Notice, StepStarted
from e2e_ansible.run.context import Megaphone, RunContext, RunOptions
from e2e_ansible.run.folder import TestFolder, manifest_tests
from e2e_ansible.run.interrupts import interrupts
from e2e_ansible.run.journal import read_journal
from e2e_ansible.run.plan_folder import write_plan
from e2e_ansible.run.reading import read_run
from e2e_ansible.run.workflow_run import run_test
from e2e_ansible.verdict import Cause, Status, Verdict

WAIT = 20
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """The handlers of pytest are there again whatever happens."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    assert {number: signal.getsignal(number) for number in SIGNALS} == before


@pytest.mark.parametrize("number", SIGNALS)
def test_once_is_a_cancel_and_twice_is_to_leave_all_as_it_is(number: signal.Signals) -> None:
    cancel, abandon = Cancel(), Cancel()
    said: queue.Queue[str] = queue.Queue()
    with interrupts(cancel, abandon, said.put):
        os.kill(os.getpid(), number)
        assert cancel.wait(WAIT)
        assert not abandon.is_set
        assert said.get(timeout=WAIT).startswith("interrupted: ending the step")
        os.kill(os.getpid(), number)
        assert abandon.wait(WAIT)
        assert said.get(timeout=WAIT) == "interrupted again: everything is left as it is"


def test_one_who_speaks_may_be_interrupted() -> None:
    """The signal comes while this very thread holds the lock of who is told."""
    lock, cancel = threading.Lock(), Cancel()
    said: queue.Queue[str] = queue.Queue()

    def tell(text: str) -> None:
        if lock.acquire(timeout=2):
            lock.release()
            said.put(text)

    with interrupts(cancel, Cancel(), tell):
        with lock:
            os.kill(os.getpid(), signal.SIGINT)
            assert cancel.wait(WAIT)
        assert said.get(timeout=WAIT)


def test_a_signal_that_was_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    cancel = Cancel()
    try:
        with interrupts(cancel, Cancel(), lambda text: None):
            os.kill(os.getpid(), signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert not cancel.is_set
    finally:
        signal.signal(signal.SIGHUP, before)


def test_handlers_come_back_after_an_error() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyError), interrupts(Cancel(), Cancel(), lambda text: None):
        assert signal.getsignal(signal.SIGTERM) is not before
        raise KeyError
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_thread_changes_nothing() -> None:
    before = signal.getsignal(signal.SIGINT)
    seen = []

    def work() -> None:
        with interrupts(Cancel(), Cancel(), lambda text: None):
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]


# in a run


def at(playbook: str, act: Callable[[Cancel], None]) -> Callable[[PlayRequest, Cancel], None]:
    """Act when this playbook is about to be run."""

    def before(request: PlayRequest, cancel: Cancel) -> None:
        if playbook in request.playbook:
            act(cancel)

    return before


def interrupt(cancel: Cancel) -> None:
    """One signal, and what it does."""
    os.kill(os.getpid(), signal.SIGINT)
    assert cancel.wait(WAIT)


def test_an_interrupted_test_collects_and_cleans_up(tmp_path: Path) -> None:
    nodes = PaperNodes()
    engine = Replay("failing_check", "slow_command", before=at("03-stop-node", interrupt))
    done = replay(tmp_path, "failing_check", "slow_command", engine=engine, nodes=nodes)
    (test,) = done.result.tests
    assert [step.status for step in test.workflow_steps[1:4]] == [
        Status.COMPLETED,
        Status.INTERRUPTED,
        Status.SKIPPED,
    ]
    assert (test.verdict, test.cause, test.kept) == (Verdict.UNKNOWN, Cause.INTERRUPT, False)
    assert (test.evidence, nodes.left) == (("evidence",), [])
    assert engine.playbooks[-1] == "playbooks/collect-logs.yml"
    assert (done.result.exit_code, done.result.not_run) == (130, ("slow_command",))
    assert read_run(done.folder) == done.result


def test_interrupted_when_a_step_has_begun_its_playbook_is_not_run(tmp_path: Path) -> None:
    def listen(notice: Notice) -> None:
        if isinstance(notice, StepStarted) and notice.step == "02-deploy":
            context.cancel.set()

    engine, plan = Replay("failing_check"), plan_of("failing_check")
    context = RunContext(
        run_id="run-1",
        engine=engine,
        options=RunOptions(),
        environment={},
        tell=Megaphone([listen]),
        provider=lambda name: PaperNodes(),
    )
    (entry,) = manifest_tests(context.run_id, [plan])
    folder = TestFolder(tmp_path)
    write_plan(plan, folder.plan)
    result = run_test(context, plan, entry, folder)
    assert (result.verdict, result.cause) == (Verdict.UNKNOWN, Cause.INTERRUPT)
    assert [step.status for step in result.workflow_steps[:3]] == [
        Status.COMPLETED,
        Status.INTERRUPTED,
        Status.SKIPPED,
    ]
    assert engine.playbooks == ["playbooks/01-init.yml"]


def test_interrupted_between_two_looks_no_other_look_is_taken(tmp_path: Path) -> None:
    engine = Replay("failing_check", before=at("04-validate", interrupt))
    done = replay(tmp_path, "failing_check", engine=engine)
    assert engine.playbooks.count("playbooks/04-validate.yml") == 1
    assert done.result.cause is Cause.INTERRUPT


def test_interrupted_twice_all_is_left_as_it_is(tmp_path: Path) -> None:
    def twice(cancel: Cancel) -> None:
        interrupt(cancel)
        os.kill(os.getpid(), signal.SIGINT)
        assert Deadline(WAIT).wait_for(lambda: "interrupted again" in "".join(said))

    def listen(notice: Notice) -> None:
        if isinstance(notice, Message):
            said.append(notice.text)

    said: list[str] = []
    nodes = PaperNodes(tell=listen)
    engine = Replay("failing_check", before=at("03-stop-node", twice))
    done = replay(tmp_path, "failing_check", engine=engine, nodes=nodes)
    (test,) = done.result.tests
    assert (test.verdict, test.cause, test.kept, test.evidence) == (
        Verdict.UNKNOWN,
        Cause.INTERRUPT,
        True,
        (),
    )
    assert nodes.left == [test.deployment_id]
    assert "playbooks/collect-logs.yml" not in engine.playbooks
    assert test.clean_up == f"interrupted twice: deployment {test.deployment_id} was left as it is"


def test_interrupted_between_two_steps(tmp_path: Path) -> None:
    """The step that runs comes to its end by itself; the next one does not begin."""

    class Ends(Replay):
        def run(self, request: PlayRequest, on_event: Callable[[Event], None], cancel: Cancel) -> Outcome:
            outcome = super().run(request, on_event, cancel)
            if "02-deploy" in request.playbook:
                interrupt(cancel)
            return outcome

    done = replay(tmp_path, "failing_check", engine=Ends("failing_check"))
    (test,) = done.result.tests
    assert (test.verdict, test.error) == (Verdict.UNKNOWN, "interrupted before 03-stop-node")
    (folder,) = done.tests
    assert any(isinstance(entry, Interrupted) for entry in read_journal(folder.journal))


def test_one_who_waits_for_the_cancel_may_be_interrupted() -> None:
    """The signal comes while this very thread holds the lock of the cancel, as every wait does for a moment."""
    cancel, abandon = Cancel(), Cancel()

    def late(number: int, frame: object) -> None:
        raise TimeoutError("the handler waits for the thread that it interrupted")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, WAIT)
    try:
        with interrupts(cancel, abandon, lambda text: None):
            with cancel._event._cond:
                os.kill(os.getpid(), signal.SIGINT)
            assert cancel.wait(WAIT)
            with abandon._event._cond:
                os.kill(os.getpid(), signal.SIGINT)
            assert abandon.wait(WAIT)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

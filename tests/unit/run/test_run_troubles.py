"""Whatever fails around a test becomes part of its result: no traceback, no pass, and the nodes are removed."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest
from rich.console import Console
from run_limits import files_end_at
from run_replay import PaperNodes, PaperWriter, Replay, Replayed, plan_of, replay

from e2e_ansible.checks.registry import isolated, validation_registry
from e2e_ansible.compile.plan import Plan
from e2e_ansible.engine.protocol import Cancel, PlayRequest
from e2e_ansible.errors import HarnessError, InfrastructureError
from e2e_ansible.judge.entry import AttemptEnded, Trouble
from e2e_ansible.judge.result import TestResult
from e2e_ansible.oracle.ranges import Ranges
from e2e_ansible.providers.base import Node
from e2e_ansible.report.notice import Attempted, Notice, Output, RunStarted, TaskStarted
from e2e_ansible.report.summary import print_summary
from e2e_ansible.run.clean_up import destroy_run
from e2e_ansible.run.folder import RunFolder
from e2e_ansible.run.journal import read_journal
from e2e_ansible.run.reading import read_run
from e2e_ansible.run.trouble import trouble_of
from e2e_ansible.suite.model import Retry
from e2e_ansible.verdict import Cause, Status, Verdict

ROOT = Path(__file__).parents[3]
INFRASTRUCTURE = (Verdict.FAIL, Cause.INFRASTRUCTURE)
HARNESS = (Verdict.FAIL, Cause.HARNESS)


def at(playbook: str, act: Callable[[], object]) -> Callable[[PlayRequest, Cancel], None]:
    """Act when this playbook is about to be run."""

    def before(request: PlayRequest, cancel: Cancel) -> None:
        if playbook in request.playbook:
            act()

    return before


def raising(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def the_test(done: Replayed) -> TestResult:
    (test,) = done.result.tests
    return test


ERRORS: dict[str, tuple[Exception, tuple[Verdict, Cause], str]] = {
    "of ours": (HarnessError("odd"), HARNESS, "odd"),
    "of machines": (InfrastructureError("no network"), INFRASTRUCTURE, "no network"),
    "of a disk": (
        OSError(28, "No space left on device"),
        INFRASTRUCTURE,
        "[Errno 28] No space left on device",
    ),
    "that nobody expected": (KeyError("x"), HARNESS, "KeyError: 'x'"),
    "with words of machines": (
        RuntimeError("connection refused"),
        INFRASTRUCTURE,
        "RuntimeError: connection refused",
    ),
}


@pytest.mark.parametrize(("error", "verdict", "text"), ERRORS.values(), ids=ERRORS)
def test_an_error_in_a_step_is_the_result_of_the_step(
    tmp_path: Path, error: Exception, verdict: tuple[Verdict, Cause], text: str
) -> None:
    nodes = PaperNodes()
    engine = Replay("failing_check", before=at("03-stop-node", raising(error)))
    done = replay(tmp_path, "failing_check", engine=engine, nodes=nodes)
    test = the_test(done)
    assert (test.verdict, test.cause) == verdict
    assert test.error == f"03-stop-node: {text}"
    assert [step.status for step in test.workflow_steps[2:]] == [
        Status.FAILED,
        Status.SKIPPED,
        Status.SKIPPED,
    ]
    assert (test.evidence, nodes.left) == (("evidence",), [])
    assert read_run(done.folder) == done.result


def test_what_an_error_tells_to_do_is_in_every_report(tmp_path: Path) -> None:
    error = InfrastructureError("no room\n" * 100 + "at all", hint="make room: <df -h>")
    engine = Replay("failing_check", before=at("03-stop-node", raising(error)))
    done = replay(tmp_path, "failing_check", engine=engine)
    assert str(the_test(done).error).endswith("at all\nhint: make room: <df -h>")
    stream = io.StringIO()
    print_summary(Console(file=stream, width=100), done.result, "runs/r")
    assert "hint: make room: <df -h>" in stream.getvalue()
    page = (done.folder.path / "report.html").read_text()
    assert "hint: make room: &lt;df -h&gt;" in page
    assert "hint: make room: &lt;df -h&gt;" in (done.folder.path / "junit.xml").read_text()


def test_an_error_that_tells_nothing_to_do_has_no_such_line() -> None:
    assert trouble_of(InfrastructureError("no room"), 1.0).message == "no room"
    assert trouble_of(OSError("no room"), 1.0).message == "no room"
    assert trouble_of(HarnessError("odd", hint="look \ud800"), 1.0).message == "odd\nhint: look \ufffd"


def test_an_error_while_logs_are_collected_is_no_reason_to_keep_the_nodes(tmp_path: Path) -> None:
    nodes = PaperNodes()
    engine = Replay("bad_setting", before=at("collect-logs", raising(KeyError("x"))))
    done = replay(tmp_path, "bad_setting", engine=engine, nodes=nodes)
    assert (the_test(done).verdict, the_test(done).cause) == (Verdict.FAIL, Cause.PRODUCT)
    assert nodes.left == []
    (folder,) = done.tests
    (trouble,) = (entry for entry in read_journal(folder.journal) if isinstance(entry, Trouble))
    assert trouble.message == "KeyError: 'x'"
    assert "KeyError: 'x'" in done.said()


def test_a_provider_that_raises_at_the_end_spoils_a_pass(tmp_path: Path) -> None:
    class Odd(PaperNodes):
        def deployments(self) -> Sequence[str]:
            raise ValueError("what")

    test = the_test(replay(tmp_path, "survives", nodes=Odd()))
    assert (test.verdict, test.cause, test.error) == (*HARNESS, "ValueError: what")


# the writer


class Dies(PaperWriter):
    """A writer that does not start."""

    def start(self, nodes: Sequence[Node]) -> None:
        raise HarnessError("the writer did not start")


class Silent(PaperWriter):
    """A writer that has ended by itself."""

    @contextmanager
    def still(self) -> Iterator[Ranges | None]:
        if self.starts:
            raise HarnessError("the writer does not answer")
        yield None


class Stuck(PaperWriter):
    """A writer that cannot be stopped."""

    def stop(self) -> None:
        raise OSError("it would not go")


WRITERS = [
    (Dies, HARNESS, "02-deploy: the writer did not start"),
    (Silent, HARNESS, "03-validate: the writer does not answer"),
    (Stuck, INFRASTRUCTURE, "it would not go"),
]


@pytest.mark.parametrize(("writer", "verdict", "text"), WRITERS)
def test_a_writer_that_fails_is_never_a_pass(
    tmp_path: Path,
    writer: type[PaperWriter],
    verdict: tuple[Verdict, Cause],
    text: str,
) -> None:
    done = replay(tmp_path, "survives", writer=writer)
    test = the_test(done)
    assert (test.verdict, test.cause, test.error) == (*verdict, text)
    assert read_run(done.folder) == done.result


# a full disk


@pytest.mark.parametrize("size", [0, 100, 1_000, 2_000, 5_000, 20_000])
def test_a_disk_that_fills_up_is_never_a_pass(tmp_path: Path, size: int) -> None:
    """From the first step on no file grows beyond `size`; the test still ends, and its nodes are removed."""
    nodes = PaperNodes()
    with ExitStack() as disk:
        fill = partial(disk.enter_context, files_end_at(size))
        engine = Replay("survives", before=at("01-init", fill))
        with suppress(InfrastructureError):  # of the reports at the end
            replay(tmp_path, "survives", engine=engine, nodes=nodes)
    (result,) = nodes.results
    assert (result.verdict, result.cause) == INFRASTRUCTURE
    assert "File too large" in (result.error or "")
    (run,) = tmp_path.iterdir()
    later = read_run(RunFolder(run))
    assert later.verdict is not Verdict.PASS
    assert not (run / "tests" / "survives" / "result.json").exists() or later.tests == (result,)


def test_a_disk_that_fills_up_keeps_no_nodes(tmp_path: Path) -> None:
    nodes = PaperNodes()
    with ExitStack() as disk, suppress(InfrastructureError):
        engine = Replay("failing_check", before=at("03-stop", partial(disk.enter_context, files_end_at(10))))
        replay(tmp_path, "failing_check", engine=engine, nodes=nodes)
    assert nodes.left == []
    assert (nodes.results[0].verdict, nodes.results[0].cause) == INFRASTRUCTURE


def test_reports_that_cannot_be_written_are_told_with_the_place(tmp_path: Path) -> None:
    nodes = PaperNodes()
    with ExitStack() as disk:
        engine = Replay("slow_command", before=at("01-", partial(disk.enter_context, files_end_at(5_000))))
        with pytest.raises(
            InfrastructureError, match=r"the run folder .* cannot be written: .*File too large"
        ):
            replay(tmp_path, "slow_command", engine=engine, nodes=nodes)
    (run,) = tmp_path.iterdir()
    assert read_run(RunFolder(run)).tests == tuple(nodes.results)


def test_a_test_whose_files_cannot_be_opened_has_not_begun(tmp_path: Path) -> None:
    def spoil(notice: Notice) -> None:
        if isinstance(notice, RunStarted):
            (Path(notice.folder) / "tests" / "failing-check" / "journal.jsonl").mkdir()

    nodes = PaperNodes(tell=spoil)
    engine = Replay("failing_check", "slow_command")
    done = replay(tmp_path, "failing_check", "slow_command", engine=engine, nodes=nodes)
    first, second = done.result.tests
    assert (first.verdict, first.cause) == INFRASTRUCTURE
    assert "Is a directory" in (first.error or "")
    assert (second.verdict, second.cause) == (Verdict.FAIL, Cause.PRODUCT), "others are run"
    assert engine.playbooks == ["playbooks/01-custom-command.yml"]


# what later steps and later judges need


def test_output_of_a_step_reaches_later_ones_as_text_that_is_no_template(tmp_path: Path) -> None:
    done = replay(tmp_path, "survives")
    (folder,) = done.tests
    kept = json.loads((folder.plan / "registered.json").read_text())["e2e_registered"]["who"]
    (step,) = (step for step in the_test(done).workflow_steps if step.registered)
    assert step.registered is not None
    assert kept["stdout"] == {"__ansible_unsafe": step.registered["stdout"]}
    assert kept["rc"] == 0


def custom_check(plan: Plan, name: str) -> Plan:
    """The plan with one check of its own in its look, taken once."""
    steps = []
    for step in plan.steps:
        changes: dict[str, object] = {}
        if step.judgement.observes:
            judgement = step.judgement.model_copy(
                update={"checks": (name,), "allow_failures": (), "retry": Retry(max_attempts=1)}
            )
            changes = {"judgement": judgement}
        steps.append(step.model_copy(update=changes))
    return plan.model_copy(update={"steps": tuple(steps)})


def test_what_a_check_of_ones_own_said_is_kept_for_judges_without_its_code(tmp_path: Path) -> None:
    plan = custom_check(plan_of("failing_check"), "enough")
    seen: list[object] = []

    def enough(context: object) -> bool:
        seen.append(context)
        return False

    with isolated():
        validation_registry.register("enough", "there is enough", enough, allow_failure=False)
        done = replay(tmp_path, "failing_check", plans=[plan])
    assert len(seen) == 1
    test = the_test(done)
    assert (test.verdict, test.cause) == (Verdict.FAIL, Cause.PRODUCT)
    assert read_run(done.folder) == done.result
    (folder,) = done.tests
    (said,) = (
        entry.custom
        for entry in read_journal(folder.journal)
        if isinstance(entry, AttemptEnded) and entry.custom
    )
    assert said["enough"].passed is False


def test_a_check_that_nobody_knows_is_trouble_of_the_harness(tmp_path: Path) -> None:
    with isolated():
        done = replay(tmp_path, "failing_check", plans=[custom_check(plan_of("failing_check"), "nobodys")])
    test = the_test(done)
    assert (test.verdict, test.cause) == HARNESS
    assert "nobodys" in (test.error or "")
    assert read_run(done.folder) == done.result


def test_looks_are_told_while_they_are_taken(tmp_path: Path) -> None:
    done = replay(tmp_path, "failing_check")
    looks = [notice for notice in done.notices if isinstance(notice, Attempted)]
    assert [(look.attempt, look.max_attempts, look.next_in is None) for look in looks] == [
        (1, 2, False),
        (2, 2, True),
    ]
    tasks = [notice for notice in done.notices if isinstance(notice, TaskStarted)]
    assert {task.step for task in tasks} >= {"01-init", "04-validate"}
    assert any(isinstance(notice, Output) and "PLAY" in notice.text for notice in done.notices)


# a real kill

VICTIM = """
import os, signal, sys
from pathlib import Path
from run_replay import Replay, replay

def kill(request, cancel):
    if "04-validate" in request.playbook:
        os.kill(os.getpid(), signal.SIGKILL)

replay(Path(sys.argv[1]), "failing_check", engine=Replay("failing_check", before=kill))
"""


def test_a_run_that_was_killed_is_read_as_far_as_it_came(tmp_path: Path) -> None:
    paths = os.pathsep.join([str(ROOT), str(Path(__file__).parent)])
    code = subprocess.run(
        [sys.executable, "-c", VICTIM, str(tmp_path)], env={**os.environ, "PYTHONPATH": paths}, check=False
    ).returncode
    assert code == -signal.SIGKILL
    (run,) = (RunFolder(path) for path in tmp_path.iterdir())
    result = read_run(run)
    assert (result.verdict, result.cause, result.finished) == (Verdict.UNKNOWN, Cause.HARNESS, False)
    (test,) = result.tests
    assert test.error == "04-validate: the run was killed in this step"
    assert [step.verdict for step in test.workflow_steps] == ["pass", "pass", "pass", "unknown", None]
    assert destroy_run(run, lambda name: PaperNodes(), at=1.0) == ["nothing was left to remove"]
    assert not Path(run.manifest().scratch).exists()

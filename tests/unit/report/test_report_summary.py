"""The summary and the error output: one screen that says what came out, why, and what to do next."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from report_script import SAMPLES, sample
from rich.console import Console

from e2e_ansible.errors import Problem, ProviderError, SuiteError
from e2e_ansible.judge.result import RunResult, StepResult
from e2e_ansible.report.finding import findings
from e2e_ansible.report.narration import Narration
from e2e_ansible.report.notice import TestEnded
from e2e_ansible.report.problems import print_problems
from e2e_ansible.report.summary import print_summary


def summary(result: RunResult, *, width: int = 80, verbose: bool = False) -> str:
    stream = io.StringIO()
    print_summary(Console(file=stream, width=width), result, f"runs/{result.run_id}", verbose=verbose)
    return stream.getvalue()


def problems(error: SuiteError | ProviderError, *, width: int = 80) -> str:
    stream = io.StringIO()
    print_problems(Console(file=stream, width=width), error)
    return stream.getvalue()


@pytest.mark.parametrize("name", SAMPLES)
def test_a_summary_is_one_screen_with_verdict_and_next_command(name: str) -> None:
    result = sample(name)
    text = summary(result)
    lines = text.splitlines()
    assert len(lines) <= 40
    assert all(len(line) <= 80 for line in lines if "e2e-ansible" not in line), "commands are never broken"
    assert result.verdict.value.upper() in text
    assert f"runs/{result.run_id}/report.html" in text
    assert (f"e2e-ansible rerun {result.run_id} --failed" in text) is (name != "all_pass")
    assert summary(result) == text


def test_a_failing_check_is_told_with_what_was_seen_and_where_to_look() -> None:
    text = " ".join(summary(sample("failing_check")).split())
    assert "step 5 validate: FAIL, product: the cluster under test" in text
    assert "cluster_degraded failed after 5 attempts: no node accepts writes: n12 is a standby" in text
    assert "data_integrity was not decided" in text
    assert "allowed admin_ui_accessible failed" in text
    assert "log steps/05-validate/ansible.log" in text
    assert "logs in evidence/n11 evidence/n12 evidence/n13" in text


def test_a_failing_task_is_told_with_both_lines() -> None:
    text = summary(sample("failing_task"))
    assert "n13 failed in 'Start PostgreSQL' (role postgresql)" in text
    assert "plan/playbooks/02-deploy.yml:12" in text
    assert "suites/failsafety.yaml:26" in text
    assert "Not run: second_test" in text


def test_an_error_that_only_repeats_checks_or_a_task_is_told_once() -> None:
    result = sample("failing_check")
    step = result.tests[0].workflow_steps[4]
    bad = [check for check in step.validation_results if check.passed is not True and not check.allow_failure]
    said = step.model_copy(update={"error": "\n".join(f"{check.check}: {check.message}" for check in bad)})
    assert "error" in labels(step)
    assert labels(said) == [label for label in labels(step) if label != "error"]
    failed = sample("failing_task").tests[0].workflow_steps[1]
    first = failed.failures[0]
    said = failed.model_copy(
        update={"error": f"{first.host}: {first.task!r} failed: {first.message}"},
    )
    assert "error" not in labels(said)
    other = said.model_copy(update={"error": f"{first.host}: something else"})
    assert "error" in labels(other)


def labels(step: StepResult) -> list[str]:
    return [finding.label for finding in findings(step)]


@pytest.mark.parametrize(
    ("folder", "words"),
    [
        ("runs/a", "a"),
        ("elsewhere/a", "a --runs elsewhere"),
        ("/some where/a", "a --runs '/some where'"),
        ("a", "a --runs ."),
    ],
)
def test_the_commands_say_where_the_run_is(folder: str, words: str) -> None:
    stream = io.StringIO()
    print_summary(Console(file=stream, width=80), sample("failing_check"), folder, plugins=True)
    lines = stream.getvalue().splitlines()
    assert f"details e2e-ansible report {words}" in lines
    assert f"again   e2e-ansible rerun {words} --failed --allow-plugins" in lines


def test_what_is_left_comes_with_the_command_that_removes_it() -> None:
    result = sample("all_pass")
    assert "destroy" not in summary(result).partition("PASS\n")[2]
    kept = result.tests[0].model_copy(update={"kept": True})
    text = summary(result.model_copy(update={"tests": (kept,)}))
    assert f"remove  e2e-ansible destroy {result.run_id}" in text
    assert f"e2e-ansible role observe --on all --deployment {kept.deployment_id}" in text
    assert "remove  e2e-ansible destroy" in summary(sample("killed"))


def test_infrastructure_and_unknown_are_not_blamed_on_the_product() -> None:
    for name in ("infrastructure", "unknown_proof"):
        assert "infrastructure: not the product under test" in summary(sample(name))
    assert "crash of n12 was not proved within 30s" in summary(sample("unknown_proof"))


def test_a_killed_run_says_so() -> None:
    text = summary(sample("killed"))
    assert "The run did not finish" in text
    assert "! interrupted" in text
    assert "· not run" in text
    assert "Not run: never_begun" in text


def test_a_long_test_keeps_what_matters() -> None:
    result = sample("failing_check")
    test = result.tests[0]
    steps = test.workflow_steps[:4] * 10 + test.workflow_steps[4:]
    long = result.model_copy(update={"tests": (test.model_copy(update={"workflow_steps": steps}),)})
    text = summary(long)
    assert "37 steps without findings" in text
    assert "✗ fail" in text
    assert "without findings" not in summary(long, verbose=True)


def test_what_was_removed_cannot_go_on() -> None:
    result = sample("failing_check")
    kept = result.tests[0].model_copy(update={"kept": True, "deployment_id": "d-1"})
    cut = result.model_copy(update={"finished": False, "tests": (kept,)})
    commands = (f"e2e-ansible resume {cut.run_id}", f"e2e-ansible destroy {cut.run_id}", "--deployment d-1")
    stream = io.StringIO()
    print_summary(Console(file=stream, width=80), cut, f"runs/{cut.run_id}", removed=True)
    assert all(words in summary(cut) for words in commands)
    assert not any(words in stream.getvalue() for words in commands)
    assert f"e2e-ansible rerun {cut.run_id} --failed" in stream.getvalue()


def test_coverage_is_not_called_logs() -> None:
    result = sample("failing_check")
    test = result.tests[0].model_copy(update={"evidence": ("evidence", "coverage")})
    text = summary(result.model_copy(update={"tests": (test,)}))
    assert "logs in  evidence\n" in text
    assert "coverage coverage\n" in text
    told = "\n".join(Narration(tasks=False).lines(TestEnded(at=0, result=test)))
    assert f"coverage {test.folder}/coverage" in told


def test_text_of_others_is_never_markup() -> None:
    text = summary(sample("parallel"))
    assert "[red]not markup[/red]" in text
    assert "\x1b" not in text


def test_a_terminal_without_utf8_gets_ascii() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    print_summary(Console(file=stream, width=80), sample("failing_check"), "runs/x")
    assert "x fail" in raw.getvalue().decode()


def test_a_reader_that_goes_away_does_not_change_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(Console, "on_broken_pipe", lambda _: (_ for _ in ()).throw(SystemExit(1)))
    print_summary(Console(file=Gone()), sample("all_pass"), "runs/x")


def test_problems_point_into_the_file(tmp_path: Path) -> None:
    file = tmp_path / "suite.yaml"
    file.write_text("workflow:\n\t- chekcs: [a]\n" + "x" * 300 + "\n", encoding="utf-8")
    error = SuiteError(
        [
            Problem(str(file), 2, 4, "unknown key 'chekcs'", hint="did you mean 'checks'?"),
            Problem(str(file), 3, 200, "too long"),
            Problem(str(file), 9, 1, "beyond the end"),
            Problem("no/such.yaml", 1, 1, "not [bold]there[/bold]"),
        ],
    )
    lines = problems(error).splitlines()
    at = next(number for number, line in enumerate(lines) if "chekcs: [a]" in line)
    assert lines[at].index("chekcs") == lines[at + 1].index("^")
    assert "hint: did you mean 'checks'?" in lines[at + 2]
    cut = next(line for line in lines if "…xxx" in line)
    assert len(cut) <= 80
    assert cut.endswith("…")
    assert any("not [bold]there[/bold]" in line for line in lines)
    assert lines[-1] == "4 problems; nothing was started."


def test_other_errors_tell_message_and_hint() -> None:
    text = problems(ProviderError("no room for n12", hint="remove old runs with e2e-ansible reap"))
    assert text == "error: no room for n12\nhint: remove old runs with e2e-ansible reap\n"
    assert problems(ProviderError("")) == "error: ProviderError\n"

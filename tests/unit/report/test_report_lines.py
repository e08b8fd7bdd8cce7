"""The plain view, the JSON view and the test log: lines for pipes, programs and people who come later."""

from __future__ import annotations

import io
import json
import re
import stat
from pathlib import Path

import pytest
from pydantic import TypeAdapter
from report_script import SAMPLES, notices, sample

from e2e_ansible.report.jsonl import JsonView
from e2e_ansible.report.log import TestLog
from e2e_ansible.report.notice import Message, Notice, Output, StepEnded
from e2e_ansible.report.plain import PlainView


class Broken(io.StringIO):
    """A stream whose reader has gone away."""

    def write(self, text: str) -> int:
        raise BrokenPipeError(32, "Broken pipe")


def plain(name: str, *, verbose: bool = False) -> list[str]:
    stream = io.StringIO()
    view = PlainView(stream, verbose=verbose)
    for notice in notices(sample(name)):
        view(notice)
    return stream.getvalue().splitlines()


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("verbose", [False, True])
def test_each_plain_line_has_the_time_and_no_control_codes(name: str, verbose: bool) -> None:
    lines = plain(name, verbose=verbose)
    assert lines
    assert all(re.match(r"\d\d:\d\d:\d\dZ \S|\d\d:\d\d:\d\dZ +\S", line) for line in lines), lines
    assert not any("\x1b" in line or "\r" in line for line in lines)


def test_plain_tells_each_failing_check_in_full() -> None:
    text = "\n".join(plain("failing_check"))
    assert "step 5/7 validate: FAIL after 1m04s, product: the cluster under test" in text
    seen = "no node accepts writes: n12 is a standby on timeline 1, n13 is a standby on timeline 1"
    assert f"check    cluster_degraded failed after 5 attempts: {seen}" in text
    assert (
        "attempt 1 of 5: 2 of 4 checks not passed (cluster_degraded, data_integrity), again in 4.0s" in text
    )
    assert "allowed  admin_ui_accessible failed after 5 attempts" in text
    assert "WARNING: n12 does not answer" in text
    assert "evidence tests/primary_crash/evidence/n13" in text


def test_plain_tells_the_line_of_playbook_and_suite_for_a_failing_task() -> None:
    text = "\n".join(plain("failing_task"))
    assert "plan/playbooks/02-deploy.yml:12" in text
    assert "suites/failsafety.yaml:26" in text
    assert 'journalctl -xeu postgresql@15-main.service" for details.' in text


def test_plain_names_the_test_only_when_there_are_several() -> None:
    assert any("[custom_tool] step 4/5 custom_command" in line for line in plain("parallel"))
    assert not any("[failsafety_basic]" in line for line in plain("all_pass"))


def test_plain_shows_tasks_and_output_only_when_asked() -> None:
    assert not any("TASK [next]" in line for line in plain("all_pass"))
    verbose = plain("all_pass", verbose=True)
    assert any(line.endswith("| TASK [next]") for line in verbose)
    assert any(line.endswith("| ok: [n11]") for line in verbose)


@pytest.mark.parametrize("name", SAMPLES)
def test_json_lines_are_the_notices(name: str) -> None:
    stream, said = io.StringIO(), list(notices(sample(name)))
    view = JsonView(stream)
    for notice in said:
        view(notice)
    adapter: TypeAdapter[Notice] = TypeAdapter(Notice)
    lines = stream.getvalue().splitlines()
    assert [adapter.validate_json(line) for line in lines] == said
    assert stream.getvalue().isascii()


def test_json_takes_what_json_cannot_hold() -> None:
    stream = io.StringIO()
    view = JsonView(stream)
    view(Output(at=float("nan"), test="t", step="s", text="a\u2028b\udcff\nc"))
    result = sample("parallel").tests[1].workflow_steps[3]
    strange = {"when": object(), "much": float("inf"), 1: (b"x", {"y"})}
    view(StepEnded(at=1, test="t", result=result.model_copy(update={"registered": strange})))
    first, second = (json.loads(line) for line in stream.getvalue().split("\n")[:2])
    assert first["at"] is None
    assert first["text"] == "a\u2028b\udcff\nc"
    assert second["result"]["registered"]["much"] is None


@pytest.mark.parametrize("view", [PlainView(Broken()), JsonView(Broken())])
def test_a_broken_pipe_does_not_raise(view: PlainView | JsonView) -> None:
    for notice in notices(sample("parallel")):
        view(notice)


def test_a_stream_that_is_not_utf8_gets_question_marks() -> None:
    raw = io.BytesIO()
    view = PlainView(io.TextIOWrapper(raw, encoding="ascii"))
    view(Message(at=0, text="“é”"))
    assert raw.getvalue() == b"00:00:00Z ???\n"


def test_the_log_is_private_appended_and_flushed(tmp_path: Path) -> None:
    path = tmp_path / "test.log"
    path.write_text("before\n")
    path.chmod(0o644)
    with TestLog(path) as log:
        for notice in notices(sample("failing_task")):
            log(notice)
        lines = path.read_text().splitlines()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert lines[0] == "before"
    assert lines[1].startswith("2025-01-01T12:00:00.000Z run 20250101-120000-7c1e of ")
    assert any(line.endswith("| TASK [next]") for line in lines)
    assert log.error is None
    log(Message(at=1, text="too late"))
    assert "too late" not in path.read_text()


def test_the_log_of_one_test_leaves_the_others_out(tmp_path: Path) -> None:
    path = tmp_path / "test.log"
    with TestLog(path, test="reboot_standby") as log:
        for notice in notices(sample("parallel")):
            log(notice)
    text = path.read_text()
    assert "test reboot_standby: PASS" in text
    assert "custom_tool" not in text

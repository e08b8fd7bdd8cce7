"""Branches of a workflow that meet, times of classes and what is required, on a server that does as AWX does."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from awx_server import Awx, add_step_template, running, until
from real_runs import REPOSITORY, Desk, deployment_traces, one_test, write_suite
from role_nodes import MADE

from e2e_ansible.judge.result import StepResult, TestResult


@pytest.fixture
def awx(tmp_path: Path, desk: Desk) -> Iterator[Awx]:
    with running(tmp_path) as server:
        desk.variables.update(server.variables)
        yield server


def say(name: str, text: str = "", **more: Any) -> dict[str, Any]:
    """A step that registers its own name."""
    return {
        "step": "custom_command",
        "name": name,
        "custom_command": ["echo", text or name],
        "register": name,
        **more,
    }


def group(*steps: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"step": "group", "steps": list(steps), **more}


def suite(desk: Desk, *steps: Mapping[str, Any], **more: Any) -> str:
    return str(write_suite(desk.folder / "suite.json", test={"workflow": list(steps), **more}))


def only(desk: Desk) -> TestResult:
    (test,) = desk.result().tests
    return test


def essence(step: StepResult) -> tuple[Any, ...]:
    error = step.error and re.sub(r"\b\d+(\.\d+)?\b", "N", step.error)
    return (step.id, step.status, step.verdict, step.cause, error, step.registered)


# ---- what is registered


def test_what_branches_register_is_all_known_where_they_meet_and_later(desk: Desk, awx: Awx) -> None:
    """Branches of a group, of `needs` and in the background, and a branch in which two steps follow one another."""
    add_step_template(awx)
    words = ["first", "one", "two", "after", "beside", "needed", "root"]
    told = "-".join(f"${{steps.{word}.stdout}}" for word in words)
    steps = [
        say("first"),
        say("beside", background=True),
        group(say("one"), group(say("two"), say("after", "${steps.two.stdout}+")), parallel=True),
        say("root", needs=[]),
        say("needed", needs=["first"]),
        {"step": "wait", "for": ["beside"]},
        say("all", told),
        say("again", told),
    ]
    done = desk.call("awx", "launch", suite(desk, *steps))
    assert done.code == 0, done.said
    for later in only(desk).workflow_steps[-2:]:
        assert later.registered is not None
        assert later.registered["stdout"] == "first-one-two-two+-beside-needed-root"
    handed = [name for job in awx.state.each("jobs") for name in job["artifacts"]]
    assert len(handed) == len(set(handed)) == len(words) + 2, "no two jobs set the same name"


# ---- the time of a class


@pytest.fixture
def three_seconds(desk: Desk, awx: Awx) -> None:
    """A class `fast` of three seconds, for whoever follows and for the jobs."""
    folder = desk.folder / "short"
    folder.mkdir()
    text = "from e2e_ansible.suite import times\ntimes.LIMITS['fast'] = 3.0\n"
    (folder / "sitecustomize.py").write_text(text)
    for variables in (desk.variables, awx.runner.environment):
        variables["PYTHONPATH"] = os.pathsep.join((str(folder), str(REPOSITORY)))


@pytest.mark.usefixtures("three_seconds")
def test_a_step_is_ended_when_the_time_of_its_test_is_over_as_in_a_run(desk: Desk, awx: Awx) -> None:
    add_step_template(awx)
    long = {"step": "custom_command", "name": "long", "custom_command": ["sleep", "250"]}
    body = group(long, say("never"), rescue=[say("rescue")], **{"finally": [say("last")]})
    file = suite(desk, body, say("after"), time_class="fast")
    assert desk.call("run", file).code == 1
    here = only(desk)
    done = desk.call("awx", "launch", file)
    assert done.code == 1, done.said
    there = only(desk)
    assert list(map(essence, there.workflow_steps)) == list(map(essence, here.workflow_steps))
    assert (there.verdict, there.cause) == (here.verdict, here.cause) == ("fail", "product")
    words = "it was to take 3 s at most, as a test of class fast, and was ended after"
    assert (there.error or "").startswith(words)
    assert (here.error or "").startswith(words)
    assert "the time of class fast is over after" in done.said
    assert there.workflow_steps[0].duration < 200
    statuses = {step.id.partition("-")[2]: str(step.status) for step in there.workflow_steps}
    assert statuses == {
        "long": "failed",
        "never": "skipped",
        "rescue": "skipped",
        "last": "completed",
        "after": "skipped",
    }
    assert desk.call("report").code == 1, "the folder is judged again as that of any run"


def test_no_step_begins_when_the_time_is_over_but_the_end_is_done(desk: Desk, awx: Awx) -> None:
    """As if a job before these had said that the test began long ago."""
    add_step_template(awx, extra_vars=json.dumps({"e2e_begun_00_earlier": time.time() - 1000}))
    body = group(say("one"), rescue=[say("rescue")], **{"finally": [say("last")]})
    done = desk.call("awx", "launch", suite(desk, body, say("after"), time_class="standard"))
    test = only(desk)
    assert (done.code, test.verdict) == (1, "fail"), done.said
    assert [str(step.status) for step in test.workflow_steps] == [
        "skipped",
        "skipped",
        "completed",
        "skipped",
    ]
    assert (test.error or "").startswith("it was to take 900 s at most, as a test of class standard, and 1")
    assert "not begun: 01-one" in (test.error or "")
    jobs = {json.loads(job["extra_vars"])["e2e_step_id"]: job for job in awx.state.each("jobs")[:3]}
    assert {name: job["status"] for name, job in jobs.items()} == {
        "01-one": "failed",
        "02-rescue": "failed",
        "03-last": "successful",
    }


# ---- what the machine must have


def test_a_machine_that_lacks_what_is_required_begins_nothing(desk: Desk, awx: Awx) -> None:
    add_step_template(awx)
    made = desk.folder / "made"
    step = {"step": "custom_command", "custom_command": ["touch", str(made)]}
    done = desk.call("awx", "launch", suite(desk, step, requirements={"commands": ["no-such-program"]}))
    assert done.code == 4, done.said
    assert "the command 'no-such-program' is not there" in done.said
    test = only(desk)
    assert (test.verdict, test.cause) == ("fail", "infrastructure")
    assert [str(step.status) for step in test.workflow_steps] == ["skipped"]
    assert not made.exists()


# ---- a rescue, and a test that removes its nodes itself


def test_a_test_that_went_on_after_a_rescue_and_removed_its_nodes_passed(desk: Desk, awx: Awx) -> None:
    add_step_template(awx)
    broken = {"step": "custom_command", "name": "broken", "custom_command": ["false"]}
    steps = [
        {"step": "create_nodes"},
        group(broken, rescue=[say("rescue")], on_rescue="continue"),
        {"step": "destroy"},
    ]
    done = desk.call("awx", "launch", str(write_suite(desk.folder / "suite.json", test=one_test(steps))))
    test = only(desk)
    MADE.add((desk.home, test.deployment_id))
    assert (done.code, test.verdict, test.clean_up) == (0, "pass", "nothing was left to remove"), done.said
    assert deployment_traces(test.deployment_id) == []


# ---- jobs that somebody took away in AWX


def begun(awx: Awx, step: str) -> int:
    """The number of the job of a step, once it does something."""

    def found() -> int:
        jobs = {json.loads(job["extra_vars"])["e2e_step_id"]: job["id"] for job in awx.state.each("jobs")}
        number = int(jobs.get(step, 0))
        return number if len(awx.runner.events.get(number, ())) > 2 else 0

    until(found)
    return found()


def test_a_branch_whose_job_somebody_canceled_is_no_pass_though_awx_goes_on(desk: Desk, awx: Awx) -> None:
    add_step_template(awx)
    long = {"step": "custom_command", "name": "long", "custom_command": ["sleep", "60"]}
    file = suite(desk, group(long, say("short"), parallel=True), say("after"))
    process = desk.start("awx", "launch", file)
    awx.runner.cancel("jobs", begun(awx, "01-long"))
    out, err = process.communicate(timeout=120)
    test = only(desk)
    assert (process.returncode, test.verdict, test.cause) == (130, "unknown", "interrupt"), out + err
    statuses = [str(step.status) for step in test.workflow_steps]
    assert statuses == ["interrupted", "completed", "completed"], "the last is what AWX does"


def test_a_job_that_is_gone_from_awx_is_no_pass(desk: Desk, awx: Awx) -> None:
    add_step_template(awx)
    long = {"step": "custom_command", "name": "long", "custom_command": ["sleep", "60"]}
    process = desk.start("awx", "launch", suite(desk, long))
    number = begun(awx, "01-long")
    awx.fault(f"/jobs/{number}/", 404, times=999)
    out, err = process.communicate(timeout=120)
    test = only(desk)
    assert (process.returncode, test.verdict, test.cause) == (3, "unknown", "infrastructure"), out + err

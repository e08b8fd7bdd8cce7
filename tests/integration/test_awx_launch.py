"""Suites and operations launched on a server that answers as AWX does and really runs the jobs of this checkout.

What comes out is compared with a run on this machine; then everything that can go wrong between here and there.
"""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from awx_server import TOKEN, Awx, add_step_template, running, until
from real_runs import Desk, deployment_traces, one_test, write_suite
from role_nodes import MADE
from stroppy_stand_in import packed

from e2e_ansible.awx.attempts import GATES
from e2e_ansible.judge.result import RunResult, TestResult

ECHO = {"step": "custom_command", "custom_command": ["echo", "hello"], "register": "word"}
TOLD = {"step": "custom_command", "custom_command": ["test", "${steps.word.stdout}", "=", "hello"]}
FALSE = {"step": "custom_command", "custom_command": ["sh", "-c", "echo it broke >&2; exit 3"]}
LONG = {"step": "custom_command", "name": "long", "custom_command": ["sleep", "30"]}


@pytest.fixture
def awx(tmp_path: Path, desk: Desk) -> Iterator[Awx]:
    with running(tmp_path) as server:
        desk.variables.update(server.variables)
        add_step_template(server)
        yield server


def suite(desk: Desk, *steps: Mapping[str, Any], **more: Any) -> str:
    return str(write_suite(desk.folder / "suite.json", test={"workflow": list(steps), **more}))


def jobs(awx: Awx) -> list[tuple[str, str]]:
    """What was done by each job, and how it ended."""
    return [(json.loads(job["extra_vars"])["e2e_step"], job["status"]) for job in awx.state.each("jobs")]


def workflow_status(awx: Awx) -> str:
    (job,) = awx.state.each("workflow_jobs")
    until(lambda: job["status"] not in ("pending", "running"))
    return str(job["status"])


def only(desk: Desk) -> TestResult:
    (test,) = desk.result().tests
    return test


def decided(result: RunResult) -> tuple[str, str | None]:
    return (str(result.verdict), str(result.cause) if result.cause else None)


# ---- the same results as on this machine


def without_counts(text: str) -> str:
    """How many rows were written until then differs from run to run."""
    return re.sub(r"\b\d+\b", "N", text)


def essence(test: TestResult) -> list[dict[str, Any]]:
    """What a result says about the product, without times, folders and how the playbook was run."""
    return [
        {
            "id": step.id,
            "status": step.status,
            "verdict": step.verdict,
            "cause": step.cause,
            "error": step.error and without_counts(step.error),
            "attempts": step.attempts,
            "hosts": step.hosts,
            "checks": [
                (
                    check.check,
                    check.passed,
                    check.attempts,
                    check.allow_failure,
                    without_counts(check.message),
                )
                for check in step.validation_results
            ],
            "proofs": sorted((proof.host, proof.act, proof.proved) for proof in step.proofs),
            "failures": [(failure.host, failure.rc, failure.message) for failure in step.failures],
            "registered": step.registered,
            "source": step.source,
            "nodes": [
                (node.node, node.power, node.reachable)
                for node in (step.observation.nodes if step.observation else ())
            ],
        }
        for step in test.workflow_steps
    ]


HEALTHY = {"step": "validate", "checks": ["cluster_status", "data_integrity"]}


def test_a_suite_on_real_nodes_has_the_results_of_a_run_on_this_machine(desk: Desk, awx: Awx) -> None:
    """As suites/quickstart.yaml, in short; the client of data_integrity lives on n12, and goes down with it."""
    steps = [
        {"step": "deploy"},
        {"step": "custom_command", "custom_command": ["hostname"], "targets": ["n11"], "register": "name"},
        {
            "step": "custom_command",
            "custom_command": ["echo", "it is ${steps.name.stdout}"],
            "register": "more",
        },
        {**HEALTHY, "retry": {"max_attempts": 5, "delay_seconds": 1}},
        {"step": "crash_node", "target_node": "n12", "method": "destroy"},
        {
            "step": "validate",
            "checks": ["database_degraded", "node_status:n12:stopped", "data_integrity"],
            "allow_failures": ["all_nodes_running"],
        },
        {"step": "start_node", "target_node": "n12"},
        {**HEALTHY, "retry": {"max_attempts": 5, "delay_seconds": 1}},
        {
            "step": "validate",
            "checks": ["data_integrity", "cluster_status_stopped"],
            "retry": {"max_attempts": 2, "delay_seconds": 1},
        },
        {"step": "destroy"},
    ]
    file = str(write_suite(desk.folder / "suite.json", test=one_test(steps, size=2)))
    awx.runner.environment["E2E_EVIDENCE"] = str(desk.folder / "evidence")
    assert desk.call("run", file).code == 1
    here = desk.result()
    done = desk.call("awx", "launch", file)
    assert done.code == 1, done.said
    there = desk.result()
    assert there.run_id != here.run_id
    MADE.add((desk.home, there.tests[0].deployment_id))
    assert decided(there) == decided(here) == ("fail", "product")
    assert essence(there.tests[0]) == essence(here.tests[0])
    assert [step.status for step in there.tests[0].workflow_steps][-2:] == ["failed", "skipped"]
    assert there.tests[0].clean_up == f"deployment {there.tests[0].deployment_id} was removed"
    assert deployment_traces(there.tests[0].deployment_id) == []
    assert (desk.folder / "evidence/n11/journal.txt").is_file()
    assert [name for name, _ in jobs(awx)][-3:] == ["collect", "destroy", "result"]
    assert workflow_status(awx) == "failed"
    test = desk.newest() / there.tests[0].folder
    assert "cluster_status_stopped does not hold" in (test / "steps/09-validate/ansible.log").read_text()
    assert "the client integrity on n12 is down with its node" in (test / "test.log").read_text()
    the_rows_are_judged_alike(here.tests[0], there.tests[0])
    for name in ("report.html", "junit.xml", "result.json"):
        assert (desk.newest() / name).stat().st_size > 0
    assert 'failures="1"' in (desk.newest() / "junit.xml").read_text()
    assert desk.call("report").code == 1, "the folder is judged again as that of any run"
    assert {step.engine for step in there.tests[0].workflow_steps} == {"awx", ""}


def the_rows_are_judged_alike(here: TestResult, there: TestResult) -> None:
    for test in (here, there):
        (client,) = test.clients
        assert (client.name, client.workload, client.acknowledged > 20) == ("integrity", "append", True)
        assert (client.lost_count, client.resurrected_count, client.findings) == (0, 0, ())
        assert client.examined > 0


PGBENCH = {"scale": 1, "clients": 2, "duration_seconds": 1, "limits": {"error_rate": 0, "per_second": 1}}
STROPPY = {"workload": "tpcb/tx", "iterations": 20, "on": "n11", "limits": {"error_rate": 0.5}}
#: Breaks its limit, so AWX has to take the way of failure, which is the rescue; and no text of it is a template.
TOO_SLOW = {
    "step": "run_load",
    "tool": "pgbench",
    "command": ["pgbench", "--no-vacuum", "--transactions=5", "@DATABASE@"],
    "workload": "{{ 7 * 7 }}",
    "limits": {"per_second": 1e9},
}
LOADS = [
    {"step": "load_artifact", "artifact": "stroppy", "targets": ["n11"]},
    {"step": "install", "service": "stroppy", "targets": ["n11"]},
    {"step": "run_stroppy", "name": "beside", "background": True, "database": "other", **STROPPY},
    {"step": "run_pgbench", **PGBENCH},
    {"step": "wait", "for": ["beside"]},
    {"step": "group", "steps": [TOO_SLOW], "rescue": [ECHO], "on_rescue": "continue"},
]


def the_loads_are_judged_here(test: TestResult, folder: Path) -> None:
    """Each job told what its tool measured; the one that broke its limit failed in AWX as well."""
    steps = {step.id.partition("-")[2]: step for step in test.workflow_steps}
    stroppy, pgbench, slow = (steps[name].load for name in ("beside", "run-pgbench", "run-load"))
    assert stroppy is not None
    assert (stroppy.tool, stroppy.complete, stroppy.transactions) == ("stroppy", True, 20)
    assert pgbench is not None
    assert (pgbench.complete, pgbench.failed, len(pgbench.intervals) > 0) == (True, 0, True)
    assert pgbench.latency.p99 is not None
    assert slow is not None
    assert (slow.transactions, slow.workload) == (5, "{{ 7 * 7 }}")
    assert (steps["run-load"].verdict, steps["run-load"].cause) == ("fail", "product")

    assert "the limit is 1000000000" in (steps["run-load"].error or "")
    beside, foreground, after = (steps[name] for name in ("beside", "run-pgbench", "run-load"))
    assert (foreground.started or 0) < (beside.ended or 0)
    assert (after.started or 0) >= (beside.ended or 0)
    kept = folder / "steps" / foreground.id / "load-pgbench/stdout.txt"
    assert "number of transactions actually processed" in kept.read_text()


def test_loads_clients_and_faults_on_nodes_are_in_the_result(desk: Desk, awx: Awx) -> None:
    """Loads, a client and a fault that stays: what jobs measure, and what lies on nodes, comes into the run folder."""
    steps = [
        {"step": "build_artifact", "artifact": "stroppy"},
        {"step": "deploy"},
        *LOADS,
        {"step": "start_client", "client": "load", "place": "n11", "rate": 50},
        {"step": "validate", "checks": ["no_lost_rows:load"], "retry": {"max_attempts": 5}},
        {"step": "fault", "name": "frozen", "fault": "pause", "target": "n11"},
        {"step": "stop_client", "client": "load", "place": "n11"},
        {"step": "validate", "checks": ["database_running"]},
        {"step": "destroy"},
    ]
    source = {"archive": str(packed(desk.folder / "stroppy.tar.gz"))}
    test_of_all = one_test(steps)
    test_of_all["parameters"] = {**test_of_all["parameters"], "stroppy": source}
    file = str(write_suite(desk.folder / "suite.json", test=test_of_all))
    awx.runner.environment["E2E_EVIDENCE"] = str(desk.folder / "evidence")
    done = desk.call("awx", "launch", file)
    assert (done.code, decided(desk.result())) == (1, ("fail", "product")), done.said
    test = only(desk)
    MADE.add((desk.home, test.deployment_id))
    the_loads_are_judged_here(test, desk.newest() / test.folder)
    verdicts = [step.verdict for step in test.workflow_steps]
    assert verdicts == ["pass"] * 6 + ["fail"] + ["pass"] * 5 + ["fail", None]
    assert [name for name, _ in jobs(awx)][-4:] == ["heal_open", "collect", "destroy", "result"]
    (fault,) = test.faults
    assert (fault.fault, fault.node, fault.step, fault.healed is not None) == (
        "pause",
        "n11",
        "11-frozen",
        True,
    )
    assert "frozen on n11 was healed" in done.said
    # The check looks at the rows of the nodes as well, so the client of data_integrity is there, too.
    assert {client.name: client.ok > 0 for client in test.clients} == {"integrity": True, "load": True}
    history = desk.newest() / test.folder / "histories/load.jsonl"
    assert b'"event":"stop"' in history.read_bytes().splitlines()[-1]
    assert deployment_traces(test.deployment_id) == []


def group(*steps: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"step": "group", "steps": list(steps), **more}


def test_a_workflow_with_groups_has_the_results_of_a_run_on_this_machine(desk: Desk, awx: Awx) -> None:
    def say(name: str) -> dict[str, Any]:
        return {"step": "custom_command", "name": name, "custom_command": ["echo", name]}

    file = suite(
        desk,
        group(say("left"), group(say("right"), say("further")), parallel=True),
        group(FALSE, rescue=[say("rescue")], on_rescue="continue", **{"finally": [say("end")]}),
        group(say("well"), {**FALSE, "name": "ill"}, parallel=True, **{"finally": [say("last")]}),
        say("never"),
    )
    assert desk.call("run", file).code == 1
    here = only(desk)
    done = desk.call("awx", "launch", file)
    assert done.code == 1, done.said
    assert essence(only(desk)) == essence(here)
    assert decided(desk.result()) == ("fail", "product")
    assert [step.id.partition("-")[2] for step in only(desk).workflow_steps if step.verdict is None] == [
        "never"
    ]
    assert workflow_status(awx) == "failed"
    assert [name for name, _ in jobs(awx)].count("custom_command") == 9


def test_output_flows_to_later_jobs_and_is_never_a_template(desk: Desk, awx: Awx) -> None:
    hostile = {**ECHO, "custom_command": ["echo", "{{ 7*7 }} 5"]}
    say = {**TOLD, "custom_command": ["test", "${steps.word.stdout}", "=", "{{ 7*7 }} 5"]}
    empty = {**ECHO, "custom_command": ["printf", ""], "register": "empty"}
    same = {**TOLD, "custom_command": ["test", "${steps.empty.stdout}", "=", ""]}
    done = desk.call("awx", "launch", suite(desk, hostile, empty, say, same))
    assert done.code == 0, done.said
    assert only(desk).success
    assert only(desk).clean_up == "nothing was left to remove"
    assert workflow_status(awx) == "successful"


def test_a_step_that_fails_ends_the_test_and_the_workflow(desk: Desk, awx: Awx) -> None:
    done = desk.call("awx", "launch", suite(desk, ECHO, FALSE, TOLD))
    assert done.code == 1
    assert "it broke" in done.said
    first, second, third = only(desk).workflow_steps
    assert (first.verdict, second.verdict, third.status) == ("pass", "fail", "skipped")
    assert second.failures[0].rc == 3
    assert workflow_status(awx) == "failed"
    assert jobs(awx) == [("custom_command", "successful"), ("custom_command", "failed"), ("result", "failed")]


def test_tests_run_side_by_side_and_times_are_those_of_awx(desk: Desk, awx: Awx) -> None:
    tests = {name: {"workflow": [ECHO, TOLD]} for name in ("one", "two")}
    file = str(write_suite(desk.folder / "suite.json", **tests))
    done = desk.call("awx", "launch", file, "--parallel", "2", "--json")
    assert done.code == 0
    kinds = [json.loads(line)["kind"] for line in done.out.splitlines()]
    assert kinds.count("test_ended") == 2
    assert {"task_started", "output", "step_started", "step_ended", "run_ended"} <= set(kinds)
    result = desk.result()
    assert result.passed == 2
    assert len({test.deployment_id for test in result.tests}) == 2
    for test in result.tests:
        for step in test.workflow_steps:
            assert step.started is not None
            assert 0 < step.duration < test.duration


def test_a_suite_is_left_to_awx_if_nobody_wants_to_follow(desk: Desk, awx: Awx) -> None:
    done = desk.call("awx", "launch", suite(desk, ECHO), "--no-follow")
    assert done.code == 0
    (job,) = awx.state.each("workflow_jobs")
    assert done.out.strip() == f"{awx.host}/#/jobs/workflow/{job['id']}"
    assert not desk.runs.exists()
    assert workflow_status(awx) == "successful"


# ---- the suite as one workflow


def test_a_suite_is_one_workflow_whose_tests_run_at_once_and_lose_nothing_of_each_other(
    desk: Desk, awx: Awx
) -> None:
    """Each has a deployment of its own; the one that fails fails the whole, and keeps nothing from the other."""
    waits = {
        "step": "custom_command",
        "custom_command": ["sh", "-c", "sleep 1; echo waited"],
        "name": "waits",
    }
    told = {**TOLD, "needs": ["one"], "name": "told"}
    graph = [{**ECHO, "name": "one"}, {**waits, "needs": []}, told, {**ECHO, "register": "last"}]
    tests = {"good": {"workflow": graph}, "bad": {"workflow": [FALSE, ECHO]}}
    file = str(write_suite(desk.folder / "suite.json", **tests))
    done = desk.call("awx", "launch", file, "--whole")
    assert done.code == 1, done.said
    result = desk.result()
    good, bad = result.tests
    assert (good.verdict, bad.verdict, bad.cause) == ("pass", "fail", "product"), done.said
    assert [step.verdict for step in good.workflow_steps] == ["pass"] * 4
    assert [step.status for step in bad.workflow_steps] == ["failed", "skipped"]
    assert max(test.started or 0 for test in result.tests) < min(test.ended or 0 for test in result.tests)
    whole, *inner = awx.state.each("workflow_jobs")
    until(lambda: whole["status"] == "failed")
    assert sorted(job["status"] for job in inner) == ["failed", "successful"]
    known = {str(json.loads(job["extra_vars"])["e2e_test"]) for job in awx.state.each("jobs")}
    assert known == {"good", "bad"}
    deployments = json.loads(json.loads(whole["extra_vars"])["e2e_deployments"])
    assert {test.name: test.deployment_id for test in result.tests} == deployments
    first, beside, _, last = good.workflow_steps
    assert (beside.started or 0) < (first.ended or 0), "it needs nothing, so it begins with the first"
    assert (last.started or 0) >= (beside.ended or 0), "without needs it waits for all before it"
    assert good.graph is not None
    assert good.graph.path[-1] == last.id


# ---- what is wrong before anything starts


def refused(desk: Desk, awx: Awx, code: int, *words: str) -> None:
    done = desk.call("awx", "launch", suite(desk, ECHO))
    assert done.code == code, done.said
    assert all(word in done.said for word in words), done.said
    assert TOKEN not in done.said
    assert not awx.state.each("jobs")
    assert not awx.state.each("workflow_jobs")
    assert not desk.runs.exists()


def test_a_wrong_token_starts_nothing(desk: Desk, awx: Awx) -> None:
    desk.variables["E2E_AWX_TOKEN"] = "wrong"
    refused(desk, awx, 4, "answered 401", "the token is wrong or has expired")


def test_a_host_that_is_away_starts_nothing(desk: Desk, awx: Awx) -> None:
    desk.variables.update(E2E_AWX_PATIENCE="0", E2E_AWX_HOST="http://127.0.0.1:9")
    refused(desk, awx, 4, "does not answer", "Connection refused")


def test_a_missing_template_starts_nothing(desk: Desk, awx: Awx) -> None:
    template = awx.state.named("job_templates", "e2e step")
    awx.state.remove("job_templates", template["id"])
    refused(desk, awx, 4, "no job template 'e2e step'", "awx_setup.yml")


def test_no_address_is_bad_input(desk: Desk, awx: Awx) -> None:
    for name in ("E2E_AWX_HOST", "CONTROLLER_HOST"):
        desk.variables[name] = ""
    refused(desk, awx, 2, "the address of AWX is not set")


def test_the_token_is_on_no_command_line_and_in_no_file(desk: Desk, awx: Awx) -> None:
    process = desk.start("awx", "launch", suite(desk, ECHO), "--debug", "--verbose")
    until(lambda: awx.state.each("jobs"))
    lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert not any(TOKEN.encode() in line for line in lines)
    assert TOKEN not in out + err
    files = [path for path in desk.runs.rglob("*") if path.is_file()]
    assert len(files) > 10
    assert not [path for path in files if TOKEN.encode() in path.read_bytes()]


# ---- what goes wrong on the way


def test_variables_that_would_be_ignored_are_an_error(desk: Desk, awx: Awx) -> None:
    template = awx.state.named("job_templates", "e2e step")
    awx.state.change("job_templates", template["id"], {"ask_variables_on_launch": False})
    done = desk.call("awx", "launch", "--template", "e2e step", "-e", "e2e_step=custom_command")
    assert done.code == 4, done.said
    assert "would ignore e2e_step" in done.said
    assert not awx.state.each("jobs")


def test_variables_that_were_ignored_all_the_same_cancel_the_job(desk: Desk, awx: Awx) -> None:
    awx.runner.forgetful_launch = True
    done = desk.call("awx", "launch", "--template", "e2e step", "-e", "e2e_step=custom_command")
    assert done.code == 4, done.said
    assert "would ignore e2e_step" in done.said
    (job,) = awx.state.each("jobs")
    assert awx.asked("POST", f"jobs/{job['id']}/cancel/")


def test_events_that_come_later_than_the_status_are_waited_for(desk: Desk, awx: Awx) -> None:
    awx.runner.late_events = True
    done = desk.call("awx", "launch", suite(desk, ECHO, TOLD))
    assert done.code == 0, done.said
    lines = (desk.newest() / only(desk).folder / "events.jsonl").read_text().splitlines()
    counters = [json.loads(line)["event"]["counter"] for line in lines if '"step":"01-' in line]
    # What a job itself makes of its checks is no event of the step.
    judged = ("runner_on_ok", "runner_on_failed", "runner_on_skipped")
    held = [
        [
            event["counter"]
            for event in events
            if event["event_data"].get("task") not in GATES or event["event"] not in judged
        ]
        for events in awx.runner.events.values()
    ]
    assert sorted(counters) in [sorted(each) for each in held], "each of them, though some came late"
    assert counters == sorted(counters)


def test_events_that_never_come_are_no_pass(desk: Desk, awx: Awx) -> None:
    awx.runner.lost_events = True
    done = desk.call("awx", "launch", suite(desk, ECHO))
    assert (done.code, decided(desk.result())) == (5, ("fail", "harness")), done.said


def test_a_server_that_is_away_for_a_while_is_waited_for(desk: Desk, awx: Awx) -> None:
    process = desk.start("awx", "launch", suite(desk, ECHO, TOLD))
    until(lambda: [job for job in awx.state.each("jobs") if job["status"] == "running"])
    awx.away = True
    until(lambda: awx.state.each("workflow_jobs")[0]["status"] == "successful")
    awx.fault("job_events", 500, times=2)
    awx.fault("workflow_nodes", 429, times=2)
    awx.away = False
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, out + err
    assert only(desk).success


def test_a_server_that_stays_away_leaves_an_unknown(desk: Desk, awx: Awx) -> None:
    desk.variables["E2E_AWX_PATIENCE"] = "1"
    process = desk.start("awx", "launch", suite(desk, ECHO, LONG))
    until(lambda: len(awx.state.each("jobs")) == 2)
    awx.away = True
    out, err = process.communicate(timeout=60)
    assert process.returncode == 3, out + err
    assert decided(desk.result()) == ("unknown", "infrastructure")
    (step,) = [step for step in only(desk).workflow_steps if step.verdict == "unknown"]
    assert step.cause == "infrastructure"
    assert "does not answer" in str(step.error)
    assert "/#/jobs/workflow/" in only(desk).clean_up
    assert desk.result().finished


def test_a_job_that_awx_cannot_run_is_infrastructure_or_harness(desk: Desk, awx: Awx) -> None:
    awx.runner.refuse_jobs = ("error", "no space left on device")
    done = desk.call("awx", "launch", suite(desk, ECHO))
    assert (done.code, decided(desk.result())) == (4, ("fail", "infrastructure")), done.said
    assert "AWX could not run the job: no space left on device" in done.said


def test_a_step_that_takes_too_long_is_ended_by_awx(desk: Desk, awx: Awx) -> None:
    awx.runner.most_seconds = 3
    done = desk.call("awx", "launch", suite(desk, LONG))
    assert (done.code, decided(desk.result())) == (1, ("fail", "product")), done.said
    assert "AWX ended the job: Job terminated due to timeout" in done.said


def test_an_interrupt_cancels_the_job_and_the_way_of_failure_is_gone(desk: Desk, awx: Awx) -> None:
    process = desk.start("awx", "launch", suite(desk, ECHO, LONG, TOLD))
    until(lambda: len(awx.state.each("jobs")) == 2 and awx.runner.events[awx.state.each("jobs")[1]["id"]])
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    assert workflow_status(awx) == "failed"
    assert jobs(awx) == [
        ("custom_command", "successful"),
        ("custom_command", "canceled"),
        ("result", "failed"),
    ]
    steps = only(desk).workflow_steps
    assert [step.status for step in steps] == ["completed", "interrupted", "skipped"]
    assert not _alive("sleep\x0030")


def test_a_second_interrupt_cancels_the_workflow_and_leaves_all(desk: Desk, awx: Awx) -> None:
    process = desk.start("awx", "launch", suite(desk, LONG, FALSE))
    until(lambda: awx.state.each("jobs") and awx.runner.events[awx.state.each("jobs")[0]["id"]])
    awx.fault(r"/jobs/\d+/cancel/", 405, times=99)  # the job would not end by itself
    process.send_signal(signal.SIGINT)
    until(lambda: awx.asked("POST", "/cancel/"))
    process.send_signal(signal.SIGINT)
    until(lambda: awx.asked("POST", "/workflow_jobs/"))
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    awx.faults.clear()
    assert workflow_status(awx) == "canceled"
    assert "told by" in only(desk).clean_up
    assert [name for name, _ in jobs(awx)] == ["custom_command"]


def _alive(words: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = path.read_text()
        except OSError:
            continue
        if words in text and int(path.parent.name) != os.getpid():
            found.append(text)
    return found


# ---- one operation by its job template


def test_an_operation_is_launched_followed_and_judged(desk: Desk, awx: Awx) -> None:
    step = ["e2e_step=custom_command", "e2e_options={custom_command: [echo, hello], register: who}"]
    variables = [word for pair in step for word in ("-e", pair)]
    done = desk.call("awx", "launch", "--template", "e2e step", *variables, "--verbose")
    assert done.code == 0, done.said
    assert "PLAY [Do the step]" in done.out
    result = desk.result()
    assert (result.suite, decided(result)) == ("AWX: e2e step", ("pass", None))
    (only_step,) = result.tests[0].workflow_steps
    assert (only_step.step_type, only_step.engine) == ("step", "awx")
    (job,) = awx.state.each("jobs")
    assert json.loads(job["artifacts"]["e2e_output_who"])["stdout"] == "hello"
    assert (desk.newest() / "junit.xml").is_file()


def test_a_wrong_operation_is_said_with_the_nearest(desk: Desk, awx: Awx) -> None:
    done = desk.call("awx", "launch", "--template", "e2e stp")
    assert done.code == 4
    assert "did you mean 'e2e step'?" in done.said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "name either a suite or a job template"),
        (("suite.json", "--template", "x"), "name either a suite or a job template"),
        (("suite.json", "-l", "n11"), "--limit and --extra-vars are for --template"),
        (("suite.json", "--whole", "--parallel", "2"), "--whole is for a suite, whose tests AWX runs"),
        (("--template", "x", "--whole"), "--whole is for a suite, whose tests AWX runs"),
        (("--template", "x", "-e", "y"), "'y' is no KEY=VALUE"),
        (("--template", "x", "-e", "y={["), "the value of y is no YAML"),
    ],
)
def test_a_wrong_command_line_is_bad_input(desk: Desk, arguments: tuple[str, ...], words: str) -> None:
    suite(desk, ECHO)
    done = desk.call("awx", "launch", *arguments)
    assert (done.code, words in done.said) == (2, True), done.said

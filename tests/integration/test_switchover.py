"""Two sites on real nodes: the cycle that is shipped, in its methods and fates, and what is refused or undone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from real_runs import PASS, a_desk, traces
from role_nodes import REPOSITORY

from e2e_ansible.judge.result import CheckResult, RunResult, StepResult
from e2e_ansible.verdict import Verdict

pytestmark = pytest.mark.nodes
SUITE = REPOSITORY / "suites/switchover.yaml"
A, B = "site_a", "site_b"
CHECKS = ("site_primary", "site_standby", "site_fenced", "site_absent", "site_lag:1000")
ALL = ["cluster_status", "cluster_degraded", *(f"{check}:{site}" for check in CHECKS for site in (A, B))]


def shipped() -> dict[str, Any]:
    """The test of the shipped suite."""
    found: dict[str, Any] = yaml.safe_load(SUITE.read_text())["test_suites"]["switchover"]
    return found


def cycle(number: int, primary: str, secondary: str, *, method: str, old: str) -> list[dict[str, Any]]:
    """The steps of one cycle as they are shipped; in this test they stand several times in one workflow."""
    steps = [step for step in shipped()["workflow"] if "phase" in step]
    text = json.dumps(steps)
    for name, value in {
        "context.primary": primary,
        "context.secondary": secondary,
        "variables.method": method,
        "variables.old_primary": old,
        "variables.longest_outage": "120",
    }.items():
        text = text.replace(f"${{{name}}}", value)
    text = re.sub(r', "phase": "\w+"', "", text)
    text = re.sub(r'"name": "([\w-]+)"', rf'"name": "c{number}-\1"', text)
    made: list[dict[str, Any]] = json.loads(re.sub(r"\bapp\b", f"app{number}", text))
    return made


def look(name: str, *must: str) -> dict[str, Any]:
    """A step that must see `must`, within a minute, and tells what every other check says."""
    others = [check for check in ALL if check not in must]
    retry = {"max_attempts": 120, "delay_seconds": 0.3}
    return {"step": "validate", "name": name, "checks": list(must), "allow_failures": others, "retry": retry}


def replay(name: str, signal: str) -> dict[str, Any]:
    """A step that stops the process on n11 that replays WAL, or lets it go on."""
    command = f"kill -{signal} $(pgrep -f 'startup re[c]overing')"
    return {
        "step": "custom_command",
        "name": name,
        "target_node": "n11",
        "shell": True,
        "custom_command": [command],
    }


def fails(name: str, step: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """A group whose step must fail, and what is seen after it."""
    return {
        "step": "group",
        "name": f"group-{name}",
        "on_rescue": "continue",
        "steps": [{**step, "name": name}],
        "rescue": [after],
    }


def undone() -> list[dict[str, Any]]:
    """The activation of a cycle from B to A that fails: A does not replay, so it never has all rows."""
    steps = cycle(2, B, A, method="passive", old="secondary")
    start = next(step for step in steps if step["step"] == "start_client")
    (switch,) = (step for step in steps if step.get("name") == "c2-switch")
    (demote,) = (step for step in switch["steps"] if step["step"] == "demote_site")
    demote["seconds"] = 5
    return [
        start,
        replay("stop-replay", "STOP"),
        {**switch, "on_rescue": "continue"},
        replay("resume-replay", "CONT"),
        look("undone", "cluster_status", f"site_primary:{B}", f"site_standby:{A}"),
        {"step": "stop_client", "name": "c2-stop", "client": "app2"},
    ]


def workflow() -> list[dict[str, Any]]:
    return [
        {"step": "init"},
        {"step": "deploy"},
        look("deployed", "cluster_status", f"site_primary:{A}", f"site_standby:{B}"),
        *cycle(1, A, B, method="passive", old="secondary"),
        look("switched", "cluster_status", f"site_primary:{B}", f"site_standby:{A}"),
        fails("second-primary", {"step": "promote_site", "site": A}, look("still", f"site_primary:{B}")),
        fails("remove-primary", {"step": "decommission_site", "site": B}, look("there", f"site_primary:{B}")),
        fails("restore-primary", {"step": "restore_site", "site": B}, look("whole", f"site_primary:{B}")),
        fails("back-up-standby", {"step": "backup_site", "site": A}, look("as-before", f"site_primary:{B}")),
        *undone(),
        *cycle(3, B, A, method="full", old="none"),
        look("fenced", f"site_fenced:{B}", f"site_primary:{A}"),
        *cycle(4, A, B, method="passive", old="decommission"),
        look("gone", f"site_absent:{A}", f"site_primary:{B}"),
        {"step": "destroy"},
    ]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunResult, Path]]:
    with a_desk(tmp_path_factory.mktemp("switchover")) as desk:
        test = {"parameters": shipped()["parameters"], "workflow": workflow()}
        (desk.folder / "switchover.json").write_text(json.dumps({"test_suites": {"switchover": test}}))
        done = desk.call("run", "switchover.json", seconds=1500)
        assert done.code == 0, done.said
        yield desk.result(), desk.newest()


def step(ran: tuple[RunResult, Path], name: str) -> StepResult:
    (found,) = (step for step in ran[0].tests[0].workflow_steps if step.id.partition("-")[2] == name)
    return found


def outcomes(ran: tuple[RunResult, Path], name: str) -> dict[str, CheckResult]:
    """What each check said last in a step that passed."""
    found = step(ran, name)
    assert found.verdict == "pass", found.error
    return {result.check: result for result in found.validation_results}


def green(ran: tuple[RunResult, Path], name: str) -> set[str]:
    return {check for check, result in outcomes(ran, name).items() if result.passed is True}


def proof(ran: tuple[RunResult, Path], name: str) -> str:
    (found,) = step(ran, name).proofs
    assert found.proved
    return found.how


def outage(ran: tuple[RunResult, Path], client: str) -> list[float]:
    """Seconds of each outage of writes that a client saw; it must have lost nothing."""
    (told,) = (each for each in ran[0].tests[0].clients if each.name == client)
    assert (told.lost_count, told.resurrected_count) == (0, 0)
    assert not told.findings
    return [window.seconds for window in told.outages if window.kind == "writes"]


def test_all_cycles_pass_and_leave_nothing(ran: tuple[RunResult, Path]) -> None:
    (test,) = ran[0].tests
    print({step.id: round(step.duration, 1) for step in test.workflow_steps}, round(test.duration))
    print({client.name: [round(each.seconds, 2) for each in client.outages] for client in test.clients})
    assert (test.verdict, test.cause) == PASS
    assert traces(ran[1]) == []


def test_checks_tell_which_site_is_what(ran: tuple[RunResult, Path]) -> None:
    first, second = green(ran, "deployed"), green(ran, "switched")
    healthy = {"cluster_status", f"site_primary:{A}", f"site_standby:{B}"}
    assert first - {f"site_lag:1000:{B}"} == healthy
    exchanged = {"cluster_status", f"site_primary:{B}", f"site_standby:{A}"}
    assert second - {f"site_lag:1000:{A}"} == exchanged
    assert "streams from n12" in outcomes(ran, "switched")[f"site_standby:{A}"].message


def test_a_switchover_has_every_row_at_the_other_site_first(ran: tuple[RunResult, Path]) -> None:
    told = re.fullmatch(
        r"n11 was stopped cleanly at (\S+); n12 has replayed all of it, to (\S+); n11 is standby_leader in recovery .*",
        proof(ran, "c1-demote"),
    )
    assert told, proof(ran, "c1-demote")
    assert told[1] != told[2]
    assert "n12 leads on timeline 2 and committed" in proof(ran, "c1-promote")
    (window,) = outage(ran, "app1")
    assert window > 0


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("second-primary", "n12 of site_b takes writes; demote site_b before"),
        ("remove-primary", "n12 of site_b takes writes; demote site_b before"),
        ("restore-primary", "n12 of site_b takes writes; demote site_b before"),
        ("back-up-standby", "takes writes by the word of Patroni, so there is nothing to back up"),
    ],
)
def test_what_would_lose_rows_is_refused(ran: tuple[RunResult, Path], name: str, says: str) -> None:
    refused = step(ran, name)
    assert refused.verdict is Verdict.FAIL
    assert says in refused.error


def test_a_failed_activation_is_undone(ran: tuple[RunResult, Path]) -> None:
    failed = step(ran, "c2-demote")
    assert failed.verdict is Verdict.FAIL
    assert re.search(r"site_a has replayed WAL to \S+ only, and n12 stopped at ", failed.error)
    assert step(ran, "c2-promote").verdict is not Verdict.PASS
    assert "n12 leads on timeline 3 and committed" in proof(ran, "c2-undo-demote")
    assert outage(ran, "app2")


def test_a_site_is_made_from_the_backup_and_the_old_one_fenced(ran: tuple[RunResult, Path]) -> None:
    restored = [each.how for each in step(ran, "c3-restore").proofs]
    assert any(re.match(r"n11 was restored from \d{8}-\d{6}F\S* and streams", how) for how in restored), (
        restored
    )
    fenced = green(ran, "fenced")
    assert {"cluster_degraded", f"site_fenced:{B}", f"site_primary:{A}"} <= fenced
    assert not {"cluster_status", f"site_standby:{B}", f"site_lag:1000:{B}"} & fenced
    outage(ran, "app3")


def test_a_fenced_site_takes_part_again_and_the_old_one_goes(ran: tuple[RunResult, Path]) -> None:
    assert any("n12 was restored from" in each.how for each in step(ran, "c4-rejoin").proofs)
    gone = green(ran, "gone")
    assert {f"site_absent:{A}", f"site_primary:{B}"} <= gone
    assert not {"cluster_status", f"site_standby:{A}", f"site_fenced:{B}"} & gone
    outage(ran, "app4")

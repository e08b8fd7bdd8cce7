"""A failure put into a cycle: which one, where its steps stand, and what its outcome is called."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from e2e_ansible.compile.compiler import compile_test
from e2e_ansible.compile.plan import FlowGroup, FlowItem, FlowStep, Plan
from e2e_ansible.errors import UsageError
from e2e_ansible.judge.result import FaultResult, StepResult, TestResult
from e2e_ansible.soak.injection import draw, inject, inserted, outcome, planned
from e2e_ansible.soak.options import PlannedInjection, SoakOptions
from e2e_ansible.soak.phases import Phases
from e2e_ansible.soak.scenario import phases_of, possible, scenario_named, usual_target
from e2e_ansible.steps.registry import step_types
from e2e_ansible.suite.load import parse_suite
from e2e_ansible.suite.model import SourceRef, Suite, Test
from e2e_ansible.verdict import Cause, Status, Verdict

Step = dict[str, Any]
SOURCE = SourceRef(file="s.json", line=1, column=1)
SERVED = {"backup": True, "exporter": True}


def command(name: str, **more: Any) -> Step:
    return {"step": "custom_command", "name": name, "custom_command": ["true"], **more}


CYCLE: tuple[Step, ...] = (
    {"step": "deploy"},
    command("look", phase="preflight"),
    command("act", phase="activation"),
    {
        "step": "group",
        "phase": "activation",
        "steps": [command("more")],
        "rescue": [command("back")],
    },
    command("close", phase="finalization"),
    {"step": "destroy"},
)


def suite_of(steps: Sequence[Step] = CYCLE, **parameters: Any) -> Suite:
    given = {"cluster_size": 2, "admin_ui": False, **SERVED, **parameters}
    text = json.dumps({"test_suites": {"t": {"parameters": given, "workflow": list(steps)}}}, indent=1)
    return parse_suite(text.encode(), "s.json")


def one(steps: Sequence[Step] = CYCLE, **parameters: Any) -> Test:
    return suite_of(steps, **parameters).tests[0]


def into(
    phase: str = "activation", scenario: str = "kill_observability", target: str = ""
) -> PlannedInjection:
    return PlannedInjection(cycle=3, scenario=scenario, phase=phase, target=target)


def compiled(test: Test) -> Plan:
    return compile_test(suite_of(), test, step_types())


def names(plan: Plan) -> list[tuple[str, str]]:
    return [(step.id.partition("-")[2], step.phase) for step in plan.steps]


def words(items: Sequence[FlowItem]) -> list[Any]:
    """The flow as nested lists of names."""
    said: list[Any] = []
    for item in items:
        if isinstance(item, FlowStep):
            said.append(item.step.partition("-")[2])
        elif isinstance(item, FlowGroup):
            parts = {"rescue": words(item.rescue), "final": words(item.final)}
            said.append([words(item.body), {key: part for key, part in parts.items() if part}])
    return said


# ---- which


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("pause-backup", "pause_backup"),
        ("pause_backup", "pause_backup"),
        ("delay-restore", "delay_restore"),
        ("kill-observability", "kill_observability"),
        ("kill-observability-pod", "kill_observability"),
        ("packet-loss", "packet_loss"),
        ("kill", "kill"),
        ("random", "random"),
    ],
)
def test_scenarios_have_the_names_of_the_command_line_and_of_faults(given: str, meant: str) -> None:
    assert scenario_named(given) == meant


@pytest.mark.parametrize(
    ("given", "near"),
    [("pause-bakcup", "pause-backup"), ("randon", "random"), ("partion", "partition")],
)
def test_an_unknown_one_gets_the_nearest(given: str, near: str) -> None:
    with pytest.raises(UsageError, match=f"nothing named '{given}' can be injected") as caught:
        scenario_named(given)
    assert caught.value.hint == f"did you mean {near!r}?"


def test_random_draws_only_what_the_test_has() -> None:
    assert possible(one()) == ("pause_backup", "delay_restore", "kill_observability")
    assert possible(one(exporter=False)) == ("pause_backup", "delay_restore")
    assert possible(one(backup=False)) == ("kill_observability",)
    assert possible(one(cluster_size=1, database="standalone")) == ("pause_backup", "kill_observability")
    assert possible(one(database="standalone")) == ("pause_backup", "kill_observability")
    with pytest.raises(UsageError, match="nothing can be injected at random"):
        planned(SoakOptions(inject="random"), one(backup=False, exporter=False), 1)


def test_targets_are_where_the_subject_is() -> None:
    test = one(clients=1)
    assert usual_target("pause_backup", test) == "c11"
    assert usual_target("delay_restore", one()) == "n12"
    assert usual_target("kill_observability", test) == "n11"
    assert usual_target("partition", test) == "primary"
    assert usual_target("kill", one(database="standalone")) == "n11"
    assert usual_target("pause_backup", one(database="standalone")) == "n11"


def test_what_a_cycle_draws_depends_on_the_seed_and_the_cycle_alone() -> None:
    options, test = SoakOptions(inject="random", seed=7), one()
    forward = [planned(options, test, cycle) for cycle in range(1, 301)]
    backward = [planned(options, test, cycle) for cycle in range(300, 0, -1)]
    assert forward == backward[::-1]
    drawn = Counter((each.scenario, each.phase) for each in forward if each)
    assert len(drawn) == 9 and min(drawn.values()) > 15, drawn
    other = [planned(options.model_copy(update={"seed": 8}), test, cycle) for cycle in range(1, 301)]
    assert sum(one != two for one, two in zip(forward, other, strict=True)) > 200


def test_what_is_drawn_stays_the_same_for_ever() -> None:
    """A seed in an old report must still mean the same."""
    found = [draw(1, cycle, ("a", "b", "c"), ("x", "y")) for cycle in range(1, 7)]
    assert [each.scenario + each.phase for each in found] == ["cy", "bx", "ay", "cx", "cx", "ay"]


def test_random_keeps_to_the_phase_that_the_user_gave() -> None:
    options = SoakOptions(inject="random", inject_at_phase="finalization")
    assert {planned(options, one(), cycle).phase for cycle in range(1, 30)} == {"finalization"}  # type: ignore[union-attr]


def test_one_scenario_goes_into_every_cycle_at_activation_unless_told_otherwise() -> None:
    found = planned(SoakOptions(inject="pause-backup"), one(), 5)
    assert found == PlannedInjection(cycle=5, scenario="pause_backup", phase="activation")
    without = one([{"step": "deploy"}, command("a", phase="first"), command("b", phase="second")])
    found = planned(SoakOptions(inject="pause-backup"), without, 5)
    assert found and found.phase == "first"
    assert planned(SoakOptions(), one(), 5) is None


def test_a_schedule_wins_and_leaves_other_cycles_alone() -> None:
    options = SoakOptions(inject="random", schedule=(into(), into().model_copy(update={"cycle": 9})))
    found = [cycle for cycle in range(1, 20) if planned(options, one(), cycle)]
    assert found == [3, 9]


@pytest.mark.parametrize(
    ("injection", "test", "problem", "hint"),
    [
        (into("activaton"), one(), "at phase 'activaton'", "did you mean 'activation'?"),
        (into(target="n13"), one(), "there is no target 'n13'", "did you mean 'n1"),
        (into(scenario="corruption"), one(), "it needs options: relation", "write a step fault"),
        (into(scenario="panic"), one(), "cannot do faults of the kernel", "share kernel"),
        (into(), one([{"step": "deploy"}]), "has no phase that something can be injected into", "'phase'"),
        (
            into("gone"),
            one([command("a", phase="p"), {"step": "destroy", "phase": "gone"}]),
            "'gone'",
            "known: p",
        ),
        (
            into("early"),
            one([command("a", phase="early"), {"step": "deploy", "phase": "late"}]),
            "no phase",
            "",
        ),
        (into(target="minority"), one(), "needs at least 3 nodes", "this test has 2"),
    ],
)
def test_what_a_test_cannot_have_is_told(
    injection: PlannedInjection, test: Test, problem: str, hint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        inject(test, injection)
    assert problem in str(caught.value) and hint in caught.value.hint


# ---- into the steps


def test_the_failure_comes_before_the_phase_and_its_heal_after_the_cycle() -> None:
    plan = compiled(inject(one(), into()))
    assert words(plan.flow) == [
        "deploy",
        [
            [
                "look",
                "continuity-begin",
                [["injected"], {"rescue": ["injected-undone"]}],
                "act",
                [["more"], {"rescue": ["back"]}],
                "injected-over",
                "close",
            ],
            {"final": ["injected-healed", "continuity-end", "continuity-check"]},
        ],
        "destroy",
    ]
    attempt = plan.flow[1].body[2]  # type: ignore[union-attr]
    assert attempt.on_rescue == "continue"  # type: ignore[union-attr]


def test_after_the_last_phase_it_is_healed_only_once() -> None:
    (_, (body, parts), _) = words(compiled(inject(one(), into("finalization"))).flow)
    assert body[-1] == "close"
    assert parts == {"final": ["injected-healed", "continuity-end", "continuity-check"]}


def test_steps_keep_their_phases_and_the_heal_has_none() -> None:
    assert names(compiled(inject(one(), into()))) == [
        ("deploy", ""),
        ("look", "preflight"),
        ("continuity-begin", "activation"),
        ("injected", "activation"),
        ("injected-undone", "activation"),
        ("act", "activation"),
        ("more", "activation"),
        ("back", "activation"),
        ("injected-over", "activation"),
        ("close", "finalization"),
        ("injected-healed", ""),
        ("continuity-end", ""),
        ("continuity-check", ""),
        ("destroy", ""),
    ]


def test_inserted_steps_come_from_the_first_line_of_the_phase() -> None:
    test = one()
    plan = compiled(inject(test, into()))
    line = next(step.source for step in test.steps if step.options.phase == "activation")
    assert {step.source for step in plan.steps if step.id.partition("-")[2].startswith(("inj", "cont"))} == {
        line
    }


def test_names_never_clash() -> None:
    steps = (
        {"step": "deploy"},
        {"step": "start_client", "client": "continuity", "phase": "a"},
        {"step": "group", "phase": "a", "steps": [command("injected"), command("continuity-check-2")]},
        {"step": "stop_client", "client": "continuity", "phase": "a"},
    )
    plan = compiled(inject(one(steps), into("a")))
    assert [name for name, _ in names(plan)] == [
        "deploy",
        "continuity-begin-3",
        "injected-3",
        "injected-undone-3",
        "start-client",
        "injected",
        "continuity-check-2",
        "stop-client",
        "injected-healed-3",
        "continuity-end-3",
        "continuity-check-3",
    ]
    assert "continuity-3" in plan.steps[1].description or plan.steps[1].client
    assert [step.client.name for step in plan.steps if step.client] == [
        "continuity-3",
        "continuity",
        "continuity",
        "continuity-3",
    ]


def test_a_restore_is_held_up_only_for_a_while() -> None:
    plan = compiled(inject(one(), into(scenario="delay_restore")))
    assert "fault_expires_seconds: 20" in plan.files["playbooks/04-injected.yml"]


def test_every_fault_that_can_be_injected_compiles_at_every_phase() -> None:
    for fault in ("kill", "pause", "partition", "crash", "reboot", "disk_full", "cpu_pressure"):
        for phase in phases_of(one()):
            compiled(inject(one(), into(phase, fault)))


# ---- what came of it


def step(plan: Plan, name: str, verdict: Verdict | None, **more: Any) -> StepResult:
    """A result of the step of this name."""
    found = next(each for each in plan.steps if each.id.partition("-")[2] == name)
    status = {Verdict.PASS: Status.COMPLETED, None: Status.SKIPPED}.get(verdict, Status.FAILED)
    return StepResult(
        index=found.index,
        id=found.id,
        step_type=found.type,
        description="",
        phase=found.phase,
        status=status,
        verdict=verdict,
        source=found.source,
        **more,
    )


def result(verdicts: dict[str, Verdict | None], *faults: FaultResult, **more: Any) -> TestResult:
    plan = compiled(inject(one(), into()))
    steps = [step(plan, name, verdicts.get(name, Verdict.PASS)) for name, _ in names(plan)]
    steps = [each.model_copy(update=more) if each.id == "04-injected" else each for each in steps]
    return TestResult(
        deployment_id="d",
        name="t",
        provider="local",
        success=False,
        verdict=Verdict.FAIL,
        cause=Cause.PRODUCT,
        error="02-look: it was closed",
        workflow_steps=tuple(steps),
        faults=faults,
    )


def of_ledger(*, open_: bool = False) -> FaultResult:
    return FaultResult(
        id="04-injected/n11",
        fault="kill_observability",
        node="n11",
        step="04-injected",
        intended=1.0,
        open=open_,
        message="it is still there" if open_ else "healed",
    )


def test_a_failure_that_took_and_was_undone() -> None:
    found = outcome(result({}, of_ledger()), into())
    assert (found.success, found.undone) == (True, True)
    assert found.details["nodes"] == ["n11"]
    assert found.details["continuity"] == "pass"


def test_a_failure_that_did_not_take() -> None:
    made = result({"injected": Verdict.UNKNOWN}, of_ledger(), error="there is nothing to kill")
    found = outcome(made, into())
    assert (found.success, found.undone) == (False, True)
    assert found.message == "kill_observability did not take: there is nothing to kill"


def test_one_that_is_still_there_says_so() -> None:
    found = outcome(result({"continuity-check": Verdict.FAIL}, of_ledger(open_=True)), into())
    assert (found.success, found.undone, found.details["continuity"]) == (True, False, "fail")
    assert found.message.endswith("; not undone: it is still there")


def test_a_cycle_that_ended_before_it_knows_nothing() -> None:
    found = outcome(result(dict.fromkeys(["continuity-begin", "injected"], None)), into())
    assert (found.success, found.undone) == (None, None)
    assert found.message == "the cycle ended before phase activation: 02-look: it was closed"


def test_a_rehearsal_says_that_it_was_one() -> None:
    made = result(dict.fromkeys(["continuity-begin", "injected"], None), omitted="nothing was run")
    assert outcome(made, into()).message == "kill_observability was not tried: nothing was run"


@pytest.mark.parametrize("took", [Verdict.PASS, Verdict.UNKNOWN])
def test_a_phase_is_what_its_own_steps_are_whether_the_failure_took_or_not(took: Verdict) -> None:
    plan = compiled(inject(one(), into()))
    left = {"back": None, "injected-undone": Verdict.PASS if took is Verdict.UNKNOWN else None}
    phases = Phases(plan)
    for name, _ in names(plan):
        if (verdict := {"injected": took, **left}.get(name, Verdict.PASS)) is not None:
            phases.ends(step(plan, name, verdict, started=1.0, ended=2.0), 2.0)
    phases.over()
    found = {name: each.verdict for name, each in phases.outcomes.items()}
    assert found == dict.fromkeys(("preflight", "activation", "finalization"), Verdict.PASS)


def test_inserted_steps_are_known_by_the_result() -> None:
    found = inserted(result({}), into())
    assert sorted(found) == [
        "03-continuity-begin",
        "04-injected",
        "05-injected-undone",
        "09-injected-over",
        "11-injected-healed",
        "12-continuity-end",
        "13-continuity-check",
    ]
    assert inserted(result({}), into("preflight")) == frozenset()
    assert outcome(result({}), into("preflight")).success is None

"""Steps that act on a site: whom they act on, what the role is told, and what is refused before anything starts."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from e2e_ansible.compile.compiler import compile_suite
from e2e_ansible.errors import SuiteError, UsageError
from e2e_ansible.steps.base import CompileContext, CompiledStep
from e2e_ansible.steps.deploy import Deploy, DeployOptions
from e2e_ansible.steps.judgement import Replay
from e2e_ansible.steps.registry import step_types
from e2e_ansible.suite import model
from e2e_ansible.suite.load import load_suite
from e2e_ansible.suite.model import Suite
from e2e_ansible.verdict import Cause, Verdict

REPOSITORY = Path(__file__).resolve().parents[3]
A, B = ("n11", "n12"), ("n13",)


def context(*order: str, **parameters: Any) -> CompileContext:
    given = {"database": "patroni", "sites": {"site_a": 2, "site_b": 1}, "clients": 1, **parameters}
    entry = model.TestEntry.model_validate({"parameters": given})
    contexts = (order[0], order[1]) if order else None
    return CompileContext("local", entry.nodes, entry.labels, entry.parameters, "n11", contexts=contexts)


def compiled(step: str, *, backup: bool = True, **given: Any) -> CompiledStep:
    kind = step_types()[step]
    options = kind.options.model_validate({"step": step, **given})
    return kind.compile(options, context("site_a", "site_b", backup=backup))


@pytest.mark.parametrize(
    ("step", "given", "state", "nodes"),
    [
        ("demote_site", {"site": "site_a", "follow": "site_b"}, "standby", A),
        ("demote_site", {"site": "site_b"}, "fenced", B),
        ("promote_site", {"site": "site_b"}, "primary", B),
        ("restore_site", {"site": "site_a"}, "restored", A),
        ("decommission_site", {"site": "site_a"}, "absent", A),
    ],
)
def test_all_members_of_the_site_prove_its_state(
    step: str, given: dict[str, Any], state: str, nodes: tuple[str, ...]
) -> None:
    made = compiled(step, **given)
    (play,) = made.plays
    variables = play["roles"][0]["vars"]
    assert play["hosts"] == (list(nodes) if len(nodes) > 1 else nodes[0])
    assert variables["site_state"] == state
    assert variables["site_members"] == list(nodes)
    assert variables["site_others"] == list(B if nodes == A else A)
    assert made.hosts == made.judgement.proofs == nodes
    assert (made.judgement.failure_cause, made.judgement.unproved) == (Cause.PRODUCT, Verdict.FAIL)
    assert made.replay is Replay.VERIFY_FIRST
    assert made.deadline_seconds > variables["site_deadline_seconds"]


def test_only_a_site_that_is_lost_is_not_asked() -> None:
    (play,) = compiled("promote_site", site="site_b", force=True, seconds=7).plays
    assert play["roles"][0]["vars"]["site_force"] is True
    assert play["roles"][0]["vars"]["site_deadline_seconds"] == 7
    (play,) = compiled("promote_site", site="site_b").plays
    assert "site_force" not in play["roles"][0]["vars"]


def test_a_backup_is_made_where_the_repository_is() -> None:
    made = compiled("backup_site", site="site_a", type="diff")
    (play,) = made.plays
    assert play["hosts"] == "c11"
    variables = play["roles"][0]["vars"]
    assert (variables["pgbackrest_state"], variables["pgbackrest_backup_type"]) == ("backed_up", "diff")
    assert variables["pgbackrest_backup_of"] == list(A)


@pytest.mark.parametrize("step", ["restore_site", "backup_site"])
def test_without_backups_there_is_nothing_to_restore(step: str) -> None:
    with pytest.raises(UsageError, match=f"{step} needs backups") as caught:
        compiled(step, backup=False, site="site_a")
    assert "parameter backup" in str(caught.value.hint)


def test_a_site_cannot_follow_itself() -> None:
    with pytest.raises(ValidationError, match="site_a cannot follow itself"):
        compiled("demote_site", site="site_a", follow="site_a")


@pytest.mark.parametrize("order", [("site_a", "site_b"), ("site_b", "site_a")])
def test_the_second_context_is_made_as_a_standby_of_the_first(order: tuple[str, str]) -> None:
    made = Deploy().compile(DeployOptions(step="deploy"), context(*order))
    nodes = {"site_a": list(A), "site_b": list(B)}
    found = [
        (play, role) for play in made.plays for role in play.get("roles", ()) if role["role"] == "patroni"
    ]
    assert [role["vars"]["patroni_scope"] for _, role in found] == list(order)
    assert [role["vars"]["patroni_members"] for _, role in found] == [nodes[site] for site in order]
    first, second = (role["vars"] for _, role in found)
    assert "patroni_standby_of" not in first
    assert all(node in second["patroni_standby_of"]["host"] for node in nodes[order[0]])
    etcd = [
        play["roles"][0]["vars"]["etcd_members"]
        for play in made.plays
        if play["name"].startswith("Install etcd")
    ]
    assert etcd == [nodes[site][:1] for site in order]
    assert len({play["name"] for play in made.plays}) == len(made.plays)


def problems(tmp_path: Path, *steps: dict[str, Any], **parameters: Any) -> str:
    given = {"database": "patroni", "sites": {"site_a": 1, "site_b": 1}, **parameters}
    test = {"parameters": given, "workflow": list(steps)}
    file = tmp_path / "suite.json"
    file.write_text(json.dumps({"test_suites": {"test": test}}, indent=1))
    with pytest.raises(SuiteError) as caught:
        load_suite(file)
    return str(caught.value)


def test_a_site_that_is_none_is_told_with_the_nearest(tmp_path: Path) -> None:
    said = problems(
        tmp_path,
        {"step": "demote_site", "site": "site_a", "follow": "sit_b"},
        {"step": "validate", "checks": ["site_primary:site_c", "site_lag:many:site_a"]},
    )
    assert "this test has no site 'sit_b'" in said
    assert "did you mean 'site_b'?" in said
    assert "this test has no site 'site_c'" in said
    assert "'many' in check 'site_lag' is no number of bytes" in said


def test_without_sites_there_is_none_to_act_on(tmp_path: Path) -> None:
    said = problems(tmp_path, {"step": "promote_site", "site": "site_a"}, sites=None)
    assert "this test has no site 'site_a'" in said
    assert "name two in the parameter 'sites'" in said
    assert "needs the parameter sites" in problems(
        tmp_path, {"step": "validate", "checks": ["site_primary:site_a"]}, sites=None
    )


@pytest.mark.parametrize("order", [("site_a", "site_b"), ("site_b", "site_a")])
@pytest.mark.parametrize("name", ["switchover", "switchover_full", "switchover_decommission"])
def test_the_shipped_suite_goes_both_ways(name: str, order: tuple[str, str]) -> None:
    suite = load_suite(REPOSITORY / "suites/switchover.yaml", contexts=order)
    (test,) = (test for test in suite.tests if test.name == name)
    (plan,) = compile_suite(Suite(suite.file, suite.digest, (test,)), step_types())
    assert plan.contexts == order
    phases = [phase for phase, _ in itertools.groupby(step.phase for step in plan.steps)]
    assert phases == ["", "preflight", "primary_prep", "activation", "post_activation", "finalization", ""]
    steps = {step.id.partition("-")[2]: step for step in plan.steps}
    nodes = {"site_a": ("n11",), "site_b": ("n12",)}
    assert (steps["demote"].hosts, steps["promote"].hosts) == tuple(nodes[site] for site in order)

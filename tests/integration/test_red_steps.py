"""Each step type in real runs whose subject is broken: none is a pass, and each says whose trouble it is."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from real_runs import (
    Act,
    Desk,
    Steps,
    compiled,
    one_test,
    run_plan,
    run_steps,
    runs_below,
    traces,
    write_suite,
)
from role_nodes import REPOSITORY, Cluster

from e2e_ansible.engine.runner import RunnerEngine
from e2e_ansible.providers.base import Operation
from e2e_ansible.providers.home import default_home
from e2e_ansible.steps.registry import step_types

pytestmark = pytest.mark.nodes

Step = dict[str, Any]
FAIL_INFRASTRUCTURE = ("fail", "infrastructure")
FAIL_PRODUCT = ("fail", "product")
UNKNOWN = ("unknown", "infrastructure")
EXIT_CODES = {FAIL_PRODUCT: 1, UNKNOWN: 3, FAIL_INFRASTRUCTURE: 4}
TWO_SECONDS = {
    "crash_node_deadline_seconds": 2,
    "node_power_deadline_seconds": 2,
    "reboot_node_deadline_seconds": 2,
}
NODES: Step = {"step": "make_nodes"}
CRASH: Step = {"step": "crash_node", "target_node": "n11"}
STOP: Step = {"step": "stop_node", "target_node": "n11"}
START: Step = {"step": "start_node", "target_node": "n11"}
RESTART: Step = {"step": "restart_node", "target_node": "n11"}


def on(node: str, command: str) -> Callable[[Cluster], str]:
    """An act: a command on a node."""
    return lambda cluster: cluster.ssh(node, command)


NO_POWER_OFF = "systemctl mask poweroff.target"
NO_REBOOT = "systemctl mask reboot.target"
NO_BOOT = "rm /usr/lib/systemd/systemd"
NO_CRASH = "ln -sf /bin/true /usr/sbin/poweroff"


@dataclass(frozen=True)
class Case:
    """A test that ends in a step of this type with this verdict and cause; `words` are in its error."""

    step: str
    what: str
    steps: Steps
    decision: tuple[str, str]
    words: tuple[str, ...]
    acts: Mapping[str, Act] = field(default_factory=dict)
    defaults: Mapping[str, object] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)


CASES = [
    Case(
        "deploy",
        "with a setting that PostgreSQL refuses",
        [{"step": "deploy"}],
        FAIL_PRODUCT,
        ('invalid value for parameter "log_timezone": "Nowhere/Land"',),
        parameters={"postgres_settings": {"log_timezone": "Nowhere/Land"}},
    ),
    Case(
        "deploy",
        "of a node that dies meanwhile",
        [{"step": "deploy"}],
        FAIL_INFRASTRUCTURE,
        ("01-deploy: n12: ", " is unreachable: "),
        acts={"postgresql : Create the cluster": lambda cluster: cluster.power("n12", Operation.HARD_OFF)},
        parameters={"size": 2},
    ),
    Case(
        "create_nodes",
        "of one that dies before it answers",
        [{"step": "create_nodes", "timeout_seconds": 10}],
        FAIL_INFRASTRUCTURE,
        ("01-create-nodes: not done after 10 s",),
        acts={"Wait until the nodes answer": lambda cluster: cluster.power("n11", Operation.HARD_OFF)},
    ),
    Case(
        "stop_node",
        "of a guest that ignores it",
        [NODES, STOP],
        FAIL_INFRASTRUCTURE,
        ("n11 did not power off within 2 s",),
        acts={"stop_node": on("n11", NO_POWER_OFF)},
        defaults=TWO_SECONDS,
    ),
    Case(
        "stop_node",
        "that takes longer than its step may",
        [NODES, {**STOP, "timeout_seconds": 3}],
        FAIL_INFRASTRUCTURE,
        ("02-stop-node: not done after 3 s; n11: 'node_power : Operate the power' was under way",),
        acts={"stop_node": on("n11", NO_POWER_OFF)},
    ),
    Case(
        "stop_cluster",
        "with a guest that ignores it",
        [NODES, {"step": "stop_cluster"}],
        FAIL_INFRASTRUCTURE,
        ("n12 did not power off within 2 s",),
        acts={"stop_cluster": on("n12", NO_POWER_OFF)},
        defaults=TWO_SECONDS,
        parameters={"size": 2},
    ),
    Case(
        "start_node",
        "that cannot boot",
        [NODES, STOP, START],
        FAIL_INFRASTRUCTURE,
        ("n11 did not start; its console:",),
        acts={"stop_node": on("n11", NO_BOOT)},
    ),
    Case(
        "start_cluster",
        "with a node that cannot boot",
        [NODES, {"step": "stop_cluster"}, {"step": "start_cluster"}],
        FAIL_INFRASTRUCTURE,
        ("n12 did not start; its console:",),
        acts={"stop_cluster": on("n12", NO_BOOT)},
        parameters={"size": 2},
    ),
    Case(
        "restart_node",
        "from inside that does nothing",
        [NODES, {**RESTART, "method": "ssh"}],
        UNKNOWN,
        ("n11: reboot not proved within 2 s",),
        acts={"restart_node": on("n11", NO_REBOOT)},
        defaults=TWO_SECONDS,
    ),
    Case(
        "restart_node",
        "by the provider of a guest that ignores it",
        [NODES, {**RESTART, "method": "graceful"}],
        FAIL_INFRASTRUCTURE,
        ("n11 did not power off within 2 s",),
        acts={"restart_node": on("n11", NO_POWER_OFF)},
        defaults=TWO_SECONDS,
    ),
    Case(
        "crash_node",
        "from inside that does nothing",
        [NODES, CRASH],
        UNKNOWN,
        ("n11: crash not proved within 2 s", "it still runs the boot that was to end"),
        acts={"crash_node": on("n11", NO_CRASH)},
        defaults=TWO_SECONDS,
    ),
    Case(
        "validate",
        "of a node that is away",
        [NODES, {**CRASH, "method": "destroy"}, {"step": "validate", "checks": ["all_nodes_running"]}],
        FAIL_PRODUCT,
        ("03-validate: all_nodes_running: n11 (power off) does not run",),
    ),
    Case(
        "custom_command",
        "that fails",
        [NODES, {"step": "custom_command", "custom_command": ["ls", "/no-such"], "target_node": "n11"}],
        FAIL_PRODUCT,
        ("n11: 'Run the command' failed", "/no-such"),
    ),
    Case(
        "custom_command",
        "on a node that is away",
        [
            NODES,
            {**CRASH, "method": "destroy"},
            {"step": "custom_command", "custom_command": ["true"], "target_node": "n11"},
        ],
        FAIL_INFRASTRUCTURE,
        ("n11: 'Run the command' is unreachable",),
    ),
]


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{case.step} {case.what}") for case in CASES])
def test_step(tmp_path: Path, case: Case) -> None:
    real = run_steps(tmp_path, case.steps, acts=case.acts, defaults=case.defaults, **case.parameters)
    assert real.decided(case.step) == case.decision
    assert real.result.exit_code == EXIT_CODES[case.decision]
    for text in case.words:
        assert text in str(real.test.error)


def test_init_without_a_mirror_for_the_image(desk: Desk) -> None:
    desk.variables = {"E2E_ANSIBLE_HOME": str(desk.folder / "home"), "E2E_APT_MIRROR": "http://127.0.0.1:9/"}
    suite = write_suite(desk.folder / "suite.json", test=one_test([{"step": "init"}]))
    done = desk.call("run", str(suite))
    assert done.code == 4
    (test,) = desk.result().tests
    assert (test.verdict, test.cause) == FAIL_INFRASTRUCTURE
    assert test.error is not None
    assert "mmdebstrap ended with" in test.error
    log = next(desk.folder.glob("home/images/*.log"))
    assert str(log) in test.error
    assert "127.0.0.1" in log.read_text()
    assert [path.name for path in log.parent.iterdir() if path.is_dir()] == []
    assert list(desk.folder.glob("home/deployments/*")) == []


NO_KILL = """
import os
if os.environ.get("E2E_TOKEN", "").endswith("-crash-node"):
    from e2e_ansible.providers.local.node import LocalNode
    LocalNode.hard_off = lambda self, deadline: True
"""


def test_crash_node_by_a_provider_that_does_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the process of this step's playbook, which starts anew, the provider says that it has killed the node."""
    (tmp_path / "sitecustomize.py").write_text(NO_KILL)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{REPOSITORY}")
    steps = [NODES, {"step": "crash_node", "target_node": "n11", "method": "destroy"}]
    real = run_steps(tmp_path, steps, defaults=TWO_SECONDS, engine=RunnerEngine())
    assert real.decided("crash_node") == UNKNOWN
    assert real.result.exit_code == 3
    assert "n11: crash not proved within 2 s; last seen: power on" in str(real.test.error)


def test_destroy_of_something_that_is_in_use(tmp_path: Path, desk: Desk) -> None:
    held: list[int] = []

    def hold(cluster: Cluster) -> None:
        root = default_home() / "deployments" / cluster.deployment / "nodes" / "n11" / "root"
        held.append(os.open(root, os.O_RDONLY))

    plan = compiled(tmp_path, one_test([NODES, {"step": "destroy"}]), {})
    with runs_below(tmp_path) as runs:
        try:
            real = run_plan(plan, runs, {"destroy": hold})
            assert real.decided("destroy") == ("fail", "clean-up")
            assert real.result.exit_code == 6
            root = f"{real.test.deployment_id}/nodes/n11/root"
            assert f"still mounted: {default_home()}/deployments/{root}" in str(real.test.error)
            assert "could not be removed" in real.test.clean_up
            assert any(root in line for line in traces(real.folder))
        finally:
            os.close(held[0])
        done = desk.call("destroy", real.result.run_id)
        assert done.code == 0, done.said
        assert f"deployment {real.test.deployment_id} was removed" in done.said
        assert traces(real.folder) == []


# ---- all of them

BY_THEMSELVES: Mapping[str, Callable[..., None]] = {
    "init": test_init_without_a_mirror_for_the_image,
    "destroy": test_destroy_of_something_that_is_in_use,
}

#: Steps whose cases need more than one node or a past, and the test that has them.
ELSEWHERE = {
    "tests/integration/test_switchover.py": (
        "backup_site",
        "decommission_site",
        "demote_site",
        "promote_site",
        "restore_site",
    ),
    "tests/integration/test_artifacts.py": ("build_artifact", "load_artifact"),
    "tests/integration/test_drift.py": ("drift",),
    "tests/integration/test_graph_real.py": ("install",),
    "tests/integration/test_load.py": ("run_load", "run_pgbench"),
    "tests/integration/test_run_stroppy.py": ("run_stroppy",),
    "tests/integration/test_faults.py": ("fault", "heal"),
    "tests/integration/test_clients.py": ("start_client", "stop_client"),
    "tests/unit/run/test_run_flow.py": ("group", "wait", "hypothesis"),
}


def test_every_step_type_has_a_case_that_is_no_pass() -> None:
    elsewhere = {name for names in ELSEWHERE.values() for name in names}
    assert {case.step for case in CASES} | set(BY_THEMSELVES) | elsewhere == set(step_types())
    for file, names in ELSEWHERE.items():
        text = (REPOSITORY / file).read_text()
        assert [name for name in names if name not in text] == [], file

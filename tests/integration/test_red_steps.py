"""Each step type in real runs whose subject is broken: none is a pass, and each says whose trouble it is."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from real_runs import Desk, compiled, one_test, run_plan, run_steps, runs_below, traces, write_suite
from role_nodes import REPOSITORY, Cluster

from e2e_ansible.providers.base import Operation
from e2e_ansible.providers.local.record import default_home

pytestmark = pytest.mark.nodes

FAIL_INFRASTRUCTURE = ("fail", "infrastructure")
FAIL_PRODUCT = ("fail", "product")
UNKNOWN = ("unknown", "infrastructure")
TWO_SECONDS = {
    "crash_node_deadline_seconds": 2,
    "node_power_deadline_seconds": 2,
    "reboot_node_deadline_seconds": 2,
}
NODES = {"step": "make_nodes"}


def on(node: str, command: str) -> Callable[[Cluster], str]:
    """An act: a command on a node."""
    return lambda cluster: cluster.ssh(node, command)


NO_POWER_OFF = "systemctl mask poweroff.target"
NO_BOOT = "rm /usr/lib/systemd/systemd"


# ---- init


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


# ---- deploy


def test_deploy_of_a_version_that_is_not_there(tmp_path: Path) -> None:
    real = run_steps(tmp_path, [{"step": "deploy"}], postgres_version="12")
    assert real.decided("deploy") == FAIL_INFRASTRUCTURE
    assert real.result.exit_code == 4
    assert "PostgreSQL 12 is not available here; available: 15" in str(real.test.error)


def test_deploy_with_a_setting_that_postgresql_refuses(tmp_path: Path) -> None:
    real = run_steps(tmp_path, [{"step": "deploy"}], postgres_settings={"shared_bufers": "64MB"})
    assert real.decided("deploy") == FAIL_PRODUCT
    assert real.result.exit_code == 1
    assert "no setting shared_bufers; did you mean shared_buffers?" in str(real.test.error)


def test_deploy_of_a_node_that_dies_meanwhile(tmp_path: Path) -> None:
    acts = {"postgresql : Create the cluster": lambda cluster: cluster.power("n12", Operation.HARD_OFF)}
    real = run_steps(tmp_path, [{"step": "deploy"}], size=2, acts=acts)
    assert real.decided("deploy") == FAIL_INFRASTRUCTURE
    assert real.result.exit_code == 4
    assert str(real.test.error).startswith("01-deploy: n12: ")
    assert {failure.host for failure in real.step("deploy").failures if failure.kind == "unreachable"} == {
        "n12"
    }


# ---- power


def test_stop_node_of_a_guest_that_ignores_it(tmp_path: Path) -> None:
    steps = [NODES, {"step": "stop_node", "target_node": "n11"}]
    real = run_steps(tmp_path, steps, acts={"stop_node": on("n11", NO_POWER_OFF)}, defaults=TWO_SECONDS)
    assert real.decided("stop_node") == FAIL_INFRASTRUCTURE
    assert real.result.exit_code == 4
    assert "n11 did not power off within 2 s" in str(real.test.error)


def test_stop_node_that_takes_longer_than_its_step_may(tmp_path: Path) -> None:
    steps = [NODES, {"step": "stop_node", "target_node": "n11", "timeout_seconds": 3}]
    real = run_steps(tmp_path, steps, acts={"stop_node": on("n11", NO_POWER_OFF)})
    assert real.decided("stop_node") == FAIL_INFRASTRUCTURE
    assert real.result.exit_code == 4
    under_way = "n11: 'node_power : Operate the power' was under way"
    assert real.test.error == f"02-stop-node: not done after 3 s; {under_way}"


def test_stop_cluster_with_a_guest_that_ignores_it(tmp_path: Path) -> None:
    acts = {"stop_cluster": on("n12", NO_POWER_OFF)}
    real = run_steps(tmp_path, [NODES, {"step": "stop_cluster"}], size=2, acts=acts, defaults=TWO_SECONDS)
    assert real.decided("stop_cluster") == FAIL_INFRASTRUCTURE
    assert "n12 did not power off within 2 s" in str(real.test.error)


def test_start_node_that_cannot_boot(tmp_path: Path) -> None:
    steps = [NODES, {"step": "stop_node", "target_node": "n11"}, {"step": "start_node", "target_node": "n11"}]
    real = run_steps(tmp_path, steps, acts={"stop_node": on("n11", NO_BOOT)})
    assert real.decided("start_node") == FAIL_INFRASTRUCTURE
    assert real.result.exit_code == 4
    assert "n11 did not start; its console:" in str(real.test.error)


def test_start_cluster_with_a_node_that_cannot_boot(tmp_path: Path) -> None:
    steps = [NODES, {"step": "stop_cluster"}, {"step": "start_cluster"}]
    real = run_steps(tmp_path, steps, size=2, acts={"stop_cluster": on("n12", NO_BOOT)})
    assert real.decided("start_cluster") == FAIL_INFRASTRUCTURE
    assert "n12 did not start; its console:" in str(real.test.error)


@pytest.mark.parametrize(
    ("method", "masked", "decision", "words"),
    [
        ("ssh", "reboot.target", UNKNOWN, "n11: reboot not proved within 2 s"),
        ("graceful", "poweroff.target", FAIL_INFRASTRUCTURE, "n11 did not power off within 2 s"),
    ],
)
def test_restart_node_that_does_not(
    tmp_path: Path, method: str, masked: str, decision: tuple[str, str], words: str
) -> None:
    steps = [NODES, {"step": "restart_node", "target_node": "n11", "method": method}]
    acts = {"restart_node": on("n11", f"systemctl mask {masked}")}
    real = run_steps(tmp_path, steps, acts=acts, defaults=TWO_SECONDS)
    assert real.decided("restart_node") == decision
    assert words in str(real.test.error)


# ---- crash


def test_crash_node_from_inside_that_does_nothing(tmp_path: Path) -> None:
    steps = [NODES, {"step": "crash_node", "target_node": "n11"}]
    acts = {"crash_node": on("n11", "ln -sf /bin/true /usr/sbin/poweroff")}
    real = run_steps(tmp_path, steps, acts=acts, defaults=TWO_SECONDS)
    assert real.decided("crash_node") == UNKNOWN
    assert real.result.exit_code == 3
    assert "n11: crash not proved within 2 s" in str(real.test.error)
    assert "it still runs the boot that was to end" in str(real.test.error)


NO_KILL = """
import os
if os.environ.get("E2E_TOKEN", "").endswith("-crash-node"):
    from e2e_ansible.providers.local.node import LocalNode
    LocalNode.hard_off = lambda self, deadline: True
"""


def test_crash_node_by_a_provider_that_does_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the process of this step's playbook, the provider says that it has killed the node."""
    (tmp_path / "sitecustomize.py").write_text(NO_KILL)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{REPOSITORY}")
    steps = [NODES, {"step": "crash_node", "target_node": "n11", "method": "destroy"}]
    real = run_steps(tmp_path, steps, defaults=TWO_SECONDS)
    assert real.decided("crash_node") == UNKNOWN
    assert real.result.exit_code == 3
    assert "n11: crash not proved within 2 s; last seen: power on" in str(real.test.error)


# ---- custom_command


def test_custom_command_that_fails(tmp_path: Path) -> None:
    command = {"step": "custom_command", "custom_command": ["ls", "/no-such-file"], "target_node": "n11"}
    real = run_steps(tmp_path, [NODES, command])
    assert real.decided("custom_command") == FAIL_PRODUCT
    assert real.result.exit_code == 1
    assert "n11: 'Run the command' failed" in str(real.test.error)
    assert "/no-such-file" in str(real.test.error)


def test_custom_command_on_a_node_that_is_away(tmp_path: Path) -> None:
    steps = [
        NODES,
        {"step": "crash_node", "target_node": "n11", "method": "destroy"},
        {"step": "custom_command", "custom_command": ["true"], "target_node": "n11"},
    ]
    real = run_steps(tmp_path, steps)
    assert real.decided("custom_command") == FAIL_INFRASTRUCTURE
    assert real.result.exit_code == 4
    assert "n11: 'Run the command' is unreachable" in str(real.test.error)


# ---- validate and its check that needs a writer


def test_data_integrity_with_all_rows_and_without_one(tmp_path: Path) -> None:
    delete = (
        "with gone as (delete from e2e.integrity where id = 3 returning id) select 1 / count(*) from gone"
    )
    psql = ["runuser", "-u", "postgres", "--", "psql", "-c", delete]
    look = {"step": "validate", "checks": ["data_integrity"]}
    steps = [
        {"step": "deploy"},
        look,
        {"step": "custom_command", "target_node": "n11", "custom_command": psql},
        look,
    ]
    real = run_steps(tmp_path, steps)
    before, after = (step for step in real.test.workflow_steps if step.step_type == "validate")
    assert (before.verdict, before.cause) == ("pass", None)
    assert before.validation_results[0].message.startswith("n11 holds all ")
    assert real.decided("validate") == FAIL_PRODUCT
    assert real.result.exit_code == 1
    assert "n11 lacks 1 of " in str(after.error)
    assert str(after.error).endswith(" acknowledged rows: 3")


# ---- destroy


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

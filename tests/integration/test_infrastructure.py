"""Machines, networks, disks and packages that fail: each is told as such, with a log to read, and nothing is left."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from real_runs import (
    Act,
    Desk,
    Steps,
    compiled,
    deployment_traces,
    one_test,
    run_plan,
    run_steps,
    small_disk,
    traces,
    write_suite,
)
from role_nodes import Cluster

from e2e_ansible.engine.runner import RunnerEngine
from e2e_ansible.errors import InfrastructureError, ProviderError
from e2e_ansible.providers.base import DeploymentSpec, NodeSpec
from e2e_ansible.providers.home import default_home
from e2e_ansible.providers.local.driver import LocalProvider
from e2e_ansible.providers.local.record import Deployment, Store

pytestmark = pytest.mark.nodes

Step = dict[str, Any]
INFRASTRUCTURE = ("fail", "infrastructure")
NODES: Step = {"step": "make_nodes"}
DEPLOY: Step = {"step": "deploy"}
SLEEP: Step = {"step": "custom_command", "custom_command": ["sleep", "60"], "target_node": "n11"}
TRUE: Step = {"step": "custom_command", "custom_command": ["true"], "target_node": "n11"}
ON_CONTROLLER: Step = {"step": "custom_command", "custom_command": ["true"]}


def record(cluster: Cluster) -> Deployment:
    return Store(default_home()).load(cluster.deployment)


def cut_the_cable(cluster: Cluster) -> None:
    interface = record(cluster).record.nodes[0].interface
    subprocess.run(["ip", "link", "set", interface, "down"], check=True)


def end_ssh(cluster: Cluster) -> None:
    """The server, and the connections that are open."""
    cluster.inside("n11", "systemctl", "stop", "ssh.socket", "ssh.service")
    cluster.inside("n11", "pkill", "-KILL", "-x", "sshd")


def hang_up(cluster: Cluster) -> None:
    """End the connections that are open; the server goes on."""
    cluster.inside("n11", "pkill", "-KILL", "-f", "^sshd: root")


def change_the_key(cluster: Cluster) -> None:
    """The controller has another key than the node knows."""
    key = record(cluster).key
    key.unlink()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True, input=b"y\n")
    hang_up(cluster)


def change_the_host(cluster: Cluster) -> None:
    """At the address of the node, another machine answers than the controller knows."""
    there = record(cluster)
    address = there.record.nodes[0].address
    there.known_hosts.write_text(f"{address} {there.key.with_name('id_ed25519.pub').read_text()}")
    hang_up(cluster)


def fill_the_disk(cluster: Cluster) -> None:
    mount = "mount -t tmpfs -o size=8m,uid=postgres,gid=postgres tmpfs /var/lib/postgresql"
    cluster.ssh("n11", mount)


def break_the_source(cluster: Cluster) -> None:
    """PostgreSQL is not there, and the source that the package lists are from is gone."""
    cluster.ssh("n11", "dpkg --purge --force-depends postgresql-15 postgresql")
    cluster.ssh(
        "n11", "rm -r /etc/apt/sources.list.d; ls /usr/lib/postgresql/15/bin/postgres && exit 1; true"
    )
    cluster.ssh("n11", "tee /etc/apt/sources.list", text="deb file:/gone bookworm main\n")


@dataclass(frozen=True)
class Case:
    """What is done when, and words of the error."""

    what: str
    steps: Steps
    acts: Mapping[str, Act]
    words: tuple[str, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)


CASES = [
    Case(
        "sshd ends",
        [NODES, TRUE],
        {"custom_command": end_ssh},
        ("n11: 'Run the command' is unreachable: ", "Connection refused"),
    ),
    Case(
        "the cable is cut while PostgreSQL is installed",
        [DEPLOY],
        {"postgresql : Create the cluster": cut_the_cable},
        ("01-deploy: n11: 'postgresql : ", " is unreachable: "),
    ),
    Case(
        "the key is another one",
        [NODES, TRUE],
        {"custom_command": change_the_key},
        ("n11: 'Run the command' is unreachable: ", "Permission denied (publickey"),
    ),
    Case(
        "the machine is another one",
        [NODES, TRUE],
        {"custom_command": change_the_host},
        ("n11: 'Run the command' is unreachable: ", "REMOTE HOST IDENTIFICATION HAS CHANGED"),
    ),
    Case(
        "the disk of a node is full",
        [NODES, DEPLOY],
        {"deploy": fill_the_disk},
        ("02-deploy: n11: ", "No space left on device"),
    ),
    Case(
        "the source of packages is gone",
        [NODES, DEPLOY],
        {"deploy": break_the_source},
        (
            "02-deploy: n11: ",
            "package lists could not be renewed: E: The repository 'file:/gone bookworm Release'",
        ),
        parameters={"postgres_version": "15"},
    ),
]


@pytest.mark.parametrize("case", [pytest.param(case, id=case.what) for case in CASES])
def test_infrastructure_that_fails(tmp_path: Path, case: Case) -> None:
    real = run_steps(tmp_path, case.steps, acts=case.acts, **case.parameters)
    assert (real.test.verdict, real.test.cause) == INFRASTRUCTURE, real.test.error
    assert real.result.exit_code == 4
    for text in case.words:
        assert text in str(real.test.error)
    folder = real.folder / real.test.folder
    failed = real.test.workflow_steps[-1]
    assert "fatal: [n11]" in (folder / f"steps/{failed.id}/ansible.log").read_text()
    assert "Traceback" not in (folder / "test.log").read_text()


def test_a_node_that_falls_silent_does_not_hide_the_logs_of_another(tmp_path: Path) -> None:
    """The step ends long before its deadline."""
    real = run_steps(tmp_path, [NODES, SLEEP], acts={"Run the command": cut_the_cable}, size=2)
    assert real.decided("custom_command") == INFRASTRUCTURE
    assert "n11: 'Run the command' is unreachable: " in str(real.test.error)
    folder = real.folder / real.test.folder / "evidence"
    assert (folder / "n11/UNREACHABLE.txt").stat().st_size > 0
    assert (folder / "n12/journal.txt").stat().st_size > 0
    assert "logs of n11, n12 are not complete: none of n11" in (folder.parent / "journal.jsonl").read_text()


def test_a_node_that_was_cut_off_can_be_crashed_and_comes_back(tmp_path: Path) -> None:
    """Its open connections outlive it, and with them its end of the cable, unless that is taken away."""
    crash = {"step": "crash_node", "target_node": "n11", "method": "destroy"}
    start = {"step": "start_node", "target_node": "n11"}
    real = run_steps(tmp_path, [NODES, crash, start, TRUE], acts={"crash_node": cut_the_cable})
    assert (real.test.verdict, real.test.error) == ("pass", None)


# ---- the controller


def nodeless(desk: Desk) -> str:
    return str(write_suite(desk.folder / "suite.json", test=one_test([ON_CONTROLLER])))


def test_no_space_for_the_run_folder(desk: Desk) -> None:
    with small_disk(desk.runs, "256k"):
        done = desk.call("run", nodeless(desk))
        assert done.code == 4
        assert f"the run folder {desk.runs}/" in done.said
        assert "No space left on device" in done.said
    assert list(desk.scratch.iterdir()) == []


def filled(folder: Path) -> Act:
    """An act: leave no space in the file system of a folder."""

    def fill(cluster: Cluster) -> None:
        room = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
        (folder / "ballast").write_bytes(b"0" * room)

    return fill


def test_a_run_folder_that_fills_while_a_step_runs(tmp_path: Path) -> None:
    """The step counts for nothing, and the node is removed all the same."""
    runs = tmp_path / "runs"
    with small_disk(runs, "8m"):
        plan = compiled(tmp_path, one_test([NODES, TRUE]), {})
        with pytest.raises(InfrastructureError, match="No space left on device"):
            run_plan(plan, runs, {"custom_command": filled(runs)})
        (run,) = (path.parent for path in runs.glob("*/run.json"))
        assert traces(run) == []
        (runs / "ballast").unlink()


@pytest.mark.parametrize("size", ["4k", "32k"])
def test_no_space_for_temporary_files(desk: Desk, size: str) -> None:
    with small_disk(desk.scratch, size):
        done = desk.call("run", nodeless(desk))
        assert done.code == 4
        assert f"the temporary folder {desk.scratch}/" in done.said
        assert "No space left on device hint: free space, or set TMPDIR" in done.said
        assert list(desk.scratch.iterdir()) == []


def test_a_temporary_folder_that_fills_between_steps(
    tmp_path: Path, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For the cold engine; the files of a step of the warm one are in memory."""
    monkeypatch.setattr(tempfile, "tempdir", str(desk.scratch))
    with small_disk(desk.scratch, "4m"):
        fills = {"deploy": filled(desk.scratch)}
        real = run_steps(tmp_path, [NODES, DEPLOY], acts=fills, engine=RunnerEngine())
        assert (real.test.verdict, real.test.cause) == INFRASTRUCTURE, real.test.error
        assert "02-deploy: " in str(real.test.error)
        assert "No space left on device" in str(real.test.error)
        assert [path.name for path in desk.scratch.iterdir()] == ["ballast"]


def test_no_space_for_nodes(desk: Desk) -> None:
    home = desk.folder / "home"
    desk.variables["E2E_ANSIBLE_HOME"] = str(home)
    desk.variables["E2E_APT_MIRROR"] = "http://127.0.0.1:9/"
    suite = write_suite(desk.folder / "suite.json", test=one_test([{"step": "init"}]))
    with small_disk(home, "16k"):
        done = desk.call("run", str(suite))
        assert done.code == 4, done.said
        assert "provider local is not ready" in done.said
        assert not desk.runs.exists()
        provider = LocalProvider(home)
        with pytest.raises(ProviderError, match="No space left on device"):  # it was taken a moment later
            provider.prepare(DeploymentSpec(id="full", nodes=(NodeSpec(name="n11"),)))
        provider.destroy("full")
        assert deployment_traces("full", home) == []


def test_a_program_that_is_not_installed(desk: Desk) -> None:
    """All folders of PATH are shown without it."""
    home = desk.folder / "home"
    desk.variables |= {"E2E_ANSIBLE_HOME": str(home), "PATH": path_without("mmdebstrap", desk)}
    suite = write_suite(desk.folder / "suite.json", test=one_test([{"step": "init"}]))
    done = desk.call("run", str(suite))
    assert done.code == 4, done.said
    assert "provider local is not ready" in done.said
    assert "mmdebstrap" in done.said
    assert "e2e-ansible doctor" in done.said
    assert (desk.runs.exists(), home.exists()) == (False, False)


def path_without(program: str, desk: Desk) -> str:
    shown = desk.folder / "bin"
    shown.mkdir()
    for folder in os.get_exec_path():
        for path in Path(folder).glob("*"):
            link = shown / path.name
            if path.name != program and not link.is_symlink():
                link.symlink_to(path)
    return str(shown)


def test_the_log_of_a_failure_is_named(desk: Desk) -> None:
    desk.allow_make_nodes()
    steps = [NODES, {"step": "crash_node", "target_node": "n11", "method": "destroy"}, TRUE]
    done = desk.call("run", str(write_suite(desk.folder / "suite.json", test=one_test(steps))))
    assert done.code == 4, done.said
    (test,) = desk.result().tests
    assert "log steps/03-custom-command/ansible.log" in done.said
    assert f"all in {(desk.newest() / test.folder).relative_to(desk.folder)}" in done.said
    assert "UNREACHABLE" in (desk.newest() / test.folder / "steps/03-custom-command/ansible.log").read_text()
    assert traces(desk.newest()) == []

"""playbooks/awx_setup.yml through the collection awx.awx, then what it has made: an operation and a suite, launched."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from awx_rules import PROJECT
from awx_server import TOKEN, Awx, running
from real_runs import Desk, write_suite
from role_nodes import Cluster, cluster

#: Of the operations, those with and without a survey, with and without a limit; each costs a second here.
SOME = [
    {"name": "observe", "role": "observe"},
    {"name": "crash_node", "role": "crash_node"},
    {"name": "stop_cluster", "role": "node_power", "skip": ["node_power_operation"], "limit": False},
]
STEPS = [
    {"step": "deploy"},
    {"step": "custom_command", "custom_command": ["true"]},
]


@pytest.fixture
def awx(tmp_path: Path, desk: Desk) -> Iterator[Awx]:
    with running(tmp_path) as server:
        desk.variables.update(server.variables)
        yield server


def set_up(desk: Desk, *arguments: str, code: int = 0, **variables: Any) -> str:
    """What the playbook said."""
    given = {
        "awx_project_url": "https://git.example.org/e2e-ansible.git",
        "awx_operations": SOME,
        **variables,
    }
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("ansible-playbook")),
            "playbooks/awx_setup.yml",
            "-e",
            json.dumps(given),
            *arguments,
        ],
        cwd=PROJECT,
        env={**desk.environment(), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert TOKEN not in done.stdout + done.stderr
    return done.stdout


def changed(said: str) -> int:
    (count,) = re.findall(r"^localhost .* changed=(\d+)", said, re.M)
    return int(count)


def state(awx: Awx) -> str:
    kinds = {kind: list(found.values()) for kind, found in awx.state.objects.items()}
    return json.dumps([kinds, awx.state.surveys], sort_keys=True)


def test_it_makes_everything_once_and_what_it_made_works(desk: Desk, awx: Awx, tmp_path: Path) -> None:
    suite = write_suite(desk.folder / "suite.json", test={"workflow": STEPS}, other={"workflow": STEPS[1:]})
    exported = tmp_path / "workflows.yml"
    assert desk.call("awx", "export", str(suite), "-o", str(exported)).code == 0
    with cluster(["n11"], tmp_path) as nodes:
        sources = [
            {
                "name": "local",
                "path": "inventories/local.e2e.yml",
                "variables": {"E2E_DEPLOYMENT": nodes.deployment},
            }
        ]
        variables = {"awx_inventory_sources": sources}
        assert changed(set_up(desk, "-e", f"@{exported}", **variables)) > 0
        first = state(awx)
        assert changed(set_up(desk, "-e", f"@{exported}", **variables)) == 0
        assert state(awx) == first
        see_what_is_there(awx)
        launch_operations(desk, awx, nodes)


def see_what_is_there(awx: Awx) -> None:
    there = {kind: [each["name"] for each in awx.state.each(kind)] for kind in awx.state.objects}
    assert there["job_templates"] == ["e2e step", "e2e observe", "e2e crash_node", "e2e stop_cluster"]
    assert there["projects"] == ["e2e-ansible"]
    assert there["inventories"] == ["e2e nodes"]
    assert len(there["credential_types"]) == 4
    step, observe, crash, stop = awx.state.each("job_templates")
    assert (step["survey_enabled"], stop["survey_enabled"]) == (False, True)
    assert (observe["ask_limit_on_launch"], stop["ask_limit_on_launch"]) == (True, False)
    assert all(each["ask_variables_on_launch"] for each in (step, observe, crash, stop))
    asked = [question["variable"] for question in awx.state.surveys[crash["id"]]["spec"]]
    assert asked[0] == "crash_node_method"
    (source,) = awx.state.each("inventory_sources")
    assert source["update_on_launch"] is True
    token = next(each for each in awx.state.each("credential_types") if "Hetzner" in each["name"])
    assert token["injectors"] == {"env": {"HCLOUD_TOKEN": "{{ token }}"}}
    nodes = {each["identifier"]: each for each in awx.state.each("workflow_job_template_nodes")}
    assert set(nodes) == {
        "01-deploy",
        "02-custom-command",
        "clean-up",
        "collect",
        "clean-up-after-failure",
        "result",
        "01-custom-command",
        "test",
        "other",
    }
    workflows = {each["id"]: each["name"] for each in awx.state.each("workflow_job_templates")}
    assert list(workflows.values()) == ["e2e suite: test", "e2e suite: other", "e2e suite"]
    for name in ("test", "other"):  # the tests of the suite, in the workflow of the suite
        assert workflows[nodes[name]["unified_job_template"]] == f"e2e suite: {name}"
        assert workflows[nodes[name]["workflow_job_template"]] == "e2e suite"
        assert nodes[name]["extra_data"] == {"e2e_test": name}
    assert nodes["01-deploy"]["success_nodes"] == [nodes["02-custom-command"]["id"]]
    assert nodes["01-deploy"]["failure_nodes"] == [nodes["collect"]["id"]]
    assert nodes["collect"]["always_nodes"] == [nodes["clean-up-after-failure"]["id"]]
    assert json.loads(nodes["02-custom-command"]["extra_data"]["e2e_options"]) == {"custom_command": ["true"]}


def launch_operations(desk: Desk, awx: Awx, nodes: Cluster) -> None:
    """By hand as well as from here: the inventory is read when the job begins, the survey gives its defaults."""
    done = desk.call(
        "awx", "launch", "--template", "e2e observe", "-l", "n11", "-e", "observe_postgres=false"
    )
    assert done.code == 0, done.said
    (step,) = desk.result().tests[0].workflow_steps
    assert step.observation is None or step.hosts == ("n11",)
    assert json.loads(awx.state.each("jobs")[0]["extra_vars"])["observe_new_login"] == "true"
    done = desk.call("awx", "launch", "--template", "e2e crash_node", "-e", "crash_node_method=destroy")
    assert done.code == 5, done.said
    assert "refused: this hits 1 hosts" in done.said
    assert nodes.nodes["n11"].power == "on"
    done = desk.call(
        "awx", "launch", "--template", "e2e crash_node", "-l", "n11", "-e", "crash_node_method=destroy"
    )
    assert done.code == 0, done.said
    (step,) = desk.result().tests[0].workflow_steps
    assert [(proof.host, proof.act, proof.proved) for proof in step.proofs] == [("n11", "crash", True)]
    assert nodes.nodes["n11"].power == "off"


def test_it_begins_nothing_without_what_it_needs(desk: Desk, awx: Awx) -> None:
    before = state(awx)
    assert "refused: set awx_project_url" in set_up(desk, code=2, awx_project_url="")
    names = ("E2E_AWX_TOKEN", "CONTROLLER_OAUTH_TOKEN")
    desk.variables.update(dict.fromkeys(names, ""))
    assert "refused: set awx_project_url" in set_up(desk, code=2)
    assert state(awx) == before
    assert "E2E_AWX_TOKEN" not in os.environ


def test_an_execution_environment_can_be_built_from_here(tmp_path: Path) -> None:
    """`ansible-builder create` offline; the project that it copies is whole, as a wheel of it can be made."""
    builder = str(Path(sys.executable).with_name("ansible-builder"))
    subprocess.run([builder, "create", "-c", str(tmp_path / "context")], cwd=PROJECT, check=True, timeout=60)
    context = tmp_path / "context"
    (recipe,) = [path for path in context.iterdir() if path.is_file()]
    text = recipe.read_text()
    assert 'pip install --no-cache-dir "/tmp/project$E2E_EXTRAS"' in text
    assert "ansible-core>=2.19.4,<2.20" in text
    assert "awx.awx" in (context / "_build/requirements.yml").read_text()
    project = context / "_build/project"
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=project, check=True, timeout=60, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    listed = subprocess.run(
        [sys.executable, "-m", "zipfile", "-l", str(wheel)], capture_output=True, text=True, check=True
    ).stdout
    for name in ("e2e_ansible/awx/act.py", "content/playbooks/step.yml", "content/roles/crash_node/"):
        assert name in listed

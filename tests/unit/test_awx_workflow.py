"""A test as a workflow: its nodes, the ways after a failure, what is refused, and that AWX gets exactly that."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from awx_server import TOKEN, Awx, add_step_template, running

from e2e_ansible.api import plan
from e2e_ansible.awx.client import AwxError, Client, Server
from e2e_ansible.awx.export import exported
from e2e_ansible.awx.publish import find_template, publish
from e2e_ansible.awx.whole import whole_of
from e2e_ansible.awx.workflow import Workflow, workflow_of
from e2e_ansible.errors import SuiteError, UsageError
from e2e_ansible.suite.load import parse_suite

WITH_NODES = [{"step": "deploy"}, {"step": "stop_node", "target_node": "n12"}]
COMMAND = {"step": "custom_command", "custom_command": ["echo", "5"]}


@pytest.fixture
def awx(tmp_path: Path) -> Iterator[Awx]:
    with running(tmp_path) as server:
        yield server


def made(workflow: list[dict[str, Any]], keep: Any = None, file: str = "s.json", **more: Any) -> Workflow:
    text = json.dumps({"test_suites": {"t": {"workflow": workflow, **more}}})
    suite = parse_suite(text.encode(), file)
    (compiled,) = plan(suite)
    return workflow_of(compiled, suite.tests[0], keep=keep)


def edges(workflow: Workflow) -> list[str]:
    return [
        f"{node.identifier} -{kind}-> {other}"
        for node in workflow.nodes
        for kind in ("success", "failure", "always")
        for other in getattr(node, kind)
    ]


def test_a_step_that_passes_leads_on_and_one_that_fails_to_logs_and_clean_up() -> None:
    assert edges(made(WITH_NODES)) == [
        "01-deploy -success-> 02-stop-node",
        "01-deploy -failure-> collect",
        "02-stop-node -success-> clean-up",
        "02-stop-node -failure-> collect",
        "collect -always-> clean-up-after-failure",
        "clean-up-after-failure -always-> result",
    ]


@pytest.mark.parametrize(
    ("keep", "names"),
    [
        ("never", ["clean-up", "collect", "clean-up-after-failure", "result"]),
        ("on-failure", ["clean-up", "collect", "result"]),
        ("always", ["collect", "result"]),
    ],
)
def test_the_policy_of_the_nodes_is_in_the_graph(keep: str, names: list[str]) -> None:
    for workflow in (made(WITH_NODES, keep=keep), made(WITH_NODES, **{"keep": keep})):
        assert [node.identifier for node in workflow.nodes][2:] == names


def test_a_suite_that_removes_its_nodes_is_not_cleaned_up_twice() -> None:
    names = [node.identifier for node in made([*WITH_NODES, {"step": "destroy"}]).nodes]
    assert names == ["01-deploy", "02-stop-node", "03-destroy", "collect", "clean-up-after-failure", "result"]


def test_without_nodes_there_is_nothing_to_clean_up() -> None:
    workflow = made([COMMAND])
    assert edges(workflow) == ["01-custom-command -failure-> result"]
    assert workflow.nodes[0].extra_data == {
        "e2e_step": "custom_command",
        "e2e_step_id": "01-custom-command",
        "e2e_options": '{"custom_command": ["echo", "5"]}',
    }
    assert workflow.nodes[0].timeout_seconds == 330
    assert json.loads(workflow.variables["e2e_parameters"])["cluster_size"] == 3


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ({"step": "start_client", "client": "load"}, "the client load would live on the controller"),
        ({"step": "stop_client", "client": "load"}, "the client load would live on the controller"),
        ({"step": "validate", "checks": ["ours"]}, "the check 'ours' is code beside the suite"),
    ],
)
def test_what_awx_cannot_do_is_refused_with_its_place(step: dict[str, Any], words: str) -> None:
    from e2e_ansible.checks import ValidationRegistry
    from e2e_ansible.checks.registry import isolated

    with isolated():
        ValidationRegistry.register("ours", "one of ours", lambda context: True)
        with pytest.raises(SuiteError, match=f"s.json:1:.*{words}"):
            made([{"step": "deploy"}, step])


def test_the_client_of_data_integrity_is_started_by_the_job_that_makes_the_cluster() -> None:
    nodes = made([*WITH_NODES, {"step": "validate", "checks": ["data_integrity"]}]).nodes
    assert [bool(node.extra_data.get("e2e_writer")) for node in nodes[:3]] == [True, False, False]
    assert not any("e2e_writer" in node.extra_data for node in made(WITH_NODES).nodes)


def test_a_client_on_a_node_is_no_trouble() -> None:
    begin = {"step": "start_client", "client": "load", "place": "n12"}
    names = [node.identifier for node in made([{"step": "deploy"}, begin]).nodes]
    assert names[:2] == ["01-deploy", "02-start-client"]


FAULT = {"step": "fault", "name": "cut", "fault": "partition", "target": "n12"}


def test_what_is_open_is_healed_on_both_ways_before_the_logs_are_taken() -> None:
    workflow = made([{"step": "deploy"}, FAULT])
    assert edges(workflow) == [
        "01-deploy -success-> 02-cut",
        "01-deploy -failure-> heal-after-failure",
        "02-cut -success-> heal",
        "02-cut -failure-> heal-after-failure",
        "heal -success-> clean-up",
        "heal -failure-> collect",
        "heal-after-failure -always-> collect",
        "collect -always-> clean-up-after-failure",
        "clean-up-after-failure -always-> result",
    ]
    told = json.loads(workflow.nodes[1].extra_data["e2e_options"])
    assert told["name"] == "cut", "a step heal names the fault by it"
    assert [node.identifier for node in made([{"step": "deploy"}, FAULT], keep="always").nodes][2:] == [
        "heal",
        "heal-after-failure",
        "collect",
        "result",
    ]


def test_the_quickstart_suite_is_exported_whole() -> None:
    from e2e_ansible.api import load

    suite = load(Path(__file__).parents[2] / "suites/quickstart.yaml")
    (compiled,) = plan(suite)
    names = [node.identifier for node in workflow_of(compiled, suite.tests[0]).nodes]
    assert names[: len(compiled.steps)] == [step.id for step in compiled.steps]


SUITES = Path(__file__).parents[2] / "suites"


def test_the_load_suites_are_exported_with_their_tests_side_by_side() -> None:
    from e2e_ansible.api import load

    suite = load(SUITES / "nightly.yaml")
    tests = [(made, workflow_of(made, test)) for made, test in zip(plan(suite), suite.tests, strict=True)]
    assert len(tests) == 6
    whole = whole_of(tests)
    assert [node.workflow for node in whole.nodes] == [workflow.name for _, workflow in tests]
    assert edges(whole) == []
    stroppy = {node.identifier.partition("-")[2]: node for node in tests[0][1].nodes}
    assert json.loads(stroppy["load"].extra_data["e2e_options"])["limits"] == {
        "error_rate": 0.01,
        "outage_seconds": 5.0,
    }
    assert json.loads(stroppy["build"].extra_data["e2e_options"]) == {"artifact": "stroppy"}


def test_the_failover_suite_has_the_load_beside_the_crash() -> None:
    from e2e_ansible.api import load

    suite = load(SUITES / "failover-under-load.yaml")
    (compiled,) = plan(suite)
    workflow = workflow_of(compiled, suite.tests[0])
    found = [edge for edge in edges(workflow) if "failure" not in edge]
    assert "08-start-client -success-> 09-load" in found
    assert "08-start-client -success-> 10-custom-command" in found
    assert [edge for edge in found if edge.endswith("-> 13-served")] == [
        "09-load -success-> 13-served",
        "12-failover -success-> 13-served",
    ]
    assert next(node for node in workflow.nodes if node.identifier == "13-served").all_parents_must_converge


def test_a_load_after_a_crash_is_told_who_is_down() -> None:
    crash = {"step": "crash_node", "target_node": "n12", "method": "destroy"}
    nodes = made([{"step": "deploy"}, {"step": "run_pgbench"}, crash, {"step": "run_pgbench"}]).nodes
    assert [node.extra_data.get("e2e_away") for node in nodes[:4]] == [None, None, None, ["n12"]]


@pytest.mark.parametrize(
    ("step", "parameters", "words"),
    [
        ({"step": "run_load", "tool": "ours", "command": ["x"]}, {}, "the reader of 'ours' is code"),
        ({"step": "run_pgbench", "scripts": ["own.sql"]}, {}, "scripts: the suite is not in the project"),
        ({"step": "run_stroppy", "workload": "x", "config": "own.json"}, {}, "config: the suite is not"),
        (COMMAND, {"stroppy": {"archive": "own.tar.gz"}}, "the archive own.tar.gz is not in the project"),
    ],
)
def test_a_load_that_jobs_cannot_do_or_judge_is_refused_with_its_place(
    step: dict[str, Any], parameters: dict[str, Any], words: str, tmp_path: Path
) -> None:
    from e2e_ansible.load import registry
    from e2e_ansible.load.pgbench import Pgbench

    class Ours(Pgbench):
        name = "ours"

    registry.register(Ours)
    for name in ("own.sql", "own.json", "own.tar.gz"):
        (tmp_path / name).touch()
    try:
        with pytest.raises(SuiteError, match=rf"s.json:\d+:.*{words}"):
            made([{"step": "deploy"}, step], file=str(tmp_path / "s.json"), parameters=parameters)
    finally:
        registry._registered.pop("ours")
    there = {"stroppy": {"archive": "/var/lib/e2e-ansible/stroppy.tar.gz"}}
    assert made([COMMAND], file=str(tmp_path / "s.json"), parameters=there).nodes
    beside = str(SUITES / "s.json")
    assert made([{"step": "run_pgbench", "scripts": ["quickstart.yaml"]}], file=beside).nodes


def test_jobs_know_the_class_of_their_test_and_end_in_its_time() -> None:
    """But those of an end, which run whatever happened, and what a workflow does after the steps."""
    body = {"step": "group", "steps": [COMMAND, {**COMMAND, "timeout_seconds": 10}], "finally": [COMMAND]}
    workflow = made([*WITH_NODES, body], time_class="fast")
    found = {
        node.identifier: (node.extra_data.get("e2e_time_class"), node.timeout_seconds)
        for node in workflow.nodes
    }
    assert found == {
        "01-deploy": ("fast", 330),
        "02-stop-node": ("fast", 330),
        "03-custom-command": ("fast", 330),
        "04-custom-command": ("fast", 40),
        "05-custom-command": (None, 330),
        "05-custom-command-after-failure": (None, 330),
        "clean-up": (None, 1200),
        "collect": (None, 300),
        "clean-up-after-failure": (None, 1200),
        "result": (None, 120),
    }
    plain = {node.identifier: node.timeout_seconds for node in made([*WITH_NODES, body]).nodes}
    assert plain["01-deploy"] > 330
    assert not [node for node in made(WITH_NODES).nodes if "e2e_time_class" in node.extra_data]


def test_what_is_required_is_looked_at_by_the_jobs_that_begin_the_test() -> None:
    beside = {**COMMAND, "needs": []}
    wanted = {"min_cpus": 2, "commands": ["virsh"]}
    workflow = made([*WITH_NODES, beside], requirements=wanted)
    found = {node.identifier: node.extra_data.get("e2e_requirements") for node in workflow.nodes}
    first = {name: json.loads(text) for name, text in found.items() if text}
    assert first == {"01-deploy": wanted, "03-custom-command": wanted}


def test_an_export_is_what_the_module_takes() -> None:
    (workflow,) = exported([made(WITH_NODES)], organization="Ours")["awx_workflows"]
    first = workflow["workflow_nodes"][0]
    assert first["unified_job_template"] == {
        "name": "e2e step",
        "type": "job_template",
        "organization": {"name": "Ours"},
    }
    assert first["related"] == {
        "success_nodes": [{"identifier": "02-stop-node"}],
        "failure_nodes": [{"identifier": "collect"}],
    }


def nodes(awx: Awx, template: int) -> dict[str, Any]:
    found = awx.state.related("workflow_job_templates", template, "workflow_nodes")
    names = {node["id"]: node["identifier"] for node in found}
    kinds = ("success", "failure", "always")
    return {
        node["identifier"]: {kind: [names[other] for other in node[f"{kind}_nodes"]] for kind in kinds}
        for node in found
    }


def test_a_workflow_is_made_once_and_changed_when_it_differs(awx: Awx) -> None:
    client = Client(Server(awx.host, TOKEN))
    add_step_template(awx)
    wanted = made(WITH_NODES)
    template = publish(client, wanted)
    found = nodes(awx, template["id"])
    assert found == {
        node.identifier: {
            "success": list(node.success),
            "failure": list(node.failure),
            "always": list(node.always),
        }
        for node in wanted.nodes
    }
    asked = len(awx.asked("POST"))
    assert publish(client, wanted)["id"] == template["id"]
    assert len(awx.asked("POST")) == asked
    assert awx.asked("DELETE") == awx.asked("PATCH") == []
    other = made([*WITH_NODES, {"step": "start_node", "target_node": "n12"}])
    assert publish(client, other)["id"] == template["id"]
    assert list(nodes(awx, template["id"])) == [node.identifier for node in other.nodes]


def test_a_workflow_that_was_half_made_is_made_whole(awx: Awx) -> None:
    client = Client(Server(awx.host, TOKEN, patience_seconds=0))
    add_step_template(awx)
    awx.fault("success_nodes", 500)
    with pytest.raises(AwxError):
        publish(client, made(WITH_NODES))
    template = publish(client, made(WITH_NODES))
    assert nodes(awx, template["id"])["01-deploy"]["success"] == ["02-stop-node"]


def test_a_template_that_is_missing_is_said_with_what_makes_it(awx: Awx) -> None:
    client = Client(Server(awx.host, TOKEN))
    with pytest.raises(AwxError, match="AWX has no job template 'e2e step'") as caught:
        publish(client, made(WITH_NODES))
    assert "awx_setup.yml" in caught.value.hint
    add_step_template(awx)
    with pytest.raises(AwxError, match="no job template 'e2e stop'") as caught:
        find_template(client, "e2e stop")
    assert caught.value.hint == "did you mean 'e2e step'?"
    publish(client, made(WITH_NODES))
    with pytest.raises(UsageError, match="'e2e s: t' is a workflow"):
        find_template(client, "e2e s: t")

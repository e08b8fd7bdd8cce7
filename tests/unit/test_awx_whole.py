"""A suite as one workflow: its tests are its nodes, each with a deployment of its own, and none waits for another."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from awx_server import TOKEN, Awx, add_step_template, running

from e2e_ansible.api import Plan, plan
from e2e_ansible.awx.client import AwxError, Client, Server
from e2e_ansible.awx.export import exported
from e2e_ansible.awx.publish import publish
from e2e_ansible.awx.whole import WholeJob, whole_of
from e2e_ansible.awx.workflow import Workflow, workflow_of
from e2e_ansible.content import content_root
from e2e_ansible.engine.fake import FakeEngine
from e2e_ansible.errors import UsageError
from e2e_ansible.run.context import Megaphone, RunContext, RunOptions
from e2e_ansible.run.folder import manifest_tests
from e2e_ansible.suite.load import parse_suite

COMMAND = {"step": "custom_command", "custom_command": ["true"]}


def made(*names: str) -> list[tuple[Plan, Workflow]]:
    text = json.dumps({"test_suites": {name: {"workflow": [COMMAND]} for name in names}})
    suite = parse_suite(text.encode(), "folder/nightly.json")
    return [(each, workflow_of(each, test)) for each, test in zip(plan(suite), suite.tests, strict=True)]


@pytest.fixture
def awx(tmp_path: Path) -> Iterator[Awx]:
    with running(tmp_path) as server:
        add_step_template(server)
        yield server


def test_each_test_is_a_node_and_no_edge_leads_from_one_to_another() -> None:
    whole = whole_of(made("One", "two"))
    assert whole.name == "e2e nightly"
    assert [(node.identifier, node.workflow, node.extra_data) for node in whole.nodes] == [
        ("one", "e2e nightly: One", {"e2e_test": "one"}),
        ("two", "e2e nightly: two", {"e2e_test": "two"}),
    ]
    assert not [node for node in whole.nodes if node.success or node.failure or node.always]


def test_names_that_are_alike_stay_apart() -> None:
    assert [node.identifier for node in whole_of(made("a.b", "a-b")).nodes] == ["a-b", "a-b-2"]


def test_tests_that_would_share_a_workflow_are_refused() -> None:
    (one,) = made("one")
    with pytest.raises(UsageError, match="two tests would share the workflow 'e2e nightly: one'"):
        whole_of([one, one])


def test_an_export_names_the_workflows_of_the_tests_and_no_timeout() -> None:
    (whole,) = exported([whole_of(made("one", "two"))], organization="Ours")["awx_workflows"]
    assert whole["workflow_nodes"][0] == {
        "identifier": "one",
        "unified_job_template": {
            "name": "e2e nightly: one",
            "type": "workflow_job_template",
            "organization": {"name": "Ours"},
        },
        "extra_data": {"e2e_test": "one"},
        "related": {},
    }


def test_it_is_made_once_and_not_before_the_workflows_of_its_tests(awx: Awx) -> None:
    client = Client(Server(awx.host, TOKEN))
    tests = made("one", "two")
    with pytest.raises(AwxError, match="AWX has no workflow 'e2e nightly: one'"):
        publish(client, whole_of(tests))
    numbers = [publish(client, workflow)["id"] for _, workflow in tests]
    template = publish(client, whole_of(tests))
    found = awx.state.related("workflow_job_templates", template["id"], "workflow_nodes")
    assert [node["unified_job_template"] for node in found] == numbers
    asked = len(awx.asked("POST"))
    assert publish(client, whole_of(tests))["id"] == template["id"]
    assert (len(awx.asked("POST")), awx.asked("DELETE")) == (asked, [])


def test_a_launch_that_is_refused_is_told_to_every_test(awx: Awx) -> None:
    client = Client(Server(awx.host, TOKEN, patience_seconds=0))
    tests = made("one", "two")
    for _, workflow in tests:
        publish(client, workflow)
    job = WholeJob(client, publish(client, whole_of(tests))["id"], [each for each, _ in tests])
    awx.fault("launch", 500)
    for _ in tests:
        with pytest.raises(AwxError, match="answered 500"):
            job.launch("run-abc123")
    assert not awx.state.each("workflow_jobs")


def context() -> RunContext:
    return RunContext(
        run_id="run-abc123",
        engine=FakeEngine({}),
        options=RunOptions(),
        environment={},
        tell=Megaphone(()),
    )


def whole_without_its_nodes(awx: Awx, client: Client) -> WholeJob:
    """As if somebody had changed the workflow of the suite, or AWX had begun nothing of it."""
    tests = made("one", "two")
    for _, workflow in tests:
        publish(client, workflow)
    template = publish(client, whole_of(tests))["id"]
    for node in list(awx.state.related("workflow_job_templates", template, "workflow_nodes")):
        awx.state.remove("workflow_job_template_nodes", node["id"])
    return WholeJob(client, template, [each for each, _ in tests])


def test_a_test_that_awx_never_begins_is_told_and_not_waited_for(awx: Awx) -> None:
    client = Client(Server(awx.host, TOKEN, interval_seconds=0.05))
    entry = manifest_tests("run-abc123", [each for each, _ in made("one", "two")])[1]
    with pytest.raises(AwxError, match="the workflow of the suite ended before two was begun"):
        whole_without_its_nodes(awx, client).test(context(), entry)


def test_a_second_interrupt_ends_the_workflow_of_the_suite(awx: Awx) -> None:
    client = Client(Server(awx.host, TOKEN, interval_seconds=0.05))
    entry = manifest_tests("run-abc123", [each for each, _ in made("one", "two")])[0]
    job, now = whole_without_its_nodes(awx, client), context()
    now.abandon.set()
    with pytest.raises(AwxError, match="ended before one was begun"):
        job.test(now, entry)
    assert awx.asked("POST", "/cancel/")


def deployment(**variables: Any) -> object:
    """What playbooks/vars/deployment.yml makes of the variables of a job."""
    text = yaml.safe_load((content_root() / "playbooks/vars/deployment.yml").read_text())["e2e_deployment"]
    return Templar(DataLoader(), variables=variables).template(trust_as_template(text))


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"e2e_test": "one", "e2e_deployments": '{"one": "one-abc", "two": "two-abc"}'}, "one-abc"),
        ({"e2e_test": "three", "e2e_deployments": '{"one": "one-abc"}'}, ""),
        ({"e2e_test": "one", "awx_workflow_job_id": 17}, "one-17"),
        ({"awx_workflow_job_id": 17}, ""),
        ({}, ""),
    ],
)
def test_a_job_acts_on_the_deployment_of_its_test(variables: dict[str, Any], expected: str) -> None:
    assert deployment(**variables) == expected

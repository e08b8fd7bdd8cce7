"""What a suite says works on AWX or is refused by name and line; docs/awx.md has each of its fields."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from e2e_ansible.api import load, plan
from e2e_ansible.awx.refusal import reduced
from e2e_ansible.awx.workflow import Workflow, workflow_of
from e2e_ansible.content import content_root
from e2e_ansible.errors import SuiteError
from e2e_ansible.steps.registry import step_types
from e2e_ansible.suite import model
from e2e_ansible.suite.parameters import Parameters

DEPLOY = {"step": "deploy"}
COMMAND = {"step": "custom_command", "custom_command": ["true"]}
PROJECT = content_root()


def made(folder: Path, *steps: dict[str, Any], **more: Any) -> Workflow:
    file = folder / "s.json"
    text = json.dumps({"test_suites": {"t": {"workflow": [DEPLOY, *steps], **more}}}, indent=1)
    file.write_text(text)
    suite = load(file, allow_plugins=False)
    (compiled,) = plan(suite)
    return workflow_of(compiled, suite.tests[0])


def line_of(folder: Path, words: str) -> int:
    lines = (folder / "s.json").read_text().splitlines()
    return next(number for number, line in enumerate(lines, start=1) if words in line)


SITES = {"database": "patroni", "sites": {"site_a": 1, "site_b": 1}}


@pytest.mark.parametrize(
    ("parameters", "where", "words"),
    [
        ({"coverage": {}}, '"coverage"', "coverage: jobs of AWX do not collect coverage"),
        (
            {"stroppy": {"archive": "own.tar.gz"}},
            '"stroppy"',
            "stroppy: the archive own.tar.gz is not in the project",
        ),
        ({"inventory": "hosts.ini"}, '"inventory"', "inventory: the file hosts.ini is not in the project"),
    ],
)
def test_a_parameter_that_jobs_cannot_have_is_refused_with_its_line(
    parameters: dict[str, Any], where: str, words: str, tmp_path: Path
) -> None:
    for name in ("own.tar.gz", "hosts.ini"):
        (tmp_path / name).touch()
    with pytest.raises(SuiteError, match=words) as caught:
        made(tmp_path, COMMAND, parameters=parameters)
    (problem,) = caught.value.problems
    assert problem.line - line_of(tmp_path, where) in (0, 1)
    assert problem.hint


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ({**DEPLOY, "verify_idempotence": True}, "cannot look whether deploy changes anything"),
        ({"step": "drift"}, "AWX has no playbook for the step 'drift'"),
        ({"step": "start_client", "client": "load"}, "the client load would live on the controller"),
        (
            {"step": "custom_command", "custom_command": ["sh", "own.sh"]},
            "custom_command: own.sh is beside the suite, which is not in the project",
        ),
    ],
)
def test_a_step_that_jobs_cannot_do_is_refused_with_its_line(
    step: dict[str, Any], words: str, tmp_path: Path
) -> None:
    (tmp_path / "own.sh").touch()
    with pytest.raises(SuiteError, match=words) as caught:
        made(tmp_path, COMMAND, step)
    (problem,) = caught.value.problems
    assert problem.line > line_of(tmp_path, '"true"')
    on_nodes = {**COMMAND, "custom_command": ["sh", "own.sh"], "targets": ["n11"]}
    assert made(tmp_path, on_nodes).nodes, "on a node it is a file of the node"


def test_a_site_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match="sites: a test with sites is not run by jobs of AWX"):
        made(tmp_path, {"step": "promote_site", "site": "site_b"}, parameters=SITES)


def test_an_inventory_in_the_project_is_named_as_jobs_find_it(tmp_path: Path) -> None:
    suite = load(PROJECT / "suites/quickstart.yaml")
    (compiled,) = plan(suite)
    for given, told in (
        ("quickstart.yaml", "suites/quickstart.yaml"),
        ("../inventories/local.e2e.yml", "inventories/local.e2e.yml"),
        ("/srv/hosts.ini", "/srv/hosts.ini"),
    ):
        changed = compiled.model_copy(update={"parameters": {**compiled.parameters, "inventory": given}})
        workflow = workflow_of(changed, suite.tests[0])
        assert json.loads(workflow.variables["e2e_parameters"])["inventory"] == told
    assert tmp_path.exists()


def call(*arguments: str) -> Result:
    from e2e_ansible.cli.app import app

    return CliRunner().invoke(app, list(arguments))


def test_what_means_less_is_told_when_it_is_exported(tmp_path: Path) -> None:
    hardware = {"hardware": {"database": {"cpus": 1}}}
    made(tmp_path, COMMAND, parameters=hardware)
    (line,) = reduced(load(tmp_path / "s.json").tests[0])
    assert re.match(r".*s.json:\d+: hardware: nodes are made with it, but nothing is reserved", line)
    told = call("awx", "export", str(tmp_path / "s.json"))
    assert (told.exit_code, told.stderr.strip()) == (0, line)
    assert "awx_workflows:" in told.stdout
    assert list(reduced(load(PROJECT / "suites/quickstart.yaml").tests[0])) == []


@pytest.mark.parametrize(
    "option",
    [
        ("--budget", "nodes=1"),
        ("--max-nodes", "3"),
        ("--repeat", "2"),
        ("--cycles", "2"),
        ("--time-class", "fast"),
    ],
)
@pytest.mark.parametrize("command", ["export", "launch"])
def test_options_of_a_run_that_awx_does_not_have_are_refused_by_name(
    command: str, option: tuple[str, str]
) -> None:
    told = call("awx", command, str(PROJECT / "suites/quickstart.yaml"), *option)
    assert told.exit_code == 2
    assert f"No such option: {option[0]}" in told.stderr


def documented() -> set[str]:
    """What stands in code marks in the first column of the tables of docs/awx.md on what a suite may say."""
    text = (PROJECT / "docs/awx.md").read_text()
    part = text.split("### What a suite may say\n")[1].split("\n### ")[0]
    cells = [line.split("|")[1] for line in part.splitlines() if line.startswith("| ")]
    return {name for cell in cells for name in re.findall(r"`([a-z_]+)", cell)}


def test_the_manual_has_every_field_of_a_test_and_of_any_step() -> None:
    fields = {
        field.alias or name
        for kind in (model.TestEntry, Parameters, model.StepOptions)
        for name, field in kind.model_fields.items()
    }
    assert sorted(fields - documented()) == []
    options = {
        field.alias or name
        for kind in step_types().values()
        for name, field in kind.options.model_fields.items()
    }
    known = fields | options | set(step_types()) | {"workflow", "finally"}
    assert sorted(documented() - known) == [], "what is in the manual is there"

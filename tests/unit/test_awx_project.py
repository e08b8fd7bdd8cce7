"""The repository as an AWX project: what it offers as playbooks, and that they say all that the compiler says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from awx_rules import PROJECT, could_be_playbook, offered

from e2e_ansible.api import load, plan
from e2e_ansible.awx.act import read_step
from e2e_ansible.awx.job_variables import Asked, runnable
from e2e_ansible.awx.refusal import _unable
from e2e_ansible.awx.survey import survey_of
from e2e_ansible.awx.workflow import told_options
from e2e_ansible.compile.made import played
from e2e_ansible.steps.registry import step_types

PLAYBOOKS = PROJECT / "playbooks"
OFFERED = (
    "admin_ui",
    "awx_setup",
    "collect_logs",
    "crash_node",
    "etcd",
    "fault",
    "haproxy",
    "heal",
    "node_power",
    "observe",
    "oracle_client",
    "patroni",
    "pgbackrest",
    "postgres_exporter",
    "postgresql",
    "provision",
    "reboot_node",
    "redis",
    "restart_node",
    "site",
    "start_cluster",
    "start_node",
    "step",
    "stop_cluster",
    "stop_node",
    "stroppy",
    "switchover",
    "validate",
)


def variables() -> dict[str, Any]:
    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(node))
    found: dict[str, Any] = yaml.load((PLAYBOOKS / "vars/awx.yml").read_text(), Loader)
    return found


def in_the_checkout() -> tuple[str, ...]:
    """What AWX offers of a checkout: what runs have left beside it is in none."""
    return tuple(path for path in offered(PROJECT) if not path.startswith("runs/"))


def test_awx_offers_exactly_the_playbooks() -> None:
    assert in_the_checkout() == tuple(f"playbooks/{name}.yml" for name in OFFERED)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("- hosts: all\n", True),
        ("---\n# text\n- name: x\n  hosts: all\n", True),
        ("- import_playbook: other.yml\n", True),
        ("$ANSIBLE_VAULT;1.1;AES256\n61\n", True),
        ("targets: [n11]\n", False),
        ("- name: a task\n  ansible.builtin.debug:\n", False),
    ],
)
def test_the_rule_is_that_of_awx(text: str, is_one: bool, tmp_path: Path) -> None:
    (tmp_path / "tasks").mkdir()
    for path in (tmp_path / "a.yml", tmp_path / "tasks/b.yml", tmp_path / "c.txt"):
        path.write_text(text)
    assert could_be_playbook(tmp_path / "a.yml") is is_one
    assert offered(tmp_path) == (("a.yml",) if is_one else ())


def test_each_operation_is_a_playbook_with_the_survey_of_its_role() -> None:
    operations = variables()["awx_operations"]
    names = {f"playbooks/{each['name']}.yml" for each in operations}
    assert set(in_the_checkout()) - names == {"playbooks/step.yml", "playbooks/awx_setup.yml"}
    assert names <= set(in_the_checkout())
    for each in operations:
        text = (PLAYBOOKS / f"{each['name']}.yml").read_text()
        assert each.get("role", "observe") in re.findall(r"role: (\w+)", text)
        if "role" in each:
            asked = survey_of(
                yaml.safe_load((PROJECT / f"roles/{each['role']}/meta/argument_specs.yml").read_text())
            )
            assert set(each.get("skip", ())) <= {question["variable"] for question in asked["spec"]}
        assert ("ansible_limit" in text) <= each.get("limit", True), "a guard that wants a limit must get one"


def test_a_survey_asks_for_what_the_role_takes() -> None:
    spec = yaml.safe_load((PROJECT / "roles/crash_node/meta/argument_specs.yml").read_text())
    asked = {each["variable"]: each for each in survey_of(spec, title="e2e crash_node")["spec"]}
    assert list(asked) == ["crash_node_method", "crash_node_await_return", "crash_node_deadline_seconds"]
    assert asked["crash_node_method"]["choices"] == ["ssh", "panic", "destroy"]
    assert asked["crash_node_await_return"] | {"question_description": ""} == {
        "question_name": "crash node await return",
        "question_description": "",
        "variable": "crash_node_await_return",
        "type": "multiplechoice",
        "required": False,
        "default": "false",
        "choices": ["true", "false"],
        "min": None,
        "max": None,
    }
    assert (
        asked["crash_node_deadline_seconds"]["type"],
        asked["crash_node_deadline_seconds"]["default"],
    ) == (
        "float",
        60,
    )
    assert list(survey_of(spec, ["crash_node_method"])["spec"][0].values())[2] == "crash_node_await_return"


@pytest.mark.parametrize(
    "role", sorted(path.parents[1].name for path in PROJECT.glob("roles/*/meta/argument_specs.yml"))
)
def test_every_role_has_a_survey_that_awx_takes(role: str) -> None:
    spec = yaml.safe_load((PROJECT / f"roles/{role}/meta/argument_specs.yml").read_text())
    for question in survey_of(spec)["spec"]:
        assert question["type"] in ("text", "integer", "float", "multiplechoice")
        if question["type"] == "multiplechoice" and question["default"] != "":
            assert question["default"] in question["choices"], question
        assert not re.search(r"\b[CVO]\(", question["question_description"])


def test_the_collection_is_pinned_to_the_one_that_is_tested() -> None:
    import ansible_collections.awx.awx as found

    (asked,) = yaml.safe_load((PROJECT / "collections/requirements.yml").read_text())["collections"]
    manifest = Path(next(iter(found.__path__)), "MANIFEST.json").read_text()
    assert asked["name"] == "awx.awx"
    assert f'"version": "{asked["version"]}"' in manifest


def test_credential_types_are_for_what_awx_has_none_for() -> None:
    types = variables()["awx_credential_types"]
    assert [each["name"] for each in types] == [
        "e2e Hetzner Cloud",
        "e2e DigitalOcean",
        "e2e Yandex Cloud",
        "e2e libvirt",
    ]
    for each in types:
        ids = {found["id"] for found in each["inputs"]["fields"]}
        used = set(re.findall(r"\{\{ (\w+) \}\}", str(each["injectors"])))
        assert used <= ids
        assert set(each["inputs"]["required"]) <= ids
        assert any(found.get("secret") for found in each["inputs"]["fields"])


# ---- playbooks/step.yml does what a compiled playbook does


def every_step() -> list[tuple[Asked, str]]:
    found = []
    for path in sorted(PROJECT.glob("tests/golden/*/suite.*")):
        suite = load(path)
        for made in plan(suite):
            (test,) = suite.tests
            if made.contexts:
                continue  # refused as a whole
            for planned, step in zip(made.steps, played(test.steps, step_types()), strict=True):
                if any(_unable(planned, step)):
                    continue
                asked = Asked(
                    step=step.type,
                    options=told_options(step),
                    provider=made.provider,
                    parameters=dict(made.parameters),
                    deployment="d-1",
                    away=planned.judgement.away if planned.judgement.load else (),
                )
                found.append((asked, made.files[planned.playbook]))
    return found


STEPS = every_step()


class _Loader(yaml.SafeLoader):
    pass


_Loader.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(node))


def test_every_step_type_is_tried() -> None:
    assert {asked.step for asked, _ in STEPS} == set(runnable())


@pytest.mark.parametrize("number", range(len(STEPS)))
def test_an_act_has_the_hosts_roles_and_variables_of_the_compiled_playbook(number: int) -> None:
    asked, text = STEPS[number]
    registered = {
        name: {"stdout": "{}", "stderr": "", "rc": 0}
        for name in re.findall(r"e2e_registered\['([^']+)'\]", text)
    }
    act = read_step(asked.model_copy(update={"registered": registered}))
    plays = yaml.load(text, _Loader)
    hosts = {
        name
        for play in plays
        for name in ([play["hosts"]] if isinstance(play["hosts"], str) else play["hosts"])
    }
    assert set(act["hosts"]) | ({"localhost"} if act["creates"] else set()) == hosts
    roles = [role for play in plays for role in play.get("roles", ())]
    assert act["roles"] == [role["role"] for role in roles]
    meant = {key: item for each in (*plays, *roles) for key, item in each.get("vars", {}).items()}
    assert set(act["vars"]) == set(meant)
    for key, item in meant.items():
        if key != "provision_deployment" and not isinstance(item, dict):
            assert str(act["vars"][key]) == str(item) or isinstance(item, list), key
    file = PLAYBOOKS / "tasks" / f"{act['act']}.yml"
    told = file.read_text() + (PLAYBOOKS / "tasks/provision.yml").read_text() * act["creates"]
    for key in act["vars"]:
        assert f"{key}: " in told, f"{file.name} does not pass {key} on"
    if "vars" in act and act["act"] == "validate":
        observe = next(task["observe"] for play in plays for task in play["tasks"])
        assert act["look"] == observe
        assert set(observe) <= set(re.findall(r"^    (\w+):", (file.parent / "look.yml").read_text(), re.M))

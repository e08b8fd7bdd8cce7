"""A step from plain variables, as a job of AWX gets them, with all that a person can get wrong."""

from __future__ import annotations

from typing import Any

import pytest

from e2e_ansible.awx.act import Asked, hold, read_step
from e2e_ansible.errors import UsageError


def act(step: str, **more: Any) -> dict[str, Any]:
    return read_step(Asked(step=step, **more))


@pytest.mark.parametrize(
    ("asked", "words", "hint"),
    [
        ({"step": "crash_nod"}, "there is no step 'crash_nod'", "did you mean 'crash_node'?"),
        (
            {"step": "crash_node", "options": {"target_node": "n99"}},
            "there is no node 'n99'",
            "known: n11, n12, n13",
        ),
        (
            {"step": "crash_node", "options": {"target_nod": "n11"}},
            "Extra inputs are not permitted",
            "did you mean 'target_node'?",
        ),
        ({"step": "crash_node"}, "target_node: Field required", ""),
        (
            {"step": "validate", "options": {"checks": ["cluster_statu"]}},
            "there is no check 'cluster_statu'",
            "did you mean 'cluster_status'?",
        ),
        ({"step": "init", "parameters": {"cluster_size": 0}}, "e2e_parameters", ""),
    ],
)
def test_what_is_wrong_is_said_with_the_nearest_right(asked: dict[str, Any], words: str, hint: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        read_step(Asked(**asked))
    assert caught.value.hint == hint


def test_options_may_be_text_in_yaml_or_json() -> None:
    expected = act("custom_command", options={"custom_command": ["echo", "5", ""]})
    assert expected["command"]["argv"] == ["echo", "5", ""]
    assert act("custom_command", options='{"custom_command": ["echo", "5", ""]}') == expected
    assert act("custom_command", options="custom_command: [echo, '5', '']") == expected
    with pytest.raises(ValueError, match="neither YAML nor JSON"):
        act("custom_command", options="{[")


def test_output_of_earlier_steps_is_put_in_as_text() -> None:
    command = {
        "custom_command": ["x", "${steps.who.stdout}, $${steps.who.stdout}, ${steps.who.json} {{ 7 }}"]
    }
    who = {"stdout": '{"a":1}', "stderr": "", "rc": 0}
    found = act("custom_command", options=command, registered={"who": who})
    assert found["command"]["argv"] == ["x", '{"a":1}, ${steps.who.stdout}, {"a": 1} {{ 7 }}']
    with pytest.raises(UsageError, match="no earlier step has registered 'who'"):
        act("custom_command", options=command, registered={"whom": who})


def test_a_command_for_many_nodes_is_the_same_command() -> None:
    nodes = [f"n{number}" for number in range(11, 36)]
    found = act(
        "custom_command",
        options={"custom_command": ["true"], "targets": nodes},
        parameters={"cluster_size": 25},
    )
    assert (found["command"]["argv"], found["hosts"]) == (["true"], nodes)


def seen(node: str, **more: Any) -> dict[str, Any]:
    return {"node": node, "power": "off", "reachable": False, **more}


def test_checks_are_held_as_the_judge_holds_them() -> None:
    asked = Asked(
        step="validate",
        parameters={"cluster_size": 2},
        options={"checks": ["cluster_status_stopped"], "allow_failures": ["all_nodes_running"]},
    )
    off = hold(asked, [seen("n11"), seen("n12")], 0)
    assert off["held"] is True
    assert "all_nodes_running does not hold" in off["said"][1]
    half = hold(asked, [seen("n11"), seen("n12", power="on")], 0)
    assert half["held"] is False
    assert hold(asked, [seen("n11")], 0)["held"] is False, "a node that nobody looked at is no pass"


def test_nodes_with_other_names_can_be_expected() -> None:
    asked = Asked(step="validate", options={"checks": ["vms_powered_off"]})
    assert hold(asked, [seen("db1")], 0, ["db1"])["held"] is True
    assert hold(asked, [seen("db1")], 0, ["db1", "db2"])["held"] is False

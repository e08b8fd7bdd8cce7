"""From a suite to a plan: what the steps before mean for a step, the source map, the writer, and user text."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, ClassVar

import pytest
from hostile import is_inert, read, texts
from hypothesis import given, settings
from hypothesis import strategies as st

from e2e_ansible.compile.compiler import compile_suite, source_map
from e2e_ansible.compile.plan import Plan, PlannedStep
from e2e_ansible.compile.render import playbook_text
from e2e_ansible.errors import UnsupportedOperation
from e2e_ansible.steps.base import CompileContext, CompiledStep, StepType, Unsafe, play
from e2e_ansible.suite.load import parse_suite
from e2e_ansible.suite.model import StepOptions
from e2e_ansible.suite.vocabulary import Vocabulary

WORDS = Vocabulary.default()
BRACED_DOLLARS = re.compile(r"(?<!\$)(\$+)(?=\{)")


def compiled(workflow: Sequence[Any], words: Vocabulary = WORDS, **entry: Any) -> Plan:
    content = json.dumps({**entry, "workflow": workflow}).encode()
    (plan,) = compile_suite(parse_suite(content, "t.json", vocabulary=words), words.step_types)
    return plan


def steps(*workflow: Any, **entry: Any) -> tuple[PlannedStep, ...]:
    return compiled([{"step": step} if isinstance(step, str) else step for step in workflow], **entry).steps


def test_a_step_knows_which_nodes_are_away() -> None:
    away = [
        step.judgement.away
        for step in steps(
            "init",
            "deploy",
            {"step": "stop_node", "target_node": "n12"},
            {"step": "crash_node", "target_node": "n11"},
            {"step": "crash_node", "target_node": "n13", "await_return": True},
            {"step": "restart_node", "target_node": "n12"},
            "start_cluster",
            "destroy",
            "init",
            provider="aws",
        )
    ]
    everyone = ("n11", "n12", "n13")
    assert away[:2] == [everyone, everyone]
    assert away[2:8] == [(), ("n12",), ("n11", "n12"), ("n11", "n12"), ("n11",), ()]
    assert away[8] == everyone


def test_a_deadline_is_that_of_the_type_or_of_the_suite() -> None:
    init, own = steps("init", {"step": "init", "timeout_seconds": 2.5})
    assert (init.deadline_seconds, own.deadline_seconds) == (1800, 2.5)


def test_a_validate_step_has_time_for_all_its_looks() -> None:
    (step,) = steps(
        {"step": "validate", "checks": ["cluster_status"], "retry": {"max_attempts": 3, "delay_seconds": 5}}
    )
    assert step.deadline_seconds == 3 * (120 + 5)


def test_names_of_playbooks_sort_as_the_steps() -> None:
    names = [step.playbook for step in steps(*["init"] * 100)]
    assert names[0] == "playbooks/001-init.yml"
    assert sorted(names) == names


def test_names_of_playbooks_are_safe_as_file_names() -> None:
    (step,) = steps({"step": "init", "name": "a..b-_c."})
    assert step.playbook == "playbooks/01-a-b-c.yml"


@pytest.mark.parametrize("key", ["checks", "allow_failures"])
def test_rows_are_written_and_read_when_a_check_needs_them(key: str) -> None:
    step = {"step": "validate", "checks": ["cluster_status"]}
    assert not compiled([step]).writer
    plan = compiled([{**step, key: ["data_integrity", "admin_ui_accessible"]}])
    assert plan.writer
    (look,) = read(plan.files["playbooks/01-validate.yml"])[0]["tasks"]
    assert look["observe"] == {"new_login": False, "integrity": True, "admin_ui": True}


@pytest.mark.parametrize(("check", "wanted"), [("ssh_connectivity", True), ("cluster_status", False)])
def test_only_a_check_of_logging_in_pays_for_it(check: str, wanted: bool) -> None:
    plan = compiled([{"step": "validate", "checks": [check]}])
    (look,) = read(plan.files["playbooks/01-validate.yml"])[0]["tasks"]
    assert look["observe"] == {"new_login": wanted}


def test_a_check_that_nobody_knows_needs_nothing() -> None:
    words = Vocabulary(
        WORDS.step_types, {**WORDS.checks, "moon_is_up": WORDS.checks["cluster_status"]}, WORDS.providers
    )
    assert not compiled([{"step": "validate", "checks": ["moon_is_up"]}], words).writer


class Nested(StepType[StepOptions]):
    """Everything that a play can hold."""

    name = "nested"
    summary = "For tests"
    options = StepOptions
    made: ClassVar[list[dict[str, Any]]] = [
        {
            "name": "First",
            "hosts": "all",
            "vars": {"script": Unsafe("one\n- name: Deep")},
            "vars_files": ["own.yml"],
            "vars_prompt": [{"name": "n11"}],
            "pre_tasks": [{"name": 'A "quoted" name', "ansible.builtin.debug": {}}],
            "roles": [{"role": "observe", "vars": {"nodes": [{"name": "n11"}]}}],
            "tasks": [
                {"ansible.builtin.debug": {"msg": Unsafe("${steps.x.rc}")}},
                {
                    "name": "Outer",
                    "block": [{"name": "Inner", "block": [{"name": "Deep", "ansible.builtin.debug": {}}]}],
                    "rescue": [{"name": "Rescue", "ansible.builtin.debug": {}}],
                },
            ],
            "handlers": [{"name": "Handler", "ansible.builtin.debug": {}}],
        },
        play("Second", ("n11", "n12"), tasks=[{"name": "Inner", "ansible.builtin.debug": {}}]),
        play("Third", (), tasks=[{"name": "Last", "ansible.builtin.debug": {}}]),
    ]

    def compile(self, options: StepOptions, context: CompileContext) -> CompiledStep:
        return CompiledStep(plays=self.made, hosts=())


def test_the_source_map_has_plays_roles_and_tasks_and_nothing_else() -> None:
    text = playbook_text(["A", "B"], "run it", Nested.made)
    lines = text.split("\n")
    found = source_map(text, Nested.made)
    tasks = ["Outer", "Inner", "Deep", "Rescue", "Handler", 'A "quoted" name', "Last"]
    assert sorted(found) == sorted(["First", "Second", "Third", "observe", *tasks])
    for name, number in found.items():
        key = "role" if name == "observe" else "name"
        assert read(lines[number - 1])[0] == {key: name}
    assert [lines[found[name] - 1].count(" ") for name in ("First", "Inner", "Deep")] == [2, 10, 14]


def test_registered_output_is_read_before_anything_is_done() -> None:
    words = Vocabulary({**WORDS.step_types, "nested": Nested()}, WORDS.checks, WORDS.providers)
    who = {"step": "custom_command", "custom_command": ["id"], "register": "x"}
    plan = compiled([who, {"step": "nested"}], words)
    text = plan.files["playbooks/02-nested.yml"]
    first, second, _ = read(text)
    assert first["vars_files"] == ["own.yml", "../registered.json"]
    assert list(first).index("vars_files") < list(first).index("pre_tasks")
    assert "vars_files" not in second
    assert "# Needs the output of x in registered.json\n" in text
    assert (
        "# A run keeps the output as x in registered.json\n" in plan.files["playbooks/01-custom-command.yml"]
    )


def test_a_node_named_twice_runs_a_command_once() -> None:
    (step,) = steps(
        {"step": "custom_command", "custom_command": ["id"], "targets": ["n12", "n11"], "target_node": "n12"}
    )
    assert step.hosts == ("n12", "n11")


def in_suite(text: str) -> str:
    """The text as one writes it in a suite, so that nothing in it is a reference."""
    return BRACED_DOLLARS.sub(lambda match: match[1] * 2, text)


@settings(deadline=None, max_examples=100)
@given(
    texts().map(lambda text: text[:400]),
    st.lists(texts(), min_size=1, max_size=4),
    st.dictionaries(texts().filter(lambda key: "${" not in key), texts() | st.integers(), max_size=4),
)
def test_text_of_a_suite_arrives_unchanged(
    description: str, command: list[str], settings: dict[str, str | int]
) -> None:
    # Of settings of extensions nothing is known before a server is asked. One with two lines is refused.
    settings = {
        f"x.{key}": " ".join(item.split("\n")) if isinstance(item, str) else item
        for key, item in settings.items()
    }
    given = {key: in_suite(item) if isinstance(item, str) else item for key, item in settings.items()}
    plan = compiled(
        [
            {"step": "deploy", "description": in_suite(description)[:500]},
            {"step": "custom_command", "custom_command": [*map(in_suite, command)]},
            {"step": "custom_command", "custom_command": [*map(in_suite, command)], "shell": True},
        ],
        parameters={"postgres_settings": given, "instance_type": in_suite(command[0])},
    )
    deploy, plain, shell = (read(plan.files[step.playbook]) for step in plan.steps)
    assert deploy[0]["roles"][0]["vars"]["provision_parameters"] == {"instance_type": command[0]}
    assert deploy[2]["roles"][0]["vars"].get("postgresql_settings", {}) == settings
    assert plain[0]["tasks"][0]["plain_command"]["argv"] == command
    assert shell[0]["tasks"][0]["plain_command"]["argv"] == ["/bin/sh", "-c", " ".join(command)]
    for made in (deploy, plain, shell):
        assert_inert(made)


OURS = re.compile(r"\{\{ lookup\('ansible\.builtin\.env', 'E2E_[A-Z_]+'(, default=playbook_dir)?\) \}\}")


def assert_inert(value: Any) -> None:
    """Whatever is not marked as unsafe is no template, but for ours."""
    if isinstance(value, dict):
        for item in value.values():
            assert_inert(item)
    elif isinstance(value, list):
        for item in value:
            assert_inert(item)
    elif isinstance(value, str) and not OURS.fullmatch(value):
        assert is_inert(value)


class Unable(StepType[StepOptions]):
    """A step that no provider here can do."""

    name = "custom_command"
    summary = "Do what cannot be done"
    options = StepOptions

    def compile(self, options: StepOptions, context: CompileContext) -> CompiledStep:
        raise UnsupportedOperation("no provider has that")


def test_what_a_provider_cannot_do_is_no_wrong_suite(words: Vocabulary) -> None:
    text = json.dumps({"workflow": [{"step": "custom_command", "custom_command": ["x"]}]})
    suite = parse_suite(text.encode(), "s.json", vocabulary=words)
    with pytest.raises(UnsupportedOperation, match="no provider has that"):
        compile_suite(suite, {**words.step_types, "custom_command": Unable()})

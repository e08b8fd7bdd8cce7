# ruff: noqa: E501 - a message is read best on one line
"""Whole suites: the seed's files load as they are, and every mistake is told in words at its place."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field
from suite_texts import Load, Problems

from e2e_ansible.errors import SuiteError, UnsupportedOperation, UnsupportedSteps, UsageError
from e2e_ansible.steps.base import CompileContext, CompiledStep, StepType
from e2e_ansible.suite.load import load_suite, parse_suite
from e2e_ansible.suite.model import StepOptions
from e2e_ansible.suite.vocabulary import Vocabulary


def workflow(*steps: str, head: str = "") -> str:
    """A suite of one test; the steps begin on the line after the head's last."""
    return head + "workflow:\n" + "".join(f"- {step}\n" for step in steps)


def marked(text: str) -> tuple[str, str]:
    """The text without its § and where that stood, as line:column."""
    before, _, rest = text.partition("§")
    return before + rest, f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"


def test_the_examples_load(examples: list[Path]) -> None:
    assert len(examples) >= 5
    for path in examples:
        suite = load_suite(path)
        assert suite.tests
        assert suite.digest == hashlib.sha256(path.read_bytes()).hexdigest()
        assert suite.folder == path.resolve().parent


def test_the_seed_workflow_is_one_test_named_after_its_file(examples: list[Path]) -> None:
    path = next(path for path in examples if path.stem == "seed_single_node_failure")
    (test,) = load_suite(path).tests
    raw = json.loads(path.read_text())["workflow"]
    assert test.name == "seed_single_node_failure"
    assert test.nodes == ("n11", "n12", "n13")
    assert [step.type for step in test.steps] == [step["step"] for step in raw]
    assert test.steps[4].options.checks == tuple(raw[4]["checks"])  # type: ignore[attr-defined]
    assert (test.steps[3].source.line, test.positions["/workflow/3/target_node"].column) == (6, 42)


def test_a_named_test_knows_its_place_and_its_values_theirs(load: Load) -> None:
    (test,) = load(
        "$schema: x\ntest_suites:\n  a:\n    workflow:\n    - {step: init, description: a/b}\n"
    ).tests
    assert str(test.source) == "suite.yaml:3"
    assert set(test.positions) == {
        "",
        "/workflow",
        "/workflow/0",
        "/workflow/0/step",
        "/workflow/0/description",
    }


def test_keys_in_pointers_are_escaped(load: Load) -> None:
    text = workflow("step: init", head="parameters: {postgres_settings: {a/b~c.d: 1}}\n")
    assert "/parameters/postgres_settings/a~1b~0c.d" in load(text).tests[0].positions


@pytest.mark.parametrize(("stem", "name"), [("my suite", "my-suite"), ("--", "suite"), ("x" * 99, "x" * 80)])
def test_a_file_name_becomes_a_test_name(stem: str, name: str, load: Load) -> None:
    assert load(workflow("step: init"), f"{stem}.yml").tests[0].name == name


def test_entry_keys_may_stand_beside_a_bare_workflow(load: Load) -> None:
    head = (
        "$schema: x\nprovider: hetzner\nkeep: always\nparameters: {cluster_size: 1, postgres_version: 17}\n"
    )
    (test,) = load(workflow("step: init", head=head)).tests
    assert (test.entry.provider, test.entry.keep, test.nodes) == ("hetzner", "always", ("n11",))
    assert test.entry.parameters.postgres_version == "17"


SHAPES = [
    ("", "1:1: the file is empty"),
    ("workflow: [{xyzzy: 1, stpe: init}]", "1:23: unknown key 'stpe' in a step (did you mean 'step'?)"),
    ("5", "1:1: a suite must be a mapping with 'test_suites' or 'workflow', not 5"),
    ("~", "1:1: a suite must be a mapping with 'test_suites' or 'workflow', not nothing"),
    ("a: 1", "1:1: a suite needs 'test_suites' or 'workflow'"),
    ("x: 1\nsteps: []", "2:1: unknown key 'steps': a suite needs 'test_suites' or 'workflow' (did you mean 'workflow'?)"),
    ("test_suites: []", "1:14: 'test_suites' must be a mapping of names to tests, not a list"),
    ("test_suites: {}", "1:14: 'test_suites' has no tests"),
    ("test_suites: {a: 5}", "1:18: test 'a' must be a mapping, not 5"),
    ("test_suites: {a: {}}", "1:18: test 'a' needs 'workflow' (a list of steps)"),
    ("test_suites: {'a b': {workflow: [{step: init}]}}", "1:15: 'a b' cannot be the name of a test (it begins with"
        " a letter or digit and has only letters, digits, '_', '.' and '-', at most 80)"),
    ("test_suites: {a: {workflow: [{step: init}]}}\nworkflow: []",
        "2:1: 'workflow' cannot stand beside 'test_suites' (move it into a test)"),
    ("test_suites: {a: {workflow: [{step: init}]}}\nprovider: aws",
        "2:1: unknown key 'provider' beside 'test_suites' (move it into a test)"),
    ("test_suites: {a: {workflow: [{step: init}]}}\ntest_suite: {}",
        "2:1: unknown key 'test_suite' beside 'test_suites' (did you mean 'test_suites'?)"),
    ("workflow: 5", "1:11: 'workflow' must be a list of steps, not 5"),
    ("workflow: []", "1:11: 'workflow' has no steps"),
    ("workflow: [5]", "1:12: a step must be a mapping with 'step', not 5"),
    ("workflow: [init]", "1:12: a step must be a mapping with 'step', not 'init' (write 'step: init')"),
    ("workflow: [{deploy: {}}]", "1:13: this step has no 'step' (write 'step: deploy')"),
    ("workflow: [{stpe: init}]", "1:13: unknown key 'stpe' in a step (did you mean 'step'?)"),
    ("workflow: [{step: 5}]", "1:19: unknown step type 5"),
    ("workflow: [{step: crash_nod}]", "1:19: unknown step type 'crash_nod' (did you mean 'crash_node'?)"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), SHAPES)
def test_a_wrong_shape_is_told(text: str, expected: str, problems: Problems) -> None:
    assert problems(text) == [f"suite.yaml:{expected}"]


def test_a_step_without_a_type_lists_the_types(problems: Problems) -> None:
    assert "this step has no 'step' (known: backup_site, " in problems("workflow: [{}]")[0]


ENTRIES = [
    ("provider: azur", "1:11: unknown provider 'azur' (did you mean 'azure'?)"),
    ("provider: 5", "1:11: 'provider' must be text, not 5 (put it in quotes)"),
    ("keep: allways", "1:7: 'keep' must be 'never', 'on-failure' or 'always', not 'allways' (did you mean 'always'?)"),
    ("keep: 5", "1:7: 'keep' must be 'never', 'on-failure' or 'always', not 5"),
    ("descrption: x", "1:1: unknown key 'descrption' in this suite (did you mean 'description'?)"),
    ("test_suites_: {}", "1:1: unknown key 'test_suites_' in this suite (did you mean 'test_suites'?)"),
    ("parameters:", "1:12: 'parameters' must be a mapping, not nothing"),
    ("parameters: {nodes: 3}", "1:14: unknown key 'nodes' in 'parameters' (did you mean 'cluster_size'?)"),
    ("parameters: {cluster_size: 0}", "1:28: 'parameters.cluster_size' must be at least 1, not 0"),
    ("parameters: {cluster_size: 100}", "1:28: 'parameters.cluster_size' must be at most 99, not 100"),
    ("parameters: {cluster_size: 3.0}", "1:28: 'parameters.cluster_size' must be a whole number, not 3.0"),
    ("parameters: {cluster_size: '3'}", "1:28: 'parameters.cluster_size' must be a whole number, not '3'"
        " (write 3 without quotes)"),
    ("parameters: {admin_ui: on}", "1:24: 'parameters.admin_ui' must be true or false, not 'on' (write true)"),
    ("parameters: {admin_ui: maybe}", "1:24: 'parameters.admin_ui' must be true or false, not 'maybe'"),
    ("parameters: {postgres_version: latest}",
        "1:32: 'parameters.postgres_version' cannot be 'latest' (Major version; empty: the newest there)"),
    ("parameters: {postgres_settings: {a: [1]}}",
        "1:37: 'parameters.postgres_settings.a' must be text, a number, true or false, not a list"),
    ("variables: {a: }", "1:16: 'variables.a' must be text, a number, true or false, not nothing"),
    ("variables: {a b: 1}", "1:13: 'a b' is not a name (a name begins with a letter or digit and has only letters,"
        " digits, '_', '.' and '-', at most 80)"),
    ("matrix: {a: 1}", "1:13: 'matrix.a' must be a list, not 1"),
    ("matrix: {a: []}", "1:13: 'matrix.a' must have at least 1 item"),
    ("matrix: []", "1:9: 'matrix' must be a mapping, not a list"),
    ("requirements: {min_memory_gb: -1}", "1:31: 'requirements.min_memory_gb' must be at least 0, not -1"),
    ("requirements: {commands: ls}", "1:26: 'requirements.commands' must be a list, not 'ls' (write ['ls'])"),
    ("requirements: {commands: [1]}", "1:27: item 1 of 'requirements.commands' must be text, not 1 (put it in quotes)"),
]  # fmt: skip


@pytest.mark.parametrize(("head", "expected"), ENTRIES)
def test_a_wrong_entry_is_told(head: str, expected: str, problems: Problems) -> None:
    assert problems(workflow("step: init", head=head + "\n")) == [f"suite.yaml:{expected}"]


def test_without_a_known_size_nodes_are_not_judged(problems: Problems) -> None:
    steps = ("{step: stop_node, target_node: n99}", "{step: validate, checks: ['node_status:n99']}")
    text = workflow(*steps, head="parameters: {cluster_size: x}\n")
    assert len(problems(text)) == 1


STEPS = [
    ("§{step: crash_node}",
        "step 'crash_node' needs 'target_node' (The node it is done to: n11, n12, ...)"),
    ("{step: stop_node, target_node: n12, §target: n12}",
        "unknown key 'target' in step 'stop_node' (did you mean 'target_node'?)"),
    ("{step: stop_node, target_node: §n14}", "this test has no node 'n14' (its nodes are n11 to n13)"),
    ("{step: custom_command, custom_command: [a], targets: [n11, §n1]}",
        "this test has no node 'n1' (its nodes are n11 to n13)"),
    ("{step: crash_node, target_node: n11, method: §destory}",
        "'method' must be 'ssh' or 'destroy', not 'destory' (did you mean 'destroy'?)"),
    ("§{step: crash_node, target_node: n11, method: destroy, await_return: true}",
        "step 'crash_node': await_return is for method ssh: a destroyed node stays off; use start_node"),
    ("{step: init, timeout_seconds: §0}", "'timeout_seconds' must be more than 0, not 0"),
    ("{step: init, timeout_seconds: §'5'}", "'timeout_seconds' must be a number, not '5' (write 5 without quotes)"),
    ("{step: init, timeout_seconds: §true}", "'timeout_seconds' must be a number, not true"),
    ("{step: init, name: §a b}", "'name' cannot be 'a b' (a name begins with a letter or digit and has only"
        " letters, digits, '_', '.' and '-', at most 80)"),
    (f"{{step: init, description: §{'x' * 501}}}", "'description' must have at most 500 characters"),
    ("{step: validate, checks: §[]}", "'checks' must have at least 1 item"),
    ("{step: validate, checks: §cluster_status}",
        "'checks' must be a list, not 'cluster_status' (write ['cluster_status'])"),
    ("{step: validate, checks: §''}", "'checks' must be a list, not ''"),
    ("{step: validate, checks: [§cluster_state]}", "unknown check 'cluster_state' (did you mean 'cluster_status'?)"),
    ("{step: validate, checks: [§node_status]}",
        "check 'node_status' has the wrong number of arguments (write node_status:<node>[:<state>])"),
    ("{step: validate, checks: [§'node_status:']}",
        "check 'node_status' has an empty node (write node_status:<node>[:<state>])"),
    ("{step: validate, checks: [§'node_status:n99']}", "this test has no node 'n99' (its nodes are n11 to n13)"),
    ("{step: validate, checks: [§'node_status:n11:runing']}",
        "unknown state 'runing' in check 'node_status' (did you mean 'running'?)"),
    ("{step: validate, checks: [cluster_status], allow_failures: [§databse_down]}",
        "unknown check 'databse_down' (did you mean 'database_down'?)"),
    ("{step: validate, checks: [cluster_status], retry: {max_attempts: §0}}",
        "'retry.max_attempts' must be at least 1, not 0"),
    ("{step: validate, checks: [cluster_status], retry: {§attempts: 2}}",
        "unknown key 'attempts' in 'retry' (did you mean 'max_attempts'?)"),
]  # fmt: skip


@pytest.mark.parametrize(("step", "expected"), STEPS)
def test_a_wrong_step_is_told(step: str, expected: str, problems: Problems) -> None:
    text, place = marked(workflow(step))
    assert problems(text) == [f"suite.yaml:{place}: {expected}"]


def test_the_admin_ui_cannot_be_checked_when_there_is_none(problems: Problems) -> None:
    text = workflow(
        "{step: validate, checks: [admin_ui_accessible]}",
        head="parameters: {admin_ui: false, cluster_size: 1}\n",
    )
    assert (
        "check 'admin_ui_accessible' needs the admin UI (admin_ui is false in this test)" in problems(text)[0]
    )
    assert "its only node is n11" in problems(text + "- {step: stop_node, target_node: n12}\n")[1]


def test_all_problems_are_told_at_once_in_the_order_of_the_file(problems: Problems) -> None:
    found = problems(
        workflow(
            "{step: validate, checks: [nonsense], retry: 5}",
            "{step: init, name: same}",
            "{step: init, name: same}",
            "{step: x}",
            head="provider: moon\nkeep: 5\n",
        )
    )
    assert [line.split(":")[1] for line in found] == ["1", "2", "4", "4", "6", "7"]
    assert "two steps have the name 'same' (the first is on line 5)" in found[4]


def test_one_step_the_provider_lacks_is_an_unsupported_operation(load: Load) -> None:
    text = workflow("{step: crash_node, target_node: n11, method: destroy}", head="provider: openstack\n")
    with pytest.raises(NotImplementedError) as raised:
        load(text)
    assert isinstance(raised.value, UnsupportedSteps)
    assert isinstance(raised.value, UnsupportedOperation)
    assert isinstance(raised.value, SuiteError)
    assert str(raised.value) == (
        "suite.yaml:3:3: provider 'openstack' cannot do crash_node method destroy"
        " (nova has no immediate hard power-off; use crash_node method ssh)"
    )


def test_with_another_problem_it_is_a_suite_error_only(load: Load) -> None:
    text = workflow("{step: crash_node, target_node: n99, method: destroy}", head="provider: openstack\n")
    with pytest.raises(SuiteError) as raised:
        load(text)
    assert not isinstance(raised.value, NotImplementedError)
    assert len(raised.value.problems) == 2


def test_the_caller_may_choose_the_provider(load: Load) -> None:
    text = workflow("{step: crash_node, target_node: n11, method: destroy}", head="provider: openstack\n")
    assert load(text, provider="aws").tests[0].entry.provider == "aws"
    with pytest.raises(UsageError) as raised:
        load(text, provider="amazon")
    assert raised.value.hint == "did you mean 'aws'?"


def test_a_provider_without_the_operation_in_its_row_lacks_it(vocabulary: Vocabulary) -> None:
    words = Vocabulary(vocabulary.step_types, vocabulary.checks, {"local": {}})
    with pytest.raises(UnsupportedSteps, match="cannot do cluster stop/start"):
        parse_suite(b"workflow: [{step: stop_cluster}]", "s.yaml", vocabulary=words)


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    mode: Literal["one", "two"]


class OddOptions(StepOptions):
    inner: Inner | None = Field(None, description="How")
    several: tuple[Inner, ...] = Field((), strict=False)
    mixed: int | tuple[Inner, ...] | dict[str, Inner] = 0
    kind: Literal["aa", "bb"] | None = None
    word: str = Field("aa", min_length=2, pattern="^a+$")


class Odd(StepType[OddOptions]):
    """A third party's step type with all that makes errors hard to place."""

    name = "odd"
    summary = "Odd"
    options = OddOptions

    def node_names(self, options: OddOptions) -> list[tuple[str, str]]:
        return [("several.0.hidden", "nowhere")] if options.several else []

    def compile(self, options: OddOptions, context: CompileContext) -> CompiledStep:
        raise NotImplementedError


ODD = [
    ("inner: §{}", "step 'odd', 'inner', needs 'mode'"),
    ("inner: {mode: §tow}", "'inner.mode' must be 'one' or 'two', not 'tow' (did you mean 'two'?)"),
    ("inner: {mode: one, §mod: 1}", "unknown key 'mod' in 'inner' (did you mean 'mode'?)"),
    ("several: [{mode: one}, {mode: §3}]", "'several.mode' must be 'one' or 'two', not 3"),
    (
        "several: [{mode: one}, {§mood: one, mode: two}]",
        "unknown key 'mood' in 'several.1' (did you mean 'mode'?)",
    ),
    ("mixed: {a: {mode: §x}}", "'mixed.a.mode' must be 'one' or 'two', not 'x'"),
    ("mixed: {a: {mode: one, §mod: x}}", "unknown key 'mod' in 'mixed.a'"),
    ("kind: §aaa", "'kind' must be 'aa' or 'bb', not 'aaa' (did you mean 'aa'?)"),
    ("several: [§{mode: two}]", "this test has no node 'nowhere' (its nodes are n11 to n13)"),
    ("word: §a", "'word' must have at least 2 characters"),
    ("word: §bb", "'word' cannot be 'bb' (it must match ^a+$)"),
]


@pytest.mark.parametrize(("text", "expected"), ODD)
def test_options_of_third_parties_are_told_alike(text: str, expected: str, vocabulary: Vocabulary) -> None:
    words = Vocabulary({"odd": Odd()}, vocabulary.checks, vocabulary.providers)
    content, place = marked(f"workflow: [{{step: odd, {text}}}]")
    with pytest.raises(SuiteError) as raised:
        parse_suite(content.encode(), "s.yaml", vocabulary=words)
    assert f"s.yaml:{place}: {expected}" in [str(problem) for problem in raised.value.problems]


def test_a_file_of_a_thousand_steps_loads_quickly(load: Load) -> None:
    step = {
        "step": "validate",
        "checks": ["cluster_status", "node_status:n11:running"],
        "retry": {"max_attempts": 5},
    }
    text = json.dumps({"workflow": [step] * 1000}, indent=1)
    for name in ("s.json", "s.yaml"):
        begin = time.process_time()
        assert len(load(text, name).tests[0].steps) == 1000
        assert time.process_time() - begin < 1


def test_loading_needs_neither_ansible_nor_rich() -> None:
    program = (
        "import sys, e2e_ansible.suite.load, e2e_ansible.suite.schema;"
        "sys.exit(' '.join({'ansible', 'ansible_runner', 'rich'} & sys.modules.keys()) or None)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)

"""Labels and hardware: what nodes have by themselves, what a suite adds, and what is told when it cannot be."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from e2e_ansible.errors import SuiteError, UnsupportedSteps, UsageError
from e2e_ansible.steps.base import CompileContext, CompiledStep, StepType
from e2e_ansible.steps.registry import step_types
from e2e_ansible.steps.targets import nodes_of
from e2e_ansible.suite.hardware import Hardware, hardware_of
from e2e_ansible.suite.load import parse_suite
from e2e_ansible.suite.model import StepOptions, Suite
from e2e_ansible.suite.vocabulary import Vocabulary


class WhereOptions(StepOptions):
    on: str


class Where(StepType[WhereOptions]):
    name = "where"
    summary = "Done on a node or a label"
    options = WhereOptions

    def target_names(self, options: WhereOptions) -> Sequence[tuple[str, str]]:
        return [("on", options.on)]

    def compile(self, options: WhereOptions, context: CompileContext) -> CompiledStep:
        return CompiledStep((), nodes_of((options.on,), context))


def read(*steps: dict[str, Any], provider: str = "local", **parameters: Any) -> Suite:
    words = Vocabulary.default()
    more = Vocabulary({**words.step_types, Where.name: Where()}, words.checks, words.providers)
    entry = {"provider": provider, "parameters": parameters, "workflow": [{"step": "init"}, *steps]}
    return parse_suite(
        json.dumps({"test_suites": {"one": entry}}, indent=1).encode(), "s.json", vocabulary=more
    )


def refused(*steps: dict[str, Any], **parameters: Any) -> str:
    with pytest.raises(SuiteError) as caught:
        read(*steps, **parameters)
    return str(caught.value)


def test_labels_that_nodes_have_and_that_a_suite_adds() -> None:
    labels = {"cache": ["n12", "c11"], "run_stroppy": ["n11"]}
    (test,) = read(cluster_size=2, clients=1, labels=labels).tests
    assert test.entry.labels == {
        "n11": ("database", "run_stroppy", "setup_software"),
        "n12": ("database", "cache", "setup_software"),
        "c11": ("client", "run_stroppy", "cache", "setup_software"),
    }


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ({"cache": ["n13"]}, "label cache: this test has no node 'n13' (did you mean"),
        ({"database": ["n11"]}, "the label database cannot be given to nodes"),
        ({"client": ["n11"]}, "use cluster_size and clients"),
        ({"setup_software": ["n11"]}, "every node has it"),
        ({"all": ["n11"]}, "all is a group or a node of the inventory"),
        ({"power_on": ["n11"]}, "power_on is a group"),
        ({"n11": ["n12"]}, "n11 is a group or a node"),
        ({"Cache": ["n11"]}, "Cache"),
        ({"cache": []}, "must have at least 1 item"),
    ],
)
def test_labels_that_cannot_be(labels: dict[str, list[str]], says: str) -> None:
    said = refused(cluster_size=2, labels=labels)
    assert says in said
    assert "s.json:" in said


def test_the_label_of_a_site_is_that_of_its_nodes() -> None:
    said = refused(database="patroni", sites={"east": 1, "west": 1}, labels={"east": ["n11"]})
    assert "east is a site" in said
    assert "run_stroppy is a label of other nodes" in refused(
        database="patroni", sites={"run_stroppy": 1, "west": 1}
    )


def test_targets_are_nodes_or_labels() -> None:
    context_of = {"provider": "local", "primary": "n11"}
    (test,) = read(cluster_size=2, clients=1, labels={"cache": ["n12", "c11"]}).tests
    context = CompileContext(
        nodes=test.nodes, labels=test.entry.labels, parameters=test.entry.parameters, **context_of
    )
    assert nodes_of(["cache"], context) == ("n12", "c11")
    assert nodes_of(["client", "n11", "setup_software"], context) == ("n11", "n12", "c11")
    assert nodes_of(["run_stroppy"], context) == ("c11",)
    with pytest.raises(UsageError, match="none with the label 'cach'") as caught:
        nodes_of(["cach"], context)
    assert caught.value.hint == "did you mean 'cache'?"


def test_a_target_that_is_not_there_is_told_with_its_line() -> None:
    read({"step": "where", "on": "database"})
    said = refused({"step": "where", "on": "run_stroppy"}, cluster_size=1)
    assert "s.json:" in said
    assert "write clients: 1 in the parameters of this test, or labels: {run_stroppy: [n11]}" in said
    assert "did you mean 'n11'" in refused({"step": "where", "on": "n1"}, cluster_size=1)


@pytest.mark.parametrize(
    ("hardware", "says"),
    [
        ({"client": {"cpus": 1}}, "no node of this test has the label 'client'"),
        ({"databas": {"cpus": 1}}, "did you mean 'database'?"),
        ({"database": {}}, "give cpus, memory_gb or disk_gb"),
        ({"database": {"cpu": 1}}, "unknown key 'cpu' in 'parameters.hardware.database'"),
        ({"database": {"cpus": 0}}, "must be more than 0"),
    ],
)
def test_hardware_that_cannot_be(hardware: dict[str, Any], says: str) -> None:
    assert says in refused(hardware=hardware)


@pytest.mark.parametrize(("provider", "hint"), [("aws", "instance_type"), ("static", "inventory")])
def test_hardware_where_the_provider_cannot(provider: str, hint: str) -> None:
    given = {"hardware": {"database": {"cpus": 1}}}
    with pytest.raises(UnsupportedSteps, match=f"provider '{provider}' cannot give nodes hardware") as caught:
        read(provider=provider, **given)
    assert hint in str(caught.value)
    read(provider="local", **given)
    read(provider="libvirt", **given)


def test_of_several_labels_the_largest_amount_counts() -> None:
    said = {"a": Hardware(cpus=2, memory_gb=1), "b": Hardware(cpus=1, disk_gb=3), "c": Hardware(cpus=9)}
    assert hardware_of(["a", "b"], said) == Hardware(cpus=2, memory_gb=1, disk_gb=3)
    assert hardware_of(["d"], said) is None


def test_no_built_in_step_uses_a_target_that_it_does_not_tell() -> None:
    assert all(callable(kind.target_names) for kind in step_types().values())

"""Budgets as they are written, what this machine has, and what a test costs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from e2e_ansible.compile.compiler import compile_suite
from e2e_ansible.compile.plan import Plan
from e2e_ansible.errors import UsageError
from e2e_ansible.quota.amounts import Amounts, Budget
from e2e_ansible.quota.budget import machine_budget, parse_budget, run_budget
from e2e_ansible.quota.cost import cost_of
from e2e_ansible.suite.load import parse_suite
from e2e_ansible.suite.vocabulary import Vocabulary


def plan_of(provider: str = "local", **parameters: Any) -> Plan:
    words = Vocabulary.default()
    test = {"provider": provider, "parameters": parameters, "workflow": [{"step": "init"}]}
    text = json.dumps({"test_suites": {"t": test}})
    (plan,) = compile_suite(parse_suite(text.encode(), "s.json", vocabulary=words), words.step_types)
    return plan


def test_a_budget_is_read() -> None:
    read = parse_budget("nodes=12, cpus=2,memory_gb=8,disk_gb=0.5")
    assert Budget(**read) == Budget(12, 2000, 8192, 512)
    assert parse_budget("cpus=none") == {"millicpus": None}
    assert run_budget("nodes=12", 5) == run_budget("", 5) == Budget(nodes=5)
    assert run_budget("", None) == Budget()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("node=3", "there is no 'node' in a budget"),
        ("nodes=0", "nodes is a whole number above 0 or none, not '0'"),
        ("nodes=1.5", "not '1.5'"),
        ("cpus=-1", "cpus is a number above 0"),
        ("memory_gb=nan", "not 'nan'"),
        ("memory_gb=inf", "not 'inf'"),
        ("memory_gb", "not ''"),
        ("nodes=3,nodes=4", "nodes is there twice"),
        (" , ", "says nothing"),
    ],
)
def test_a_budget_that_cannot_be_read_is_told(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        parse_budget(text)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("cpu=2", "write cpus=2"),
        ("nodes:3", "write nodes=3"),
        ("nodes=3;cpus=2", "write nodes=3,cpus=2"),
        ("nodes=12 cpus=2", "write nodes=12,cpus=2"),
        ("memory_gb=8GB, disk-gb = 20 gib", "write memory_gb=8,disk_gb=20"),
        ("cpus=NONE", "write cpus=none"),
        ("memory_gb=8000MB", "write memory_gb=4"),  # in another unit it is another amount
        ("cpus=2GB", "write cpus=4"),
        ("nodes=1.5", "write nodes=4"),
        ("12", "known: cpus, disk_gb, memory_gb, nodes"),
        ("nodes=3,node=3", "did you mean 'nodes'?"),
    ],
)
def test_the_hint_is_the_budget_that_was_meant(text: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_budget(text)
    assert caught.value.hint == hint
    if "GB" not in hint and text != "12" and hint.startswith("write"):
        parse_budget(hint.removeprefix("write "))


def test_the_machine_has_a_budget_and_the_environment_another() -> None:
    usual = machine_budget({})
    assert usual.nodes is None
    assert usual.disk_mb is None
    assert usual.millicpus is not None
    assert usual.millicpus % 1000 == 0
    assert usual.memory_mb is not None
    said = machine_budget({"E2E_BUDGET": "nodes=3,memory_gb=none"})
    assert said == Budget(3, usual.millicpus, None, None)
    with pytest.raises(UsageError, match=r"\$E2E_BUDGET: there is no"):
        machine_budget({"E2E_BUDGET": "bytes=3"})


def test_nodes_on_this_machine_cost_what_it_has_and_others_only_nodes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert cost_of(plan_of(cluster_size=2, clients=1)) == Amounts(3, 75, 768, 3072)
    assert cost_of(plan_of("aws", cluster_size=3)) == Amounts(3)
    assert cost_of(plan_of("libvirt", cluster_size=2)) == Amounts(2, 500, 4096, 8192)
    assert cost_of(plan_of("libvirt", cluster_size=1, libvirt_memory_gb=8)) == Amounts(1, 250, 8192, 4096)
    monkeypatch.setenv("E2E_LIBVIRT_URI", "qemu+ssh://elsewhere/system")
    assert cost_of(plan_of("libvirt", cluster_size=2)) == Amounts(2)


def test_hardware_is_what_its_nodes_cost() -> None:
    hardware = {
        "setup_software": {"memory_gb": 0.5},
        "database": {"cpus": 0.5, "memory_gb": 2},
        "client": {"disk_gb": 3},
    }
    cost = cost_of(plan_of(cluster_size=2, clients=1, hardware=hardware))
    assert cost == Amounts(3, 2 * 500 + 25, 2 * 2048 + 512, 2 * 1024 + 3072)

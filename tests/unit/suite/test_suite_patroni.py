"""`database: patroni`, its settings and the clients: what a suite may say, and where it is told that it may not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from e2e_ansible.errors import SuiteError
from e2e_ansible.suite.load import parse_suite
from e2e_ansible.suite.model import Suite


def read(*steps: dict[str, Any], **parameters: Any) -> Suite:
    entry = {"parameters": parameters, "workflow": [{"step": "deploy"}, *steps]}
    return parse_suite(json.dumps({"test_suites": {"one": entry}}, indent=1).encode(), "suite.json")


def refused(*steps: dict[str, Any], **parameters: Any) -> str:
    with pytest.raises(SuiteError) as caught:
        read(*steps, **parameters)
    return str(caught.value)


def test_clients_are_the_last_nodes_and_have_no_database() -> None:
    (test,) = read(cluster_size=2, database="patroni", clients=2).tests
    assert test.nodes == ("n11", "n12", "c11", "c12")
    assert test.entry.labels == {
        "n11": ("database", "setup_software"),
        "n12": ("database", "setup_software"),
        "c11": ("client", "run_stroppy", "setup_software"),
        "c12": ("client", "run_stroppy", "setup_software"),
    }


@pytest.mark.parametrize("synchronous", [True, False, "strict"])
def test_synchronous(synchronous: object) -> None:
    (test,) = read(database="patroni", synchronous=synchronous).tests
    assert test.entry.parameters.synchronous == synchronous


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        (
            {"database": "replication", "synchronous": True},
            "'parameters.synchronous': it is for database: patroni",
        ),
        ({"synchronous": "strict"}, "it is for database: patroni"),
        ({"database": "patroni", "synchronous": "maybe"}, "'parameters.synchronous' must be"),
        ({"patroni_settings": {"ttl": 30}}, "'parameters.patroni_settings': it is for database: patroni"),
        ({"database": "patroni", "patroni_settings": {"tll": 30}}, "did you mean 'ttl'?"),
        ({"database": "patroni", "patroni_settings": {"ttl": "30"}}, "ttl is a whole number from 3 on"),
        ({"database": "patroni", "patroni_settings": {"ttl": True}}, "ttl is a whole number from 3 on"),
        ({"database": "patroni", "patroni_settings": {"loop_wait": 0}}, "loop_wait is a whole number from 1"),
        ({"database": "patroni", "patroni_settings": {"failsafe_mode": 1}}, "failsafe_mode is true or false"),
        ({"database": "patroni", "patroni_settings": {"ttl": 14}}, "here 5 + 2 * 5 > 14"),
        ({"database": "patroni", "clients": 21}, "'parameters.clients' must be at most 20"),
        ({"database": "patrony"}, "did you mean 'patroni'?"),
    ],
)
def test_nonsense_is_refused_in_its_line(parameters: dict[str, Any], says: str) -> None:
    text = refused(**parameters)
    assert says in text
    assert "suite.json:" in text


def test_settings_that_fit_together_are_taken() -> None:
    (test,) = read(database="patroni", patroni_settings={"ttl": 15, "failsafe_mode": True}).tests
    assert test.entry.parameters.patroni_settings == {"ttl": 15, "failsafe_mode": True}


@pytest.mark.parametrize("check", ["patroni_leader", "patroni_healthy"])
def test_a_check_of_patroni_needs_it(check: str) -> None:
    validate = {"step": "validate", "checks": [check]}
    assert "needs Patroni" in refused(validate, database="replication")
    assert read(validate, database="patroni").tests


def test_a_check_may_name_a_leader_of_the_test_only() -> None:
    assert read({"step": "validate", "checks": ["patroni_leader:n12"]}, database="patroni").tests
    assert "no node 'n14'" in refused(
        {"step": "validate", "checks": ["patroni_leader:n14"]}, database="patroni"
    )

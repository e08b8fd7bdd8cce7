"""`create_nodes` and `install` do together what `deploy` does, one service at a time."""

from __future__ import annotations

import json
from typing import Any

import pytest

from e2e_ansible.compile.compiler import compile_suite
from e2e_ansible.errors import SuiteError
from e2e_ansible.steps.base import CompileContext, CompiledStep
from e2e_ansible.steps.create_nodes import CreateNodes
from e2e_ansible.steps.deploy import Deploy, DeployOptions
from e2e_ansible.steps.install import Install, InstallOptions
from e2e_ansible.suite.load import parse_suite
from e2e_ansible.suite.model import StepOptions
from e2e_ansible.suite.model import TestEntry as Entry
from e2e_ansible.suite.vocabulary import Vocabulary

EVERYTHING: dict[str, Any] = {
    "cluster_size": 3,
    "clients": 1,
    "database": "patroni",
    "backup": True,
    "proxy": "haproxy",
    "exporter": True,
}


def context(**parameters: Any) -> CompileContext:
    entry = Entry.model_validate({"parameters": parameters})
    return CompileContext("local", entry.nodes, entry.labels, entry.parameters, "n11")


def install(made: CompileContext, service: str, **more: Any) -> CompiledStep:
    return Install().compile(InstallOptions(step="install", service=service, **more), made)  # type: ignore[arg-type]


def deploy(made: CompileContext) -> CompiledStep:
    return Deploy().compile(DeployOptions(step="deploy"), made)


def problems(step: dict[str, Any], **parameters: Any) -> list[str]:
    text = json.dumps({"parameters": parameters, "workflow": [step]})
    with pytest.raises(SuiteError) as caught:
        parse_suite(text.encode(), "s.json")
    return [f"{problem.message} ({problem.hint})" for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("parameters", "services"),
    [
        (EVERYTHING, ["patroni", "backup", "proxy", "exporter", "admin_ui"]),
        ({"cluster_size": 2, "exporter": True}, ["postgresql", "exporter", "admin_ui"]),
        ({"database": "standalone", "cluster_size": 1, "admin_ui": False}, ["postgresql"]),
    ],
)
def test_together_they_are_what_deploy_does(parameters: dict[str, Any], services: list[str]) -> None:
    made = context(**parameters)
    nodes = CreateNodes().compile(StepOptions(step="create_nodes"), made)
    steps = [nodes, *(install(made, service) for service in services)]
    assert [play for step in steps for play in step.plays] == deploy(made).plays
    assert nodes.brings_back == made.nodes
    assert [step.starts_writer for step in steps].count(True) == 1
    assert steps[1].starts_writer, "the database can be written to"


def test_of_a_step_only_the_nodes_are_told_that_it_works_on() -> None:
    made = context(**EVERYTHING)
    assert install(made, "patroni").hosts == ("n11", "n12", "n13")
    assert install(made, "stroppy").hosts == ("c11",)
    assert install(made, "redis").hosts == ("n11", "n12", "n13")


@pytest.mark.parametrize(
    ("service", "targets", "hosts"),
    [
        ("admin_ui", ("n13", "n12"), ("n12", "n13")),
        ("admin_ui", ("database",), ("n11", "n12", "n13")),
        ("redis", ("client", "n12"), ("n12", "c11")),
        ("stroppy", ("n11",), ("n11",)),
        ("exporter", ("n13",), ("n13",)),
    ],
)
def test_targets_are_nodes_and_labels(service: str, targets: tuple[str, ...], hosts: tuple[str, ...]) -> None:
    step = install(context(**EVERYTHING), service, targets=targets)
    assert step.hosts == hosts
    (made,) = step.plays
    assert made["hosts"] == (hosts[0] if len(hosts) == 1 else list(hosts))


def test_a_cluster_on_some_of_its_nodes_has_the_plays_that_these_need() -> None:
    step = install(context(**EVERYTHING), "patroni", targets=("n12",))
    assert [(play["name"], play["hosts"]) for play in step.plays] == [
        ("Install etcd", "n12"),
        ("Install Patroni", "n12"),
    ]


@pytest.mark.parametrize("service", ["admin_ui", "patroni", "exporter"])
def test_what_would_be_installed_nowhere_is_refused_at_its_line(service: str) -> None:
    steps = [{"step": "create_nodes"}, {"step": "install", "service": service, "targets": ["c11"]}]
    text = json.dumps({"parameters": EVERYTHING, "workflow": steps}, indent=1)
    words = Vocabulary.default()
    suite = parse_suite(text.encode(), "s.json", vocabulary=words)
    with pytest.raises(
        SuiteError, match=f"{service} is not installed on c11: nothing would be done"
    ) as caught:
        compile_suite(suite, words.step_types)
    (problem,) = caught.value.problems
    assert problem.line == text[: text.index('"install"')].count("\n"), "where the step begins"


def test_services_of_their_own_have_their_roles() -> None:
    made = context(**EVERYTHING)
    for service in ("stroppy", "redis"):
        (play,) = install(made, service).plays
        assert [role["role"] for role in play["roles"]] == [service]
        assert play["become"] is True


def test_what_sets_up_is_tried_again_after_what_passes_by_itself() -> None:
    made = context()
    for step in (
        deploy(made),
        install(made, "postgresql"),
        CreateNodes().compile(StepOptions(step="x"), made),
    ):
        assert step.judgement.transient_retries == 3


@pytest.mark.parametrize(
    ("step", "parameters", "message", "hint"),
    [
        ({"service": "postgres"}, {}, "'postgres'", "did you mean 'postgresql'?"),
        ({"service": "patroni"}, {}, "'patroni' needs the parameter database", "write database: patroni"),
        (
            {"service": "postgresql"},
            {"database": "patroni"},
            "'postgresql' needs the parameter",
            "database: replication",
        ),
        ({"service": "backup"}, {}, "'backup' needs the parameter backup", "write backup: true"),
        ({"service": "proxy"}, {"database": "patroni"}, "needs the parameter proxy", "write proxy: haproxy"),
        ({"service": "exporter"}, {}, "needs the parameter exporter", "write exporter: true"),
        (
            {"service": "admin_ui"},
            {"admin_ui": False},
            "needs the parameter admin_ui",
            "write admin_ui: true",
        ),
        (
            {"service": "redis", "targets": ["n19"]},
            {},
            "no node 'n19', and none with the label",
            "did you mean",
        ),
        ({"service": "stroppy"}, {}, "none with the label 'run_stroppy'", "clients: 1"),
    ],
)
def test_a_service_that_cannot_be_installed_is_told(
    step: dict[str, Any], parameters: dict[str, Any], message: str, hint: str
) -> None:
    (problem,) = problems({"step": "install", **step}, **parameters)
    assert message in problem
    assert hint in problem

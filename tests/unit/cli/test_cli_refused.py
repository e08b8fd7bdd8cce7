"""What `plan` refuses before it writes anything: what `run` would refuse, in the same words and with the same code."""

from __future__ import annotations

import pytest
from cli_desk import Desk

from e2e_ansible.providers import pgdg

SIZES = """\
test_suites:
  small: {workflow: [{step: deploy}]}
  large: {parameters: {cluster_size: 5}, workflow: [{step: deploy}]}

  huge: {parameters: {cluster_size: 3, hardware: {database: {cpus: 500}}}, workflow: [{step: deploy}]}
"""
VERSIONS = """\
matrix: {version: [13, 15, 16, 17]}
parameters: {postgres_version: '${matrix.version}', cluster_size: 1, database: standalone}
workflow: [{step: deploy}]
"""
NOWHERE = "http://127.0.0.1:1"
OF_THE_RUN = "hint: --budget and --max-nodes are its bounds"


@pytest.fixture(autouse=True)
def usual(monkeypatch: pytest.MonkeyPatch) -> None:
    """No budget but that of the machine, and no repository."""
    for name in ("E2E_BUDGET", pgdg.KEY):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(pgdg.MIRROR, NOWHERE)
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def refused(desk: Desk, *arguments: str) -> tuple[int, list[str]]:
    """The code and the words of a plan that is not made; `run` says no less, and neither writes anything."""
    before = desk.state()
    planned = desk.call("plan", "s.yaml", "-o", "made", *arguments)
    dry = desk.call("run", "s.yaml", "--dry-run", *arguments)
    assert planned.out == dry.out == ""
    assert planned.code == dry.code
    assert set(_said(planned.err)) <= set(_said(dry.err))
    assert desk.state() == before
    return planned.code, planned.err.splitlines()


def _said(error: str) -> list[str]:
    """Lines of an error; one that could not be asked now may have other things to say in its hint."""
    return [line.removeprefix("error: ") for line in error.splitlines() if not line.startswith("hint: ")]


def test_all_tests_that_are_larger_than_a_budget_are_told_with_their_lines(desk: Desk) -> None:
    desk.write("s.yaml", SIZES)
    code, lines = refused(desk, "--budget", "nodes=4,cpus=1")
    assert code == 2
    assert lines[:3] == [
        "error: larger than the budget of this run:",
        "s.yaml:3: test large needs 5 nodes, with a budget of 4 nodes",
        "s.yaml:5: test huge needs 1500 cpus, with a budget of 1 cpu",
    ]
    assert OF_THE_RUN in lines[-1]


def test_the_budget_of_the_machine_counts_for_nodes_on_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.write("s.yaml", SIZES)
    code, lines = refused(desk)
    assert (code, lines[0]) == (2, "error: larger than the budget of this machine:")
    assert len(lines) == 3
    assert lines[1].startswith("s.yaml:5: test huge needs 1500 cpus, with a budget of ")
    monkeypatch.setenv("E2E_BUDGET", "nodes=4,cpus=none")
    assert refused(desk)[1][1:2] == ["s.yaml:3: test large needs 5 nodes, with a budget of 4 nodes"]
    monkeypatch.setenv("E2E_BUDGET", "cpu=4")
    assert refused(desk)[1] == [
        "error: $E2E_BUDGET: there is no 'cpu' in a budget",
        "hint: write cpus=4",
    ]
    monkeypatch.setenv("E2E_BUDGET", "cpus=none")
    assert desk.call("plan", "s.yaml", "-o", "made").code == 0


def test_nodes_elsewhere_are_planned_on_any_machine(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_machine() -> None:
        raise AssertionError("this machine is not looked at")

    monkeypatch.setattr("e2e_ansible.run.quota.machine_budget", no_machine)
    large = "provider: aws\nparameters: {cluster_size: 50}\nworkflow: [{step: deploy}]\n"
    desk.write("s.yaml", large)
    assert desk.call("plan", "s.yaml", "-o", "made").code == 0
    desk.write("v.yaml", "provider: aws\n" + VERSIONS)
    assert desk.call("plan", "v.yaml", "-o", "versions").code == 0
    done = desk.call("plan", "s.yaml", "-o", "more", "--budget", "nodes=12")
    assert (done.code, done.err.splitlines()[1]) == (
        2,
        "s.yaml:1: test s needs 50 nodes, with a budget of 12 nodes",
    )


def test_a_version_that_cannot_be_had_is_told_for_every_test(desk: Desk) -> None:
    desk.write("s.yaml", VERSIONS)
    code, lines = refused(desk)
    assert (code, lines[0]) == (4, "error: this machine does not have what the suite requires:")
    for line, version in zip(lines[1:3], (13, 16), strict=True):
        said = f"PostgreSQL {version} comes from PGDG only (Debian 12 has 15, Debian 13 has 17)"
        assert line.startswith(
            f"s.yaml:1: test s[version={version}]: {said}, and {NOWHERE}/dists/bookworm-pgdg/"
        )
        assert "cannot be reached" in line
    assert lines[3:] == ["hint: nothing was started"]


def test_size_and_version_are_told_in_one_answer(desk: Desk) -> None:
    desk.write("s.yaml", VERSIONS)
    code, lines = refused(desk, "--budget", "memory_gb=0.1")
    assert code == 2, "what the user wrote goes first"
    assert [line.partition(":")[0] for line in lines if not line.startswith("s.yaml")] == [
        "error",
        "this machine does not have what the suite requires",
        "hint",
    ]
    sizes = [line for line in lines if "256 MiB of memory, with a budget of 102 MiB" in line]
    assert len(sizes) == 4
    assert len([line for line in lines if "comes from PGDG only" in line]) == 2
    assert lines[-1] == f"{OF_THE_RUN}; nothing was started"


def test_validate_looks_at_suites_alone(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("E2E_BUDGET", "nodes=1")
    desk.write("s.yaml", SIZES)
    desk.write("v.yaml", VERSIONS)
    done = desk.call("validate", "s.yaml", "v.yaml")
    assert (done.code, done.err) == (0, "")
    notes = [line for line in done.out.splitlines() if "PGDG" in line]
    assert notes == [
        f"v.yaml:2: PostgreSQL {version} comes from PGDG, which is asked for it by plan and run"
        for version in (13, 16)
    ]

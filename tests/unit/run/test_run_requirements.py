"""What a suite requires of this machine is looked at before anything starts, and all that is missing is told."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from run_replay import PaperNodes, Replay, plan_of

from e2e_ansible.errors import InfrastructureError, UsageError
from e2e_ansible.providers.base import Finding
from e2e_ansible.run.context import RunOptions
from e2e_ansible.run.requirements import check_provider, check_requirements, unmet
from e2e_ansible.run.session import run_plans
from e2e_ansible.suite.model import Requirements

HUGE = 10**9


def test_nothing_required_is_nothing_missing(tmp_path: Path) -> None:
    assert list(unmet(Requirements(), tmp_path)) == []


def test_what_is_there_is_not_missing(tmp_path: Path) -> None:
    wanted = Requirements(min_memory_gb=0.001, min_disk_gb=0.001, min_cpus=1, commands=("sh",))
    assert list(unmet(wanted, tmp_path / "not" / "yet" / "there")) == []


MISSING = {
    "memory": (Requirements(min_memory_gb=HUGE), f"memory available (GiB): {{}}, required {HUGE:g}"),
    "disk": (Requirements(min_disk_gb=HUGE), f"disk free (GiB): {{}}, required {HUGE:g}"),
    "processors": (Requirements(min_cpus=HUGE), f"processors: {{}}, required {HUGE:g}"),
    "a command": (Requirements(commands=("sh", "no-such-tool")), "the command 'no-such-tool' is not there"),
}


@pytest.mark.parametrize(("wanted", "told"), MISSING.values(), ids=MISSING)
def test_what_is_missing_is_told(tmp_path: Path, wanted: Requirements, told: str) -> None:
    (found,) = unmet(wanted, tmp_path)
    begin, _, end = told.partition("{}")
    assert found.startswith(begin)
    assert found.endswith(end)


def test_processors_are_those_that_this_process_may_use(tmp_path: Path) -> None:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert list(unmet(Requirements(min_cpus=2), tmp_path)) == ["processors: 1.0, required 2"]
    finally:
        os.sched_setaffinity(0, before)


VIRSH = {
    "answers": ("exit 0", True),
    "does not answer": ("exit 1", False),
}


@pytest.mark.parametrize(("script", "answers"), VIRSH.values(), ids=VIRSH)
def test_libvirt_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, answers: bool
) -> None:
    tool = tmp_path / "virsh"
    tool.write_text(f'#!/bin/sh\ntest "$*" = "--connect qemu:///system version" || exit 3\n{script}\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert (list(unmet(Requirements(libvirt_available=True), tmp_path)) == []) is answers


def test_libvirt_without_its_command_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (found,) = unmet(Requirements(libvirt_available=True), tmp_path)
    assert found.startswith("libvirt does not answer")


def test_everything_that_is_missing_for_every_test_is_told_at_once(tmp_path: Path) -> None:
    plan = plan_of("failing_command")
    names = {
        "one": Requirements(min_cpus=HUGE, commands=("no-such-tool",)),
        "two": Requirements(min_cpus=HUGE),
    }
    plans = [plan.model_copy(update={"name": name, "requirements": each}) for name, each in names.items()]
    with pytest.raises(InfrastructureError) as caught:
        check_requirements(plans, tmp_path)
    lines = str(caught.value).splitlines()
    assert [line.split(": ")[1] for line in lines[1:]] == ["test one", "test one", "test two"]
    assert all(line.startswith(f"{plan.source}: ") for line in lines[1:])
    assert caught.value.hint == "nothing was started"


@pytest.mark.parametrize(
    ("change", "options", "error"),
    [
        ({"requirements": Requirements(min_cpus=HUGE)}, RunOptions(), InfrastructureError),
        ({}, RunOptions(max_nodes=0), UsageError),
        ({"provider": "no-such-provider"}, RunOptions(), UsageError),
    ],
    ids=["a requirement", "too many nodes", "no provider"],
)
def test_a_run_that_cannot_succeed_leaves_no_folder(
    tmp_path: Path, change: dict[str, object], options: RunOptions, error: type[Exception]
) -> None:
    engine = Replay("failing_command")
    plan = plan_of("failing_command").model_copy(update=change)
    with pytest.raises(error):
        run_plans([plan], runs=tmp_path / "runs", engine=engine, options=options)
    assert not (tmp_path / "runs").exists()
    assert engine.playbooks == []


class Wanting(PaperNodes):
    """A provider that lacks what is given."""

    def __init__(self, *findings: Finding) -> None:
        super().__init__()
        self._findings = findings

    def doctor(self) -> Sequence[Finding]:
        """What was given."""
        return self._findings


THERE = Finding(name="disk", ok=True, detail="much")
LACKING = Finding(name="token", ok=False, detail="HCLOUD_TOKEN is not set")
SPARE = Finding(name="SDK", ok=False, detail="only some need it", optional=True)


def test_a_provider_that_lacks_something_is_told_with_what_to_run() -> None:
    with pytest.raises(InfrastructureError) as caught:
        check_provider(Wanting(THERE, LACKING, SPARE))
    assert "token: HCLOUD_TOKEN is not set" in str(caught.value)
    assert ("disk" in str(caught.value), "SDK" in str(caught.value)) == (False, False)
    assert "e2e-ansible doctor --provider" in caught.value.hint


def test_a_provider_without_what_only_some_need_is_ready() -> None:
    check_provider(Wanting(THERE, SPARE))

"""What is told after the steps of a test on AWX when the jobs for it never come."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import pytest

from e2e_ansible.api import plan
from e2e_ansible.awx.aftermath import Aftermath
from e2e_ansible.awx.carried import Carried
from e2e_ansible.awx.workflow import workflow_of
from e2e_ansible.engine.fake import FakeEngine
from e2e_ansible.judge.record import CleanUpEnded, Entry, FaultsHealed
from e2e_ansible.run.context import Megaphone, RunContext, RunOptions
from e2e_ansible.run.folder import TestFolder
from e2e_ansible.suite.load import parse_suite
from e2e_ansible.verdict import Verdict

FAULT = {"step": "fault", "name": "cut", "fault": "partition", "target": "n12"}
OPEN = {
    "at": 1,
    "fault_id": "cut/n12",
    "event": "intended",
    "node": "n12",
    "fault": "partition",
    "name": "cut",
}
DESTROY = {"step": "destroy"}


def told(folder: Path, verdict: Verdict, *steps: dict[str, Any], faults: bool = True) -> list[Entry]:
    """What is written down when AWX ended the workflow after these steps."""
    text = json.dumps({"workflow": [{"step": "deploy"}, *steps]})
    suite = parse_suite(text.encode(), "s.json")
    (compiled,) = plan(suite)
    written: list[Entry] = []
    test = TestFolder(folder)
    if faults:
        test.faults.write_text(json.dumps({**OPEN, "heal": {"kind": "shell"}}) + "\n")

    def say(text: str, *, level: Literal["info", "warning", "error"] = "info") -> None:
        assert text, level

    Aftermath(
        context=RunContext(
            run_id="r", engine=FakeEngine({}), options=RunOptions(), environment={}, tell=Megaphone(())
        ),
        folder=test,
        workflow=workflow_of(compiled, suite.tests[0]),
        deployment="d",
        keep="never",
        carried=Carried(test),
        job_of=lambda name: None,
        lost=lambda: "",
        write=written.append,
        say=say,
    ).tell(verdict)
    return written


@pytest.mark.parametrize("verdict", [Verdict.FAIL, Verdict.UNKNOWN, Verdict.PASS])
def test_a_fault_that_no_job_has_healed_is_told(verdict: Verdict, tmp_path: Path) -> None:
    healed, clean_up = told(tmp_path, verdict, FAULT)
    assert isinstance(healed, FaultsHealed)
    assert not healed.ok
    assert "cut on n12 may still be there" in healed.message
    assert "e2e heal" in healed.message
    assert isinstance(clean_up, CleanUpEnded)
    assert not clean_up.ok
    assert "deployment d may be left" in clean_up.message


def test_a_test_that_passed_and_removed_its_nodes_has_left_nothing(tmp_path: Path) -> None:
    (clean_up,) = told(tmp_path, Verdict.PASS, FAULT, DESTROY)
    assert isinstance(clean_up, CleanUpEnded)
    assert (clean_up.ok, clean_up.message) == (True, "nothing was left to remove")
    healed, _ = told(tmp_path, Verdict.FAIL, FAULT, DESTROY)
    assert isinstance(healed, FaultsHealed), "but nobody knows of one that did not pass"


def test_without_a_fault_nothing_is_said_of_any(tmp_path: Path) -> None:
    (clean_up,) = told(tmp_path, Verdict.FAIL, FAULT, faults=False)
    assert isinstance(clean_up, CleanUpEnded)

"""Healing a run that is over: every test of it, whatever is wrong with another."""

from __future__ import annotations

from pathlib import Path

import pytest
from run_replay import PaperNodes, Replay, replay

from e2e_ansible.errors import CleanUpError
from e2e_ansible.faults.ledger import Line, append, read
from e2e_ansible.judge.entry import FaultsHealed
from e2e_ansible.run.healing import heal_run
from e2e_ansible.run.journal import read_journal

NAMES = ("failing_check", "slow_command")


def test_a_ledger_that_cannot_be_read_keeps_no_other_fault(tmp_path: Path) -> None:
    done = replay(tmp_path, *NAMES)
    first, second = done.tests
    first.faults.mkdir()
    heal = {"command": ["true"]}
    append(
        second.faults, Line(at=1.0, fault_id="f", event="intended", fault="partition", node="n12", heal=heal)
    )
    with pytest.raises(
        CleanUpError, match=r"the faults of failing_check may still be there: .*cannot be read"
    ):
        heal_run(done.folder, lambda name: PaperNodes(), lambda: Replay(*NAMES))
    (fault,) = read(second.faults)
    assert not fault.open
    (entry,) = [each for each in read_journal(second.journal) if isinstance(each, FaultsHealed)]
    assert entry.ok
    assert entry.by_hand
